"""Speech recognition with transformers."""
