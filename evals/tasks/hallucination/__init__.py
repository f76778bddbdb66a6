"""Non-speech."""
