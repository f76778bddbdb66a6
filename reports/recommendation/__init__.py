"""Which model to take, and what would change that."""
