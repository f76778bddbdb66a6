"""Benchmarks, run on demand; nothing here asserts a wall time."""
