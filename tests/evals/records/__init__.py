"""Tests of evals/records."""
