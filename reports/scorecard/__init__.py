"""What a scorecard says, and where each part of it comes from."""
