"""What is good enough, and who judges it."""
