"""What a session hears and says."""
