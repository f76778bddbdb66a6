"""Tests of the project as a whole: layout, docs, sources."""
