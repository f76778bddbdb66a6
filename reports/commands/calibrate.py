"""`python -m reports calibrate RUN...`: the noise of repeated runs, and limits from it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path

from adapters.catalog.yaml_file import ConfigError
from evals.gate.thresholds import Thresholds
from evals.metrics import METRICS
from evals.records.atomic_json import as_folder
from evals.records.predictions import read_predictions
from evals.task import TASKS
from reports.commands.held_to import add_thresholds, limits_of
from reports.runs.calibration import FLAKE_TARGET, Calibrated, NotComparable, calibrate
from reports.runs.read_run import RunError, read_run
from reports.scorecard.scorecard import Scorecard
from reports.text.safe_terminal import plain
from reports.text.text_table import text_table

#: Names that YAML reads as text without quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True, slots=True)
class Report:
    """Runs that were read, and what they say."""

    runs: Mapping[str, Scorecard]
    figures: Sequence[Calibrated]
    #: Utterances whose text is not the same in all runs, by model, task and corpus.
    varying: Mapping[tuple[str, str, str], int]
    target: float


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `calibrate` to the commands of `python -m reports`; its default `run` is below."""
    command = subparsers.add_parser("calibrate", help="noise of repeated runs, and limits from it")
    command.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run's folder, such as runs/latest"
    )
    command.add_argument(
        "--write", metavar="PATH", help="write the proposals that replace a limit as YAML"
    )
    command.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="only these metrics, limited already or not; repeatable, may be a glob",
    )
    command.add_argument(
        "--flake",
        type=_probability,
        default=FLAKE_TARGET,
        metavar="P",
        help=f"how often an unchanged model may break a proposed limit (default: {FLAKE_TARGET})",
    )
    add_thresholds(command, "the present limits (default: thresholds.yaml)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table and write what was asked for; 1 where runs cannot be read or mixed."""
    try:
        report = read_report(
            [Path(path) for path in arguments.runs],
            limits_of(arguments).thresholds,
            metrics=arguments.metric,
            target=arguments.flake,
        )
        sys.stdout.write(render(report))
        if arguments.write:
            text = snippet(report, only_limited=not arguments.metric)
            Path(arguments.write).write_text(text, encoding="utf-8")
            sys.stdout.write(f"Written: {arguments.write}\n")
    except (RunError, NotComparable, ConfigError, OSError) as error:
        sys.stderr.write(f"{plain(str(error))}\n")
        return 1
    return 0


def read_report(
    folders: Sequence[Path],
    thresholds: Thresholds,
    *,
    metrics: Sequence[str] | None = None,
    target: float = FLAKE_TARGET,
) -> Report:
    """Read and calibrate. Raises RunError or NotComparable."""
    for pattern in metrics or ():
        if not any(fnmatchcase(name, pattern) for name in METRICS):
            raise RunError(f"--metric {pattern}: no such metric. Metrics: {', '.join(METRICS)}")
    runs = {str(folder): read_run(folder) for folder in folders}
    if len(runs) < len(folders):
        raise RunError("a run is named twice")
    figures = calibrate(runs, thresholds, target=target)
    return Report(
        runs=runs,
        figures=[
            f for f in figures if not metrics or any(fnmatchcase(f.metric, m) for m in metrics)
        ],
        varying=_varying([Path(name) for name in runs], figures),
        target=target,
    )


def render(report: Report) -> str:
    """The tables and what has to be known to read them."""
    lines: list[str] = []
    for (model, corpus, task), group in groupby(
        report.figures, key=lambda f: (f.model, f.corpus, f.task)
    ):
        figures = list(group)
        right = ("runs", "mean", "sd", "min", "max", "sampling 95 %", "limit", "flake")
        table = text_table(("metric", "unit"), right, ("proposed",), map(_cells, figures))
        notes = _notes(figures, report.varying.get((model, task, corpus)))
        lines.append(plain(f"{model} on {corpus} ({task})"))
        lines += [*(f"  {line}" for line in table), *map(plain, notes), ""]
    return "\n".join([*lines, _legend(report), ""])


def snippet(report: Report, *, only_limited: bool) -> str:
    """The proposals in the form of thresholds.yaml's `models`, with their evidence.

    only_limited: those of metrics that have a limit now; each further gate adds its
    flake probability. Raises RunError where there is none.
    """
    chosen = [
        f
        for f in report.figures
        if f.proposal is not None
        and f.task in TASKS
        and f.metric in TASKS[f.task].metrics
        and (f.limit is not None or not only_limited)
    ]
    if not chosen:
        raise RunError("nothing to write: no figure has a proposal and a limit now (see --metric)")
    cards = list(report.runs.values())
    days = sorted(card.run.started for card in cards)
    machine = cards[0].provenance
    lines = [
        "# Proposed by `python -m reports calibrate`; merge into thresholds.yaml.",
        f"# {len(cards)} runs, {days[0]} to {days[-1]}:",
        *(f"#   {card.run.id}" for card in sorted(cards, key=lambda card: card.run.started)),
        f"# Code: {', '.join(sorted({_sha(card) for card in cards}))}",
        f"# Machine: {machine.processor}, {machine.cores} cores, {machine.threads} thread(s)",
        f"# An unchanged model breaks each with a probability of at most {report.target:g}.",
        "models:",
    ]
    above: tuple[str, ...] = ()
    for f in sorted(chosen, key=lambda f: (f.model, f.corpus, f.task)):
        path = (f.model, f.corpus, f.task)
        for depth, name in enumerate(path):
            if above[: depth + 1] != path[: depth + 1]:
                lines.append(f"{'  ' * (depth + 1)}{_name(name)}:")
        above = path
        lines += [f"        # {line}" for line in _evidence(f)]
        lines.append(f"        {f.metric}: {{{f.bound}: {_number(f.proposal)}}}")
    return "\n".join(plain(line) for line in lines) + "\n"


def _cells(f: Calibrated) -> list[str]:
    cells = [f.metric, f.unit, str(len(f.values))]
    if not f.values:
        return [*cells, *("-" for _ in range(7)), f.why_not or ""]
    sd = "-" if f.sd is None else _short(f.sd)
    limit = "-" if f.limit is None else f"{f.limit.bound} {f.limit.value:g}"
    proposed = f.why_not or f"{f.bound} {_number(f.proposal)}"
    sampling = f"{_short(f.sampling[0])} to {_short(f.sampling[1])}" if f.sampling else "-"
    span = [_short(f.mean), sd, _short(min(f.values)), _short(max(f.values))]
    return [*cells, *span, sampling, limit, _flake(f), proposed]


def _flake(f: Calibrated) -> str:
    if f.limit is None:
        return "-"
    if f.flake is None:
        return "not enough runs"
    if f.is_constant:
        return f"{f.flake:.0f} (all runs equal)"
    return _percent(f.flake)


def _percent(p: float) -> str:
    if p == 0:
        return "0"
    return "< 0.01 %" if p < 1e-4 else f"{100 * p:.2f} %"


def _notes(figures: Sequence[Calibrated], varying: int | None) -> list[str]:
    lines = []
    if varying is not None:
        what = f"differ between runs: {varying:,}" if varying else "are the same in all runs"
        lines.append(f"  texts {what}")
    for reason in dict.fromkeys(reason for f in figures for reason in f.left_out):
        metrics = ", ".join(f.metric for f in figures if reason in f.left_out)
        lines.append(f"  runs left out: {reason} ({metrics})")
    flakes = [f.flake for f in figures if f.flake is not None]
    if flakes:
        # The bound of Bonferroni: it holds however the metrics hang together.
        together = _percent(min(1.0, sum(flakes)))
        lines.append(
            f"  some limit of these breaks in at most this part of unchanged runs: {together}"
        )
    return lines


def _legend(report: Report) -> str:
    return f"""{len(report.runs)} runs. sd: between runs, the noise floor.
sampling: the 95 % interval for another corpus of the kind, the widest seen.
flake: probability that the next run of an unchanged model breaks its limit, from Student's t
  with n - 1 degrees of freedom at (limit - mean) / (sd sqrt(1 + 1/n)) (Hahn and Meeker 1991,
  chapter 4), for the end of the interval that the tier's policy for inconclusive looks at.
proposed: mean + t(1 - {report.target:g}, n - 1) sqrt(1 + 1/n) sd of the intervals' worse ends,
  never tighter than the worst seen, rounded outwards to two digits.
Both take the noise for normal, which the stalls of a busy machine are not: look at min and max."""


def _evidence(f: Calibrated) -> list[str]:
    parts = [
        f"{len(f.values)} runs: mean {_short(f.mean)}",
        f"sd {_short(f.sd)}" if f.sd else "all equal",
        f"{_short(min(f.values))} to {_short(max(f.values))}",
    ]
    if f.sampling:
        parts.append(f"sampling {_short(f.sampling[0])} to {_short(f.sampling[1])}")
    if f.normalizer:
        parts.append(f.normalizer)
    lines = [", ".join(parts)]
    if f.limit:
        lines.append(f"now {f.limit.bound} {f.limit.value:g} by {f.limit.source}")
    return lines


def _varying(
    folders: Sequence[Path], figures: Sequence[Calibrated]
) -> dict[tuple[str, str, str], int]:
    """How many utterances' texts differ between the runs that have predictions of all."""
    counts = {}
    for model, task, corpus in dict.fromkeys((f.model, f.task, f.corpus) for f in figures):
        try:
            parts = [as_folder(model), as_folder(task), f"{as_folder(corpus)}.jsonl"]
        except ValueError:
            continue  # no session wrote such a file
        paths = [folder.joinpath(*parts) for folder in folders]
        if not all(path.is_file() for path in paths):
            continue
        try:
            texts = [{p.id: p.hypothesis for p in read_predictions(path)} for path in paths]
        except ValueError as error:
            raise RunError(str(error)) from None
        ids = set().union(*texts)
        counts[model, task, corpus] = sum(len({t.get(i) for t in texts}) > 1 for i in ids)
    return counts


def _probability(text: str) -> float:
    value = float(text)
    if not 1e-9 <= value < 0.5:
        raise argparse.ArgumentTypeError("a probability from 1e-9 to below 0.5 is expected")
    return value


def _sha(card: Scorecard) -> str:
    sha = card.provenance.git_sha
    if sha is None:
        return "not in git"
    return sha[:12] + (" with changes" if card.provenance.git_dirty else "")


def _name(name: str) -> str:
    plain = _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS
    return name if plain else json.dumps(name)


def _number(value: float | None) -> str:
    """Without an exponent, which YAML 1.1 takes for text where there is no dot."""
    return "-" if value is None else f"{Decimal(repr(value)).normalize():f}"


def _short(value: float) -> str:
    """Four digits: enough to compare, not more than is known."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
