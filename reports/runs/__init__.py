"""Work on runs that are over."""
