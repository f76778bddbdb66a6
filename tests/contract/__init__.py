"""Checkpoints on which every adapter must pass tests/adapters/test_contract.py: one module per engine."""
