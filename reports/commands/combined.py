"""What `merge` and `join` share: a new run of several is scored, written and shown."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adapters.catalog.yaml_file import ConfigError
from evals.gate import thresholds as thresholds_file
from evals.gate.baseline import Baseline, BaselineError, find
from evals.gate.thresholds import Gate
from evals.run.folder import point_latest
from reports.build.rescore import NotRescored, rescore
from reports.scorecard import cost, scorecard
from reports.scorecard.scorecard import Scorecard
from reports.terminal import summary
from reports.terminal.grid import terminal_width
from reports.text.safe_terminal import by_lines


@dataclass(frozen=True)
class Judged:
    """How a new run is held to limits. thresholds: the file. gate: None is that of the run."""

    thresholds: Path
    gate: Gate | None
    baseline: str | None
    prices: Path
    hardware: str | None


def add_options(
    command: argparse.ArgumentParser, *, gate: str, thresholds: str, baseline: str
) -> None:
    """The options of a command that makes a run of several.

    gate, thresholds, baseline: what stands in for each where it is not given, in words.
    """
    command.add_argument(
        "--runs-dir", metavar="PATH", default="runs", help="where the run goes (default: runs/)"
    )
    command.add_argument(
        "--thresholds", metavar="PATH", help=f"the limits to hold it to (default: {thresholds})"
    )
    command.add_argument(
        "--gate",
        choices=("tier", "production", "off"),
        help=f"as for pytest (default: {gate})",
    )
    command.add_argument(
        "--baseline", metavar="RUN|NAME", help=f"what to be no worse than (default: {baseline})"
    )
    command.add_argument(
        "--prices",
        metavar="PATH",
        default=str(cost.DEFAULT),
        help="what hardware and APIs cost (default: reports/scorecard/prices.yaml)",
    )
    command.add_argument("--hardware", metavar="NAME", help="the row of the prices")


def judged(options: argparse.Namespace) -> Judged:
    """The values of what `add_options` added."""
    return Judged(
        Path(options.thresholds or thresholds_file.DEFAULT),
        options.gate,
        options.baseline,
        Path(options.prices),
        options.hardware,
    )


def combine(make: Callable[[], Path], held: Judged) -> int:
    """Make a run, score it, write its scorecard and page, and show them; the exit status.

    make: puts the run together, without figures, and raises ValueError where it cannot.
    """
    try:
        thresholds = thresholds_file.load(held.thresholds)
        baseline = Baseline(find(held.baseline)) if held.baseline else None
        prices = cost.load(held.prices)
        prices.check(held.hardware)
        run = make()
        try:
            card, broken = rescore(
                run,
                thresholds,
                held.thresholds,
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
    point_latest(run)
    color = sys.stdout.isatty()
    width = terminal_width(is_terminal=color)
    shown = summary.render(card, thresholds, path, width=width, color=color)
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
