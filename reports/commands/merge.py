"""`python -m reports merge RUN RUN...`: the shards of a corpus, run apart, as one run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from reports.commands.combined import add_runs_dir, combine
from reports.commands.held_to import add_options, held_to
from reports.runs.merge_shards import merge


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `merge` to the commands of `python -m reports`."""
    command = subparsers.add_parser(
        "merge",
        help="put the runs of all shards of a corpus (pytest --shard I/N) together",
        description="Writes a new run with the predictions of all shards and scores it as one "
        "session would have. Shards of other models, options, code or corpora, and missing ones, "
        "are refused. Exit status: 0 where every limit is kept, 1 where one is broken or the runs "
        "do not belong together, 2 for wrong arguments.",
    )
    command.add_argument("folders", metavar="RUN", nargs="+", help="the folder of a shard's run")
    add_runs_dir(command)
    add_options(
        command,
        gate="tier",
        thresholds="thresholds.yaml",
        baseline="none",
        hardware="as the runs were",
    )
    command.set_defaults(run=_merge)


def _merge(options: argparse.Namespace) -> int:
    held = held_to(options)
    folders = [Path(folder) for folder in options.folders]
    runs = Path(options.runs_dir)
    return combine(lambda: merge(folders, runs), replace(held, gate=held.gate or "tier"))
