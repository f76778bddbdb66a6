"""Tests of adapters/engines/transformers_tts."""
