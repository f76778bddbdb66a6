"""How a number and a name are written."""
