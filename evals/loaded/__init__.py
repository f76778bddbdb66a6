"""The models of a session."""
