"""Annotations of a GitHub Actions run, as workflow commands on standard output.

The commands and how they are escaped:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands and, for the
characters, `escapeData` and `escapeProperty` in packages/core/src/command.ts of actions/toolkit.
"""

from collections.abc import Iterable, Sequence

from evals.gate.thresholds import Thresholds
from reports.ci.findings import Level, findings
from reports.scorecard.scorecard import Scorecard
from reports.scorecard.task_record import Seen
from reports.text.safe_terminal import plain

#: So many of each kind GitHub shows of a step, and drops the rest without a word.
SHOWN = 10
_LEVELS: Sequence[Level] = ("error", "warning")


def annotations(card: Scorecard, thresholds: Thresholds, seen: Iterable[Seen] = ()) -> list[str]:
    """A line for each broken limit (error), and each undecided or missing one (warning).

    The worst come first; where there are more than GitHub shows, the last line of the kind says
    how many more. thresholds, seen: as for `findings`.
    """
    found = findings(card, thresholds, seen)
    lines = []
    for level in _LEVELS:
        own = [f for f in found if f.level == level]
        shown = own if len(own) <= SHOWN else own[: SHOWN - 1]
        lines += [command(level, f"Model Lab: {f.title}", f.message) for f in shown]
        if more := len(own) - len(shown):
            what = "errors" if level == "error" else "warnings"
            lines.append(command(level, "Model Lab", f"{more} more {what}: see the scorecard"))
    return lines


def command(level: Level, title: str, message: str) -> str:
    """One workflow command. Neither text can end it, begin another one or add a property."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return plain(text, keep="\r\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
