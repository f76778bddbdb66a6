"""Tests of adapters/engines/openai_api."""
