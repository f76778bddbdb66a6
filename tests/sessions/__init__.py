"""Whole sessions of pytest, seen from outside."""
