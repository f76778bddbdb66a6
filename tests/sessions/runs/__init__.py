"""Runs that are resumed, shared out, and kept."""
