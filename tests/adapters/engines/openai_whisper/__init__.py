"""Tests of adapters/engines/openai_whisper."""
