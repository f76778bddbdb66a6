"""Which models and engines there are, and where each of them lives."""
