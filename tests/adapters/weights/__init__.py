"""Tests of converted weights."""
