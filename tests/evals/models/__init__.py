"""Tests of evals/models."""
