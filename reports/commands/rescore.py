"""`python -m reports rescore RUN`: grades and verdicts anew, without running a model."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from adapters.catalog.yaml_file import ConfigError
from evals.gate.baseline import BaselineError
from evals.gate.limit_files import KEPT
from evals.measures import metric_text
from evals.records.measurement import Measurement
from reports.build.rescore import NotRescored, rescore
from reports.commands.held_to import add_options, held_to
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Cost, Scorecard
from reports.text.safe_terminal import by_lines


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `rescore` to the commands of `python -m reports`."""
    command = subparsers.add_parser(
        "rescore",
        help="score a run's predictions again, after thresholds or metrics changed",
        description="Writes the run's scorecard.json anew and keeps the former one beside it, as "
        "scorecard.1.json and so on; a page of the run is made anew too. Exit status: 0 where "
        "every limit is kept, 1 where one is broken, the run was interrupted or cannot be scored, "
        "2 for wrong arguments.",
    )
    command.add_argument("folder", metavar="RUN", help="a run's folder, such as runs/latest")
    add_options(
        command,
        gate="as the run was",
        thresholds="thresholds.yaml",
        baseline="what the run was compared with",
        hardware="as the run was",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what would change and write nothing"
    )
    command.set_defaults(run=_rescore)


def _rescore(options: argparse.Namespace) -> int:
    run = Path(options.folder)
    try:
        held = held_to(options)
        limits = held.limits()
        before = scorecard.read(run / scorecard.FILE_NAME)
        if not options.baseline and before.baseline:
            theirs = (before.provenance.options or {}).get("map") or ()
            held = replace(held, baseline=before.baseline, renamed=held.renamed or tuple(theirs))
        baseline = held.opened_baseline()
        if before.baseline and not options.baseline and Path(before.baseline).parent.is_symlink():
            raise BaselineError(
                f"{before.baseline}: what that was for the run, such as the latest one, may be "
                "another run by now: name the one to be no worse than"
            )
        card, broken = rescore(
            run,
            limits,
            gate=options.gate,
            baseline=baseline,
            prices=held.opened_prices(),
            hardware=options.hardware,
        )
    except BaselineError as error:
        print(by_lines(f"--baseline: {error}"), file=sys.stderr)
        return 1
    except (NotRescored, ConfigError, ValueError, OSError) as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 1
    held_by = before.rescored or before.provenance
    if card.rescored is not None and card.rescored.thresholds_sha256 != held_by.thresholds_sha256:
        print(f"limits: {limits.names}, which are not those that the run was held to")
    for line in _changes(before, card):
        print(by_lines(line))
    for text in broken:
        print(by_lines(text))
    if not options.dry_run:
        number = _free(run)
        for name in (scorecard.FILE_NAME, KEPT):
            former = run / name
            if former.is_file():  # copied, so that there is one at any time
                shutil.copy2(former, former.with_suffix(f".{number}{former.suffix}"))
        print(f"{scorecard.write(card, run)}: written anew")
        (run / KEPT).write_bytes(limits.content)
        _write_page(run, audio="--report-audio" in card.provenance.command_line)
    for problem in card.run.problems:
        print(by_lines(problem))
    if not card.run.complete:
        print(f"the run was interrupted (exit status {card.run.exit_status}), so it is no pass")
    return 1 if card.run.exit_status else 0


def _write_page(run: Path, *, audio: bool) -> None:
    """Make the run's page anew, where it has one: it would go on showing the former verdicts."""
    from reports.page.errors.audio_clips import near
    from reports.page.scorecard_page import FILE_NAME, write_page  # brings a template engine

    if (run / FILE_NAME).exists():
        try:
            print(f"{write_page(run, audio=audio, audio_roots=near())}: written anew")
        except Exception as error:  # as in a session, failing at it changes no verdict
            said = f"{type(error).__name__}: {error}"
            said = f"{run / FILE_NAME}: shows the former figures still ({said})"
            print(by_lines(said), file=sys.stderr)


def _free(run: Path) -> int:
    """An unused number for the former scorecard, and for the limits that it was held to."""
    number = 1
    while (run / f"scorecard.{number}.json").exists():
        number += 1
    return number


def _changes(before: Scorecard, after: Scorecard) -> list[str]:
    """A line for each figure, verdict and grade that has changed."""

    def by_key(card: Scorecard) -> dict[tuple[str, ...], Measurement]:
        return {
            (m.model, m.task, m.corpus, m.metric, m.slice, m.normalizer or ""): m
            for m in card.measurements
        }

    old, new = by_key(before), by_key(after)
    lines = []
    for key in [*old, *(key for key in new if key not in old)]:
        was, now = old.get(key), new.get(key)
        if was is None or now is None or (was.value, was.verdict) != (now.value, now.verdict):
            name = (now or was or new[key]).key
            lines.append(f"{key[0]} {key[1]} {key[2]} {name}: {_said(was)} -> {_said(now)}")
    grades = {grade.model: grade for grade in before.grades}
    for grade in after.grades:
        former = grades.get(grade.model)
        if former is None or (former.grade, former.gate) != (grade.grade, grade.gate):
            was_said = f"{former.grade or '-'} ({former.gate})" if former else "none"
            lines.append(f"{grade.model} grade: {was_said} -> {grade.grade or '-'} ({grade.gate})")
    spent = {(c.model, c.task, c.corpus): c for c in before.costs}
    for now_spent in after.costs:
        past = spent.get((now_spent.model, now_spent.task, now_spent.corpus))
        if past is None or _price(past) != _price(now_spent):
            was_spent = _price(past) if past else "none"
            where = f"{now_spent.model} {now_spent.task} {now_spent.corpus} cost per audio hour"
            lines.append(f"{where}: {was_spent} -> {_price(now_spent)}")
    if before.recommendation.model != after.recommendation.model:
        was_best, best = before.recommendation.model, after.recommendation.model
        lines.append(f"recommended: {was_best or 'none'} -> {best or 'none'}")
    return lines or ["no figure, verdict or grade has changed"]


def _price(cost: Cost) -> str:
    value = "none" if cost.per_audio_hour is None else f"{cost.per_audio_hour:.4g} {cost.currency}"
    return f"{value} ({cost.hardware}, {cost.source})"


def _said(m: Measurement | None) -> str:
    if m is None:
        return "none"
    value = "no value" if m.value is None else metric_text.value(m.metric, m.value)
    return f"{value} ({m.verdict.replace('_', ' ')})"
