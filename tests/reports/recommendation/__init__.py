"""Tests of reports/recommendation."""
