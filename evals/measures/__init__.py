"""Measures: pure functions of texts, sounds and numbers; no pytest, no files."""
