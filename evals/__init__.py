"""The tasks: one test module each; what they measure and record."""
