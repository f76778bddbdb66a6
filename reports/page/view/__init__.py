"""The scorecard as the page's template reads it."""
