"""Figures of time and energy."""
