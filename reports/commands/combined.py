"""What `merge` and `join` share: a new run of several is scored, written and shown."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from adapters.catalog.yaml_file import ConfigError
from evals.gate.baseline import BaselineError
from evals.gate.limit_files import KEPT
from evals.run.folder import point_latest
from reports.build.rescore import NotRescored, rescore
from reports.commands.held_to import HeldTo
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard
from reports.terminal import summary
from reports.terminal.grid import terminal_width
from reports.text.safe_terminal import by_lines


def add_runs_dir(command: argparse.ArgumentParser) -> None:
    """Add the option that says where the new run goes."""
    command.add_argument(
        "--runs-dir", metavar="PATH", default="runs", help="where the run goes (default: runs/)"
    )


def combine(make: Callable[[], Path], held: HeldTo) -> int:
    """Make a run, score it, write its scorecard and page, and show them; the exit status.

    make: puts the run together, without figures, and raises ValueError where it cannot.
    """
    try:
        limits = held.limits()
        baseline = held.opened_baseline()
        prices = held.opened_prices()
        run = make()
        try:
            card, broken = rescore(
                run,
                limits,
                gate=held.gate,
                baseline=baseline,
                prices=prices,
                hardware=held.hardware,
            )
        except BaseException:
            shutil.rmtree(run, ignore_errors=True)  # without figures it would look like a pass
            raise
    except BaselineError as error:
        print(by_lines(f"--baseline: {error}"), file=sys.stderr)
        return 1
    except (NotRescored, ConfigError, ValueError, OSError) as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 1
    card = _as_its_own(card)
    path = scorecard.write(card, run)
    (run / KEPT).write_bytes(limits.content)
    point_latest(run)
    color = sys.stdout.isatty()
    width = terminal_width(is_terminal=color)
    shown = summary.render(card, limits.thresholds, path, width=width, color=color)
    print(shown, end="")
    _write_page(run)
    for text in (*broken, *card.run.problems, *(f"Note: {note}" for note in card.run.notes)):
        print(by_lines(text))
    return 1 if card.run.exit_status else 0


def _as_its_own(card: Scorecard) -> Scorecard:
    """The scorecard as the run's first one: it is not marked as rescored."""
    provenance = card.provenance.model_copy(
        update={"thresholds_sha256": card.rescored.thresholds_sha256} if card.rescored else {}
    )
    return card.model_copy(update={"rescored": None, "provenance": provenance})


def _write_page(run: Path) -> None:
    from reports.page.scorecard_page import write_page  # brings a template engine

    try:
        print(f"Page: {write_page(run)}")
    except Exception as error:  # as in a session, failing at it changes no verdict
        said = f"Page: could not be written ({type(error).__name__}: {error})"
        print(by_lines(said), file=sys.stderr)
