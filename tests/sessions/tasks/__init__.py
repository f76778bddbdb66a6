"""Sessions of each task."""
