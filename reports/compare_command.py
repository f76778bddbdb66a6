"""`python -m reports compare RUN RUN...`: what changed since the first run, the worst first."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.catalog.yaml_file import ConfigError
from evals.gate import thresholds as thresholds_file
from evals.gate.baseline import BaselineError, find
from evals.measures.metric_text import interval, point_interval, points, value
from fixtures.dialogues.dialogues import DialogueError, Dialogues
from fixtures.dialogues.files import read_dialogues
from reports import scorecard
from reports.as_text import plain, say, stacked, when
from reports.calibrate_command import RunError, read_run
from reports.changes import Change, Comparison, RunInfo, SideBySide
from reports.compare import compare, info
from reports.moved import Moved
from reports.page.expected import dialogues_of
from reports.scorecard import Scorecard

if TYPE_CHECKING:
    from rich.console import Console

#: Utterances that the terminal lists of each kind.
SHOWN = 20
#: Wide enough for any table: a narrow terminal wraps its lines, which loses nothing.
_WIDTH = 1000
_TEXT_WIDTH = 100
_UNCHANGED = "no utterance differs"
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


@dataclass(frozen=True, slots=True)
class Report:
    """The reference, and each other run against it."""

    reference: RunInfo
    comparisons: Sequence[Comparison]
    inconclusive_fails: bool


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
    command.add_argument(
        "--thresholds",
        metavar="PATH",
        default=str(thresholds_file.DEFAULT),
        help="where the margins are (default: thresholds.yaml)",
    )
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
            thresholds_file.load(Path(arguments.thresholds)),
            renamed=renamed,
            dialogue_files=[Path(path) for path in arguments.dialogues],
        )
        say(render(report, shown=arguments.show))
        if arguments.json:
            text = json.dumps(as_json(report), separators=(",", ":"), allow_nan=False)
            Path(arguments.json).write_text(text + "\n", encoding="utf-8")
            say(f"Written: {arguments.json}\n")
        if arguments.html:
            from reports.page.compare import page

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
    thresholds: thresholds_file.Thresholds,
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


def render(report: Report, *, shown: int = SHOWN) -> str:
    """The text for a terminal, plain where it is piped too."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=_WIDTH, color_system=None, highlight=False, emoji=False, markup=False
    )

    def line(text: str = "") -> None:
        console.print(plain(text), soft_wrap=True)

    line(f"Reference: {described(report.reference)}")
    for c in report.comparisons:
        line(f"Compared:  {described(c.run)}")
        _print_paired(console, c)
        for title, moved in (("worse", c.worse), ("better", c.better)):
            for text in _listed(title, moved, shown):
                console.print(text, soft_wrap=True)
        _print_beside(console, c)
        line()
    line(_LEGEND)
    return "\n".join(row.rstrip() for row in out.getvalue().splitlines()) + "\n"


#: What the figures mean, for who sees them for the first time.
_LEGEND = (
    "before, after: on the utterances that both runs have. change: after minus before, shares in "
    "percentage points. 95 % interval: of the change, paired. worse, better: its interval is on "
    "one side of 0."
)


def described(run: RunInfo) -> str:
    """A run in one line: where, when, which code, and what was wrong with it."""
    sha = "not in git" if run.git_sha is None else f"code {run.git_sha[:12]}"
    words = [f"{run.path} ({run.id}, {when(run.started)} UTC, {sha}"]
    if run.git_dirty:
        words.append(" with changes")
    words.append(")")
    if not run.complete:
        words.append(", PARTIAL: it was interrupted")
    if run.conditions:
        words.append(f", {', '.join(run.conditions)}: its times are not the models' own")
    return "".join(words)


def _print_paired(console: Console, c: Comparison) -> None:
    from rich.table import Table

    def line(text: str) -> None:
        console.print(plain(text), soft_wrap=True)

    for text in c.differences:
        line(f"  differs: {text}")
    for text in (*c.only, *c.notes):
        line(f"  note: {text}")
    for r in c.refused:
        line(f"  NOT COMPARED: {r.of}: {r.reason}")
    for p in c.pairings:
        if p.only_before or p.only_after:
            lacks = missing(p.only_before, p.only_after)
            line(f"  note: {p.of}: compared on the {p.n:,} utterances of both; {lacks}")
    if c.paired:
        console.print("\nPaired differences")
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("model", "corpus", "task", "part", "metric"):
            table.add_column(heading, no_wrap=True)
        for heading in ("n", "before", "after", "change", "95 % interval"):
            table.add_column(heading, justify="right", no_wrap=True)
        for heading in ("", "margin", "verdict"):
            table.add_column(heading, no_wrap=True)
        for change in c.paired:
            table.add_row(*map(plain, _cells(change)))
        console.print(table)


def _print_beside(console: Console, c: Comparison) -> None:
    from rich.table import Table

    if not c.beside:
        return
    console.print("\nSide by side: nothing is claimed of these (~: busy or shared machine)")
    for of, group in groupby(c.beside, key=lambda b: (b.of.model, b.of.corpus, b.of.task)):
        console.print(plain("{} on {} ({})".format(*of)), soft_wrap=True)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="")
        table.add_column("metric", no_wrap=True)
        for heading in ("before", "95 %", "after", "95 %"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in group:
            table.add_row(*map(plain, _beside_cells(row)))
        console.print(table)


def missing(only_before: Sequence[str], only_after: Sequence[str]) -> str:
    """What only one run has, in words; nothing where both have the same."""
    said = [
        f"{len(ids):,} {where} ({', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''})"
        for ids, where in ((only_before, "missing now"), (only_after, "missing before"))
        if ids
    ]
    return ", ".join(said)


def _cells(c: Change) -> list[str]:
    part = "" if c.of.slice == "all" else c.of.slice
    cells = [c.of.model, c.of.corpus, c.of.task, part, c.metric, f"{c.n:,}"]
    if c.change is None:
        why = f"not measured: {c.reason}"
        return [*cells, "-", "-", "-", "-", why, "", verdict_said(c)]
    return [
        *cells,
        value(c.metric, c.before),
        value(c.metric, c.after),
        points(c.metric, c.change),
        point_interval(c.metric, c.ci),
        direction_said(c),
        "" if c.margin is None else points(c.metric, c.margin).lstrip("+"),
        verdict_said(c),
    ]


def direction_said(c: Change) -> str:
    """Which way a change points, in words."""
    return {"same": _UNCHANGED, "unclear": "not shown either way"}.get(c.direction, c.direction)


def verdict_said(c: Change) -> str:
    """A change's verdict against its margin."""
    if c.verdict is None:
        return "no margin"
    if c.further_utterances:
        return f"{c.verdict}: about {c.further_utterances:,} more utterances would decide"
    return c.verdict.replace("_", " ")


def _beside_cells(row: SideBySide) -> list[str]:
    part = "" if row.of.slice == "all" else f" ({row.of.slice})"
    return [
        row.metric + part,
        beside_said(row.metric, row.before, row.before_state, row.before_conditions),
        "" if row.before_ci is None else f"[{interval(row.metric, row.before_ci)}]",
        beside_said(row.metric, row.after, row.after_state, row.after_conditions),
        "" if row.after_ci is None else f"[{interval(row.metric, row.after_ci)}]",
    ]


def beside_said(metric: str, number: float | None, state: str, conditions: Sequence[str]) -> str:
    """A figure of one run; ~ marks what was taken on a busy or shared machine."""
    if number is None:
        return state
    return value(metric, number) + (" ~ " + ", ".join(conditions) if conditions else "")


def _listed(way: str, moved: Sequence[Moved], shown: int) -> Iterator[str]:
    if not moved:
        yield f"\nGot {way}: none"
        return
    yield f"\nGot {way}: {len(moved):,} utterances, those that changed the most first"
    for row in moved[:shown]:
        yield f"  {row.added:+d}  {plain(headline(row))}"
        for name, text in lines_of(row):
            yield f"      {name:<8}{text}"
    if len(moved) > shown:
        yield f"  and {len(moved) - shown:,} more (--show N, --json PATH)"


def headline(row: Moved) -> str:
    """Which utterance, and how many errors it had and has."""
    if row.unit == "turns":
        was = "failed before, succeeds now" if row.added < 0 else "succeeded before, fails now"
    else:
        was = f"{row.errors_before} wrong of {row.length} words, now {row.errors_after}"
    return f"{row.id}  {row.of}: {was}"


def lines_of(row: Moved) -> Iterator[tuple[str, str]]:
    """What was said and heard, aligned where there are words to align."""
    for block in stacked(row.columns, _TEXT_WIDTH):
        yield from zip(("said", "before", "now"), block, strict=True)
    if not row.columns:
        yield "said", plain(row.reference)
        yield "before", plain(row.before)
        yield "now", plain(row.after)
    if row.why:
        yield "why", plain(row.why)
    for name, failed in (("before", row.failed_before), ("now", row.failed_after)):
        if failed:
            yield name, f"no answer: {plain(failed)}"


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
    old, equals, new = text.partition("=")
    if not (old and equals and new) or old == new:
        raise argparse.ArgumentTypeError("two different models, as OLD=NEW, are expected")
    return old, new


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number is expected")
    return int(text)
