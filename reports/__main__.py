"""`python -m reports`: what can be done with scorecards after a session."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import evals.tasks  # noqa: F401 - it registers the tasks
from evals.tasks import outside
from reports.commands import (
    calibrate,
    compare,
    devices,
    history,
    html,
    join,
    merge,
    metrics_page,
    rescore,
)
from reports.runs.promote import NotPromoted, promote
from reports.scorecard import scorecard
from reports.text.safe_terminal import by_lines


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
        "--write", action="store_true", help=f"write it to docs/{metrics_page.FILE.name} instead"
    )
    metrics.set_defaults(run=_metrics)
    promoted = commands.add_parser("promote", help="make a run the baseline of a name")
    promoted.add_argument("folder", metavar="RUN", help="a run's folder, such as runs/latest")
    promoted.add_argument("--name", default="main", help="the baseline's name (default: main)")
    promoted.set_defaults(run=_promote)
    calibrate.add_command(commands)
    rescore.add_command(commands)
    html.add_command(commands)
    compare.add_command(commands)
    history.add_command(commands)
    merge.add_command(commands)
    join.add_command(commands)
    devices.add_command(commands)
    return parser


def _schema(options: argparse.Namespace) -> int:
    if options.write:
        scorecard.SCHEMA_FILE.write_text(scorecard.json_schema(), encoding="utf-8")
    else:
        print(scorecard.json_schema(), end="")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    if options.write:
        metrics_page.FILE.write_text(metrics_page.metric_table(), encoding="utf-8")
    else:
        print(metrics_page.metric_table(), end="")
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
