"""Weights that one library stores, written for another."""
