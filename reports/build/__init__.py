"""From a session to its scorecard."""
