"""Tests of evals/measures/sound."""
