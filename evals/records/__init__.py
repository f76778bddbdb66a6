"""The forms that everything else trades in: measurements, lines, and their files."""
