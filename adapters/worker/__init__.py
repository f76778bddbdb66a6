"""A model in a process of its own: both sides, and what goes between them."""
