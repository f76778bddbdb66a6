"""Answers that exist already, in the files of other tools: read, checked and told apart."""
