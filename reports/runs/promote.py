"""Making a finished run the baseline of a name."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.catalog.catalog import NAME
from evals.gate.baseline import FOLDER
from reports.scorecard import scorecard


class NotPromoted(ValueError):
    """A run cannot be a baseline; the message says why."""


def promote(run: Path, name: str, folder: Path = Path(FOLDER)) -> Path:
    """Copy a run's scorecard and predictions to `baselines/<name>`, in place of what is there.

    Raises NotPromoted for a run that failed, was interrupted, or compares on other terms.
    """
    if not NAME.fullmatch(name):
        raise NotPromoted(f"{name!r}: a name has letters, digits, '.', '_' and '-' only")
    try:
        card = scorecard.read(run / scorecard.FILE_NAME)
    except ValueError as error:
        raise NotPromoted(str(error)) from None
    if not card.run.complete:
        raise NotPromoted(f"{run}: the run was interrupted; finish it first")
    if card.run.exit_status != 0:
        raise NotPromoted(
            f"{run}: the run failed (exit status {card.run.exit_status}), and what failed is no "
            "standard for others"
        )
    if card.run.gate == "off":
        raise NotPromoted(f"{run}: the run was held to no gate (--gate off)")
    target = folder / name
    scratch = folder / f".{name}.new"
    shutil.rmtree(scratch, ignore_errors=True)
    # Links stay links: what they lead to is no part of the run.
    shutil.copytree(run, scratch, symlinks=True, ignore=shutil.ignore_patterns("*.log", ".*.lock"))
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    return target
