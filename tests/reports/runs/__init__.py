"""Tests of reports/runs."""
