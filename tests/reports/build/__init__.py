"""Tests of reports/build."""
