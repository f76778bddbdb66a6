"""The options that say what a run is held to, as the commands of `python -m reports` share them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from evals.gate.baseline import Baseline, find, renamed_models
from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import Gate
from reports.scorecard import cost
from reports.scorecard.cost import Prices


@dataclass(frozen=True)
class HeldTo:
    """How a run is held to limits; None is what the command says of it.

    thresholds: files, the last on top. renamed: values of `--map`.
    """

    thresholds: tuple[str, ...]
    gate: Gate | None
    baseline: str | None
    renamed: tuple[str, ...]
    prices: Path
    hardware: str | None

    def limits(self) -> LimitFiles:
        """Raises ConfigError."""
        return LimitFiles(*self.thresholds)

    def opened_baseline(self) -> Baseline | None:
        """Raises BaselineError."""
        renamed = renamed_models(self.renamed)
        return Baseline(find(self.baseline), renamed) if self.baseline else None

    def opened_prices(self) -> Prices:
        """With the hardware that is named among them. Raises ConfigError, ValueError."""
        prices = cost.load(self.prices)
        prices.check(self.hardware)
        return prices


def add_thresholds(command: argparse.ArgumentParser, meaning: str) -> None:
    """Add `--thresholds`, of which `limits_of` makes the limits."""
    command.add_argument(
        "--thresholds",
        action="append",
        metavar="PATH",
        default=[],
        help=f"{meaning}; repeatable, each on top of the one before",
    )


def limits_of(options: argparse.Namespace) -> LimitFiles:
    """The limits that `--thresholds` names. Raises ConfigError."""
    return LimitFiles(*options.thresholds)


def add_options(
    command: argparse.ArgumentParser, *, gate: str, thresholds: str, baseline: str, hardware: str
) -> None:
    """Add all of them. gate, ...: what stands in for each where it is not given, in words."""
    add_thresholds(command, f"the limits to hold it to (default: {thresholds})")
    command.add_argument(
        "--gate",
        choices=("tier", "production", "off"),
        help=f"as for pytest (default: {gate})",
    )
    command.add_argument(
        "--baseline", metavar="RUN|NAME", help=f"what to be no worse than (default: {baseline})"
    )
    command.add_argument(
        "--map",
        action="append",
        metavar="OLD=NEW",
        default=[],
        help="hold the model NEW to the model OLD of the baseline; repeatable",
    )
    command.add_argument(
        "--prices",
        metavar="PATH",
        default=str(cost.DEFAULT),
        help="what hardware and APIs cost (default: reports/scorecard/prices.yaml)",
    )
    command.add_argument(
        "--hardware", metavar="NAME", help=f"the row of the prices (default: {hardware})"
    )


def held_to(options: argparse.Namespace) -> HeldTo:
    """The values of what `add_options` added."""
    return HeldTo(
        tuple(options.thresholds),
        options.gate,
        options.baseline,
        tuple(options.map),
        Path(options.prices),
        options.hardware,
    )
