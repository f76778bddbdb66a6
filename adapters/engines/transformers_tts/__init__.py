"""Speech synthesis with transformers."""
