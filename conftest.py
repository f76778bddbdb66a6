"""The plugins that make up Model Lab."""

pytest_plugins = ["adapters.plugin", "fixtures.plugin", "evals.plugin", "reports.plugin"]
