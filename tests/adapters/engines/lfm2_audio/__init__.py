"""Tests of adapters/engines/lfm2_audio."""
