"""Tests of adapters/engines."""
