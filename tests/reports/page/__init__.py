"""Tests of reports/page."""
