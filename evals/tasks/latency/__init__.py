"""Latency of a fixed clip."""
