"""Texts as lattices of all that they can be read as, and their alignment."""
