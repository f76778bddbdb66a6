"""A session's run: its folder, who writes to it, going on with it, and sharing it out."""
