"""Tests of adapters/worker."""
