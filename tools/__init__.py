"""Scripts that make what the repo ships."""
