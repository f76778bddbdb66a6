"""`python -m reports`: what can be done with scorecards after a session."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import evals.tasks  # noqa: F401 - it registers the tasks
from evals.tasks import outside
from reports import (
    calibrate_command,
    compare_command,
    device_command,
    history_command,
    html_command,
    join_command,
    merge_command,
    metric_table,
    rescore_command,
    scorecard,
)
from reports.as_text import by_lines
from reports.promotion import NotPromoted, promote


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 1 where a command refuses, 2 for wrong arguments."""
    options = command_line().parse_args(arguments)
    try:
        outside.load(options.plugin_file)
    except outside.OutsideError as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 2
    status: int = options.run(options)
    return status


def command_line() -> argparse.ArgumentParser:
    """Every command; the chosen one's function is `run` in what it parses."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument(
        "--plugin-file",
        action="append",
        default=[],
        metavar="PATH",
        help="a Python file with tasks or metrics of your own, as for pytest; repeatable",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="print the JSON Schema of scorecard.json")
    schema.add_argument(
        "--write", action="store_true", help=f"write it to {scorecard.SCHEMA_FILE.name} instead"
    )
    schema.set_defaults(run=_schema)
    metrics = commands.add_parser("metrics", help="print a table of all metrics")
    metrics.add_argument(
        "--write", action="store_true", help=f"write it to docs/{metric_table.FILE.name} instead"
    )
    metrics.set_defaults(run=_metrics)
    promoted = commands.add_parser("promote", help="make a run the baseline of a name")
    promoted.add_argument("folder", metavar="RUN", help="a run's folder, such as runs/latest")
    promoted.add_argument("--name", default="main", help="the baseline's name (default: main)")
    promoted.set_defaults(run=_promote)
    calibrate_command.add_command(commands)
    rescore_command.add_command(commands)
    html_command.add_command(commands)
    compare_command.add_command(commands)
    history_command.add_command(commands)
    merge_command.add_command(commands)
    join_command.add_command(commands)
    device_command.add_command(commands)
    return parser


def _schema(options: argparse.Namespace) -> int:
    if options.write:
        scorecard.SCHEMA_FILE.write_text(scorecard.json_schema(), encoding="utf-8")
    else:
        print(scorecard.json_schema(), end="")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    if options.write:
        metric_table.FILE.write_text(metric_table.metric_table(), encoding="utf-8")
    else:
        print(metric_table.metric_table(), end="")
    return 0


def _promote(options: argparse.Namespace) -> int:
    try:
        target = promote(Path(options.folder), options.name)
    except (NotPromoted, OSError) as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 1
    print(f"{target}: compare with it by --baseline {options.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
