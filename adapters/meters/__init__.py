"""What a model takes of the machine: memory, energy, and waiting for a CPU."""
