"""Tests of evals.gate."""
