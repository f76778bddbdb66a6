"""Engines of one file each whose weights are ONNX."""
