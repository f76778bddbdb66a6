"""Checkpoints on which every adapter must pass tests/test_contract.py: one module per engine."""
