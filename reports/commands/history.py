"""`python -m reports history`: each metric over runs, the oldest first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from adapters.catalog.yaml_file import ConfigError
from evals.gate.baseline import FOLDER
from evals.metrics import METRICS
from reports.commands.held_to import add_thresholds, limits_of
from reports.runs.history import History, read_history
from reports.runs.history_wording import cells, headline
from reports.runs.read_run import RunError
from reports.text.metric_text import say
from reports.text.safe_terminal import plain
from reports.text.text_table import text_table

_EPILOG = """\
Without --metric, those that thresholds.yaml grades. Parts of a corpus and conditions are named as
there: --metric 'wer/category=*', --metric 'wer_drift/*'.

A line that begins with "break" says why the value below it is not comparable with the one above:
another corpus, normalizer, checkpoint, option, device or version of a package; for times and
memory another machine too.

Exit status: 0 where a run could be read and has such a figure (those that cannot be read are named
and left out); 1 where there is none; 2 for wrong arguments."""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `history` to the commands of `python -m reports`; its default `run` is below."""
    command = subparsers.add_parser(
        "history",
        help="each metric over runs, with breaks and the baseline marked",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--runs-dir", default="runs", metavar="PATH", help="default: runs")
    command.add_argument(
        "--baselines-dir",
        default=FOLDER,
        metavar="PATH",
        help=f"where promoted runs are (default: {FOLDER})",
    )
    for name, what in (("model", "models"), ("task", "tasks"), ("corpus", "corpora")):
        command.add_argument(
            f"--{name}", action="append", metavar="NAME", help=f"only these {what}; may be a glob"
        )
    command.add_argument(
        "--metric",
        action="append",
        type=_metric,
        metavar="NAME",
        help="only these metrics; may be a glob, '*' for all",
    )
    command.add_argument("--json", metavar="PATH", help="write everything as JSON")
    command.add_argument("--html", metavar="PATH", help="write a page")
    add_thresholds(command, "what is graded (default: thresholds.yaml)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the history and write what was asked for; see the epilog for the status."""
    try:
        graded = limits_of(arguments).thresholds.graded
        found = read_history(
            Path(arguments.runs_dir),
            Path(arguments.baselines_dir),
            lambda m: (
                _among(m.model, arguments.model)
                and _among(m.task, arguments.task)
                and _among(m.corpus, arguments.corpus)
                and (
                    _among(m.key, arguments.metric)
                    if arguments.metric
                    else m.key in graded.get(m.task, ())
                )
            ),
        )
        for line in found.unread:
            sys.stderr.write(f"left out: {plain(line)}\n")
        if not found.runs:
            raise RunError(f"{arguments.runs_dir}: no run in it could be read")
        if not found.series:
            raise RunError(
                f"{arguments.runs_dir}: none of {len(found.runs)} runs has a figure that was "
                "asked for"
            )
        say(render(found))
        if arguments.json:
            text = json.dumps(as_json(found), indent=2, allow_nan=False)
            Path(arguments.json).write_text(text + "\n", encoding="utf-8")
            say(f"Written: {arguments.json}\n")
        if arguments.html:
            from reports.page.history_page import page

            Path(arguments.html).write_text(page(found), encoding="utf-8")
            say(f"Written: {arguments.html}\n")
    except (RunError, ConfigError, OSError) as error:
        sys.stderr.write(f"{plain(str(error))}\n")
        return 1
    return 0


def as_json(found: History) -> dict[str, Any]:
    """Everything that was found."""
    return {"schema_version": 2, **asdict(found)}


def render(found: History) -> str:
    """The text for a terminal, plain where it is piped too."""
    lines: list[str] = []
    for series in found.series:
        rows: list[Sequence[str]] = []
        for point in series.points:
            rows += [("break", "", "", "", "", "", why) for why in point.breaks]
            rows.append(cells(series, point, found.runs[point.run]))
        table = text_table(
            ("started (UTC)", "code"), ("n", "value", "95 % interval"), ("verdict", ""), rows
        )
        lines += [plain(headline(series)), *(f"  {line}" for line in table), ""]
    return "\n".join([*lines, ""])


def _among(name: str, patterns: Sequence[str] | None) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _metric(pattern: str, known: Collection[str] = METRICS) -> str:
    name = pattern.partition("/")[0]
    if not any(fnmatchcase(metric, name) for metric in known):
        raise argparse.ArgumentTypeError(f"no such metric. Metrics: {', '.join(known)}")
    return pattern
