"""Tests of adapters/provided."""
