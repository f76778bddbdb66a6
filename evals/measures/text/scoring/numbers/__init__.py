"""Numbers as they are written, and how each can be said."""
