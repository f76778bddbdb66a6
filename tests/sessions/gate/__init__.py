"""What breaks the gate, and what does not."""
