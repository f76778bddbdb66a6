"""Which tests there are, and in which order."""
