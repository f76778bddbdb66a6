"""Intervals and what they need."""
