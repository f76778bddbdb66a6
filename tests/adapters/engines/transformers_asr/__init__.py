"""Tests of adapters/engines/transformers_asr."""
