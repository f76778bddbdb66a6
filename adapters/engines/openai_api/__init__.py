"""Servers with OpenAI's HTTP API."""
