"""`python -m reports join RUN RUN...`: runs of other tasks of the same models as one run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from evals.gate import thresholds as thresholds_file
from evals.records.atomic_json import sha256_of
from reports.commands.combined import Judged, add_options, combine, judged
from reports.runs.join import Joined, NotJoined, join, read
from reports.text.safe_terminal import by_lines


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `join` to the commands of `python -m reports`."""
    command = subparsers.add_parser(
        "join",
        help="put runs of other tasks or corpora of the same models together",
        description="Writes a new run with what all of them keep and scores it as one session "
        "would have, with one recommendation that counts every task. Runs of other models, "
        "options, limits or contents of a corpus, shards, interrupted runs and a task on a corpus "
        "that two of them have are refused. Exit status: 0 where every limit is kept, 1 where one "
        "is broken or the runs do not belong together, 2 for wrong arguments.",
    )
    command.add_argument("folders", metavar="RUN", nargs="+", help="a run's folder")
    add_options(
        command,
        gate="as the runs were",
        thresholds="those that the runs were held to",
        baseline="what the runs were compared with",
    )
    command.set_defaults(run=_join)


def _join(options: argparse.Namespace) -> int:
    try:
        found = read([Path(folder) for folder in options.folders])
        held = _held(options, found)
    except (NotJoined, OSError) as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 1
    _say_other_code(found)
    return combine(lambda: join(found, Path(options.runs_dir)), held)


def _held(options: argparse.Namespace, found: list[Joined]) -> Judged:
    """What is given, and otherwise what the runs were held to. Raises NotJoined."""
    held = judged(options)
    baseline = held.baseline or next((j.card.baseline for j in found if j.card.baseline), None)
    if options.thresholds is None:
        named = found[0].options.get("thresholds", thresholds_file.DEFAULT)
        held = replace(held, thresholds=_theirs(Path(named), found[0]))
    return replace(held, baseline=baseline)


def _theirs(limits: Path, run: Joined) -> Path:
    """The file of limits, if it has not changed since the run. Raises NotJoined."""
    if limits.is_file() and sha256_of(limits) == run.limits:
        return limits
    raise NotJoined(
        f"{run.folder} was held to other limits ({run.limits[:12]}) than {limits} has now: name "
        "the file of the limits with --thresholds"
    )


def _say_other_code(found: list[Joined]) -> None:
    """Predictions of another commit are joined, since all are scored by this one; it is told."""
    shas = {j.card.provenance.git_sha: j.folder for j in found}
    if len(shas) > 1:
        told = ", ".join(f"{folder}: {(sha or 'not in git')[:12]}" for sha, folder in shas.items())
        print(
            by_lines(
                f"The runs were made by different commits ({told}); all are scored by this one"
            )
        )
