"""Reading the scorecard of a run that is over."""

from __future__ import annotations

import math
from pathlib import Path

from evals.metrics import METRICS
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard


class RunError(ValueError):
    """A run's file is not what it should be; the message names the file and the key."""


def read_run(folder: Path) -> Scorecard:
    """A run's scorecard. Raises RunError, naming file and key, for one that cannot be used."""
    path = folder / scorecard.FILE_NAME
    try:
        card = scorecard.read(path)
    except UnicodeDecodeError:
        raise RunError(f"{path}: not UTF-8 text") from None
    except ValueError as error:
        raise RunError(str(error)) from None
    models = {record.name for record in card.models}
    seen: dict[tuple[str, ...], int] = {}
    for index, m in enumerate(card.measurements):
        at = f"{path}: measurements.{index}"
        if m.metric not in METRICS:
            raise RunError(
                f"{at}.metric: unknown metric {m.metric!r}; if it is your own, name its file: "
                "python -m reports --plugin-file FILE ..."
            )
        if m.model not in models:
            raise RunError(f"{at}.model: {m.model!r} is not among the scorecard's models")
        for key, values in (("value", [m.value]), ("ci", m.ci or ())):
            if any(x is not None and not math.isfinite(x) for x in values):
                raise RunError(f"{at}.{key}: not a finite number")
        row = (m.model, m.task, m.corpus, m.metric, m.slice, m.normalizer or "")
        if row in seen:
            raise RunError(f"{at}: the same figure as measurements.{seen[row]}")
        seen[row] = index
    for index, record in enumerate(card.models):
        if record.tier not in ("production", "candidate", "baseline"):
            raise RunError(f"{path}: models.{index}.tier: unknown tier {record.tier!r}")
    return card
