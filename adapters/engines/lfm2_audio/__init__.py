"""LFM2-Audio through liquid-audio."""
