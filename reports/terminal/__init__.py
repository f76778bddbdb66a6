"""What a session prints at its end."""
