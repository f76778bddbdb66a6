"""`python -m reports join RUN RUN...`: runs of other tasks of the same models as one run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from adapters.catalog.yaml_file import ConfigError
from evals.gate.limit_files import KEPT, LimitFiles
from evals.run.options import given
from reports.commands.combined import add_runs_dir, combine
from reports.commands.held_to import HeldTo, add_options, held_to
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
    add_runs_dir(command)
    add_options(
        command,
        gate="as the runs were",
        thresholds="those that the runs were held to",
        baseline="what the runs were compared with",
        hardware="as the runs were",
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


def _held(options: argparse.Namespace, found: list[Joined]) -> HeldTo:
    """What is given, and otherwise what the runs were held to. Raises NotJoined."""
    held = held_to(options)
    if held.baseline is None:
        compared = next((j for j in found if j.card.baseline), None)
        if compared is not None:
            renamed = held.renamed or tuple(compared.options.get("map") or ())
            held = replace(held, baseline=compared.card.baseline, renamed=renamed)
    return held if held.thresholds else replace(held, thresholds=_theirs(found[0]))


def _theirs(run: Joined) -> tuple[str, ...]:
    """The files of limits of a run, if they have not changed since. Raises NotJoined."""
    kept = str(run.folder / KEPT)
    named = given(run.options.get("thresholds"))
    for files in ((kept,), named):
        try:
            if LimitFiles(*files).sha256 == run.limits:
                return files
        except (ConfigError, OSError):
            continue
    raise NotJoined(
        f"{run.folder} was held to other limits ({run.limits[:12]}) than "
        f"{' + '.join(named) or 'thresholds.yaml'} has now: name the file of the limits with "
        "--thresholds"
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
