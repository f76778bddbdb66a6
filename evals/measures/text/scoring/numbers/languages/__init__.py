"""How each language says its numbers."""
