"""PocketSphinx."""
