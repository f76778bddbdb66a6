"""Recognition on a Ray cluster."""
