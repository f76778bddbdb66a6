"""Tests of reports/ci."""
