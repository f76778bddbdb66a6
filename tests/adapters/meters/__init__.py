"""Tests of adapters/meters."""
