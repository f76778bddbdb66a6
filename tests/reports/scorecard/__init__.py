"""Tests of reports/scorecard."""
