"""What a session tells a CI system."""
