"""`python -m reports compare RUN RUN...`: what changed since the first run, the worst first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adapters.catalog.yaml_file import ConfigError
from evals.gate.baseline import BaselineError, find, renamed_pair
from evals.gate.thresholds import Thresholds
from fixtures.dialogues.dialogues import DialogueError, Dialogues
from fixtures.dialogues.files import read_dialogues
from reports.commands.held_to import add_thresholds, limits_of
from reports.comparison.compare import compare, info
from reports.comparison.result import Report
from reports.comparison.terminal import SHOWN, render
from reports.page.errors.expected import dialogues_of
from reports.runs.read_run import RunError, read_run
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard
from reports.text.metric_text import say
from reports.text.safe_terminal import plain

_EPILOG = """\
The first RUN is the reference. A RUN is a run's folder, its scorecard.json, or the name of a
promoted baseline. Ratios over the same utterances (WER, CER, utterances with an error, success)
are compared in pairs; times, memory and what cannot be paired stand side by side, and nothing is
claimed of them.

Exit status: 0 where all runs were read, whatever they say; 1 where a run, or a file of it, cannot
be read, where the runs have nothing in common, and with --fail-on-regression where a metric got
worse past its margin in thresholds.yaml (baseline.margins), or could not be compared: another
corpus or normalizer, utterances that the later run lacks, and `inconclusive` if that is "fail"
there; 2 for wrong arguments."""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `compare` to the commands of `python -m reports`; its default `run` is below."""
    command = subparsers.add_parser(
        "compare",
        help="what changed since a run, and which utterances got worse",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="the reference, then the others")
    command.add_argument(
        "--map",
        action="append",
        type=_renamed,
        default=[],
        metavar="OLD=NEW",
        help="compare the reference's model OLD with NEW of the others; repeatable. With it, "
        "one run may be named twice",
    )
    command.add_argument(
        "--show",
        type=_count,
        default=SHOWN,
        metavar="N",
        help=f"list at most N utterances that got worse, and better (default: {SHOWN})",
    )
    command.add_argument(
        "--dialogues",
        action="append",
        default=[],
        metavar="FILE",
        help="dialogues that a chat run was made with, where they are no longer at their place",
    )
    command.add_argument("--json", metavar="PATH", help="write everything as JSON")
    command.add_argument("--html", metavar="PATH", help="write a page")
    command.add_argument(
        "--fail-on-regression", action="store_true", help="exit with 1 for one; see below"
    )
    add_thresholds(command, "where the margins are (default: thresholds.yaml)")
    command.set_defaults(run=run, usage=command.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison and write what was asked for; see the epilog for the status."""
    if len(arguments.runs) < 2:
        arguments.usage("at least two runs are needed: the reference and another")
    renamed = dict(arguments.map)
    if len(renamed) < len(arguments.map):
        arguments.usage("--map: a model is mapped twice")
    try:
        report = read_report(
            arguments.runs,
            limits_of(arguments).thresholds,
            renamed=renamed,
            dialogue_files=[Path(path) for path in arguments.dialogues],
        )
        say(render(report, shown=arguments.show))
        if arguments.json:
            text = json.dumps(as_json(report), separators=(",", ":"), allow_nan=False)
            Path(arguments.json).write_text(text + "\n", encoding="utf-8")
            say(f"Written: {arguments.json}\n")
        if arguments.html:
            from reports.page.compare_page import page

            Path(arguments.html).write_text(page(report), encoding="utf-8")
            say(f"Written: {arguments.html}\n")
    except (RunError, ConfigError, DialogueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    broken = [
        f"{r.of}: {r.reason}" for c in report.comparisons for r in c.refused if r.broken
    ] + [
        f"{c.run.path} and {report.reference.path} have nothing in common"
        for c in report.comparisons
        if not (c.paired or c.beside or c.refused)
    ]  # fmt: skip
    for line in broken:
        sys.stderr.write(f"{plain(line)}\n")
    if arguments.fail_on_regression:
        regressions = [
            line
            for c in report.comparisons
            for line in c.regressions(report.inconclusive_fails)
        ]  # fmt: skip
        for line in regressions:
            sys.stderr.write(f"{plain(line)}\n")
        if regressions:
            return 1
    return 1 if broken else 0


def read_report(
    named: Sequence[str],
    thresholds: Thresholds,
    *,
    renamed: Mapping[str, str] | None = None,
    dialogue_files: Sequence[Path] = (),
) -> Report:
    """Read the runs and compare. Raises RunError, DialogueError."""
    renamed = renamed or {}
    runs = [(name, *_read(name)) for name in named]
    _refuse_repeated(runs, renamed)
    _refuse_unknown(runs, renamed)
    dialogues = _dialogues(runs, dialogue_files)
    first = runs[0]
    return Report(
        reference=info(first[0], first[2]),
        comparisons=[
            compare(
                first,
                other,
                thresholds,
                renamed=renamed,
                dialogues=dialogues,
                only_renamed=_identity(other[2]) == _identity(first[2]),
            )
            for other in runs[1:]
        ],
        inconclusive_fails=thresholds.baseline.inconclusive == "fail",
    )


def as_json(report: Report) -> dict[str, Any]:
    """Everything, with all utterances that moved."""
    comparisons = []
    for c in report.comparisons:
        row = asdict(c)
        for name, moved in (("worse", c.worse), ("better", c.better)):
            for utterance, written in zip(moved, row[name], strict=True):
                written["added"] = utterance.added
        row["regressions"] = c.regressions(report.inconclusive_fails)
        comparisons.append(row)
    return {
        "schema_version": 1,
        "reference": asdict(report.reference),
        "comparisons": comparisons,
    }


def _read(named: str) -> tuple[Path, Scorecard]:
    """A run's folder and scorecard. Raises RunError."""
    try:
        path = find(named)
    except BaselineError as error:
        raise RunError(str(error)) from None
    if path.name != scorecard.FILE_NAME:
        raise RunError(f"{path}: a run's folder, or the {scorecard.FILE_NAME} in it, is expected")
    return path.parent, read_run(path.parent)


def _identity(card: Scorecard) -> tuple[str, str]:
    return card.run.id, card.run.started


def _refuse_repeated(
    runs: Sequence[tuple[str, Path, Scorecard]], renamed: Mapping[str, str]
) -> None:
    seen: dict[tuple[str, str], str] = {}
    for number, (name, _, card) in enumerate(runs):
        identity = _identity(card)
        # A run may be held against itself, one of its models against another.
        if identity in seen and not (number == 1 and renamed):
            raise RunError(
                f"{name}: the same run as {seen[identity]} (two models of one run are compared "
                "by --map OLD=NEW)"
            )
        seen[identity] = name


def _refuse_unknown(
    runs: Sequence[tuple[str, Path, Scorecard]], renamed: Mapping[str, str]
) -> None:
    ours = [record.name for record in runs[0][2].models]
    theirs = list(dict.fromkeys(r.name for _, _, card in runs[1:] for r in card.models))
    for old, new in renamed.items():
        for name, known, where in (
            (old, ours, runs[0][0]),
            (new, theirs, ", ".join(name for name, _, _ in runs[1:])),
        ):
            if name not in known:
                raise RunError(
                    f"--map {old}={new}: no model {name} in {where}. Models: {', '.join(known)}"
                )


def _dialogues(
    runs: Sequence[tuple[str, Path, Scorecard]], files: Sequence[Path]
) -> dict[str, Dialogues]:
    """By content hash: those of the files, and those that the runs kept."""
    found: dict[str, Dialogues] = {}
    for _, folder, card in runs:
        hashes = {c.name: c.content_hash for c in card.provenance.corpora}
        for name, dialogues in dialogues_of(card, folder).items():
            if name in hashes:
                found[hashes[name]] = dialogues  # a copy without its recordings has another one
    return found | {d.content_hash: d for d in map(read_dialogues, files)}


def _renamed(text: str) -> tuple[str, str]:
    try:
        return renamed_pair(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number is expected")
    return int(text)
