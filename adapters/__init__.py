"""The models: one file per engine, the catalogue, the worker process."""
