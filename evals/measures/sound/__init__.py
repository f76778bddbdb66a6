"""Figures of sound."""
