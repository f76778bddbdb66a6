"""Tests of evals/measures/statistics."""
