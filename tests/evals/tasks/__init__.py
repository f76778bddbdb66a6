"""Tests of evals/tasks."""
