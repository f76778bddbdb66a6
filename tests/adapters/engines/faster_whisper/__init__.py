"""Tests of adapters/engines/faster_whisper."""
