"""All that pytest has to do with: collection, fixtures, options and hooks."""
