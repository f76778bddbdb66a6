"""The page of a run, `scorecard.html`: what the scorecard says, for people who decide."""
