"""`python -m reports devices RUN...`: one table of several runs' devices."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from reports.scorecard import scorecard
from reports.terminal.device_table import as_markdown, device_rows
from reports.text.safe_terminal import by_lines


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `devices` to the commands of `python -m reports`."""
    command = subparsers.add_parser(
        "devices",
        help="load time, 5 s clip and speed-up over the CPU, from runs on several devices",
        description="Prints a Markdown table. The runs need the smoke or asr task for load times "
        "and the latency task for the clip: pytest -m 'asr or latency' --device DEVICE.",
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder or its scorecard")
    command.add_argument("--json", action="store_true", help="print JSON instead")
    command.set_defaults(run=_devices)


def _devices(options: argparse.Namespace) -> int:
    cards = []
    for named in options.runs:
        path = Path(named)
        try:
            cards.append(scorecard.read(path / scorecard.FILE_NAME if path.is_dir() else path))
        except ValueError as error:
            print(by_lines(str(error)), file=sys.stderr)
            return 1
    rows = device_rows(cards)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(by_lines(as_markdown(rows)), end="")
    return 0
