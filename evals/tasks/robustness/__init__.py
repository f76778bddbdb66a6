"""Disturbed speech."""
