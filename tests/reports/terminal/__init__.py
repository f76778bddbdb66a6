"""Tests of reports/terminal."""
