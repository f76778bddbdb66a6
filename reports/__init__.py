"""From measurements to a decision: grades, scorecard, recommendation, terminal report."""
