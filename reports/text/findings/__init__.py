"""Findings of a session that are lines of words rather than figures of a table."""
