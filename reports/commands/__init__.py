"""The commands of `python -m reports`."""
