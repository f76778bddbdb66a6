"""What tests share: engines, corpora, runs and sessions."""
