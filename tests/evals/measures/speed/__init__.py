"""Tests of evals/measures/speed."""
