"""Loaded models, and how they are asked."""
