"""What follows a recommendation in the terminal: other uses, what to run, licence, cost."""

from __future__ import annotations

from collections.abc import Sequence

from reports.scorecard.licences import flags
from reports.scorecard.scorecard import Cost, Recommendation, Scorecard

#: So many runs are named; the page has all.
_RUNS = 2


def decision_lines(card: Scorecard) -> Sequence[str]:
    """Few lines: other uses only where their answer is another, cost only where there is one."""
    first = card.recommendation
    runs = first.to_run[:_RUNS]
    lines = [f"To run: {run}" for run in runs]
    for use in card.recommendations:
        if (use.use_case, use.task) == (first.use_case, first.task):
            continue
        if use.model != first.model or use.task != first.task:
            lines.append(f"For {use.use_case}: {use.model or f'none, {_why_none(use, runs)}'}")
    records = {model.name: model for model in card.models}
    chosen = dict.fromkeys(r.model for r in (first, *card.recommendations) if r.model)
    for name in chosen:
        licence = records[name].licence if name in records else None
        if said := "; ".join(flags(licence)):
            lines.append(f"Licence of {name}{f' ({licence})' if licence else ''}: {said}")
    if cost := _cost(card):
        lines.append(cost)
    return lines


def _why_none(use: Recommendation, named: Sequence[str]) -> str:
    if use.to_run:
        return "to run: as above" if use.to_run[0] in named else f"to run: {use.to_run[0]}"
    best = use.candidates[0] if use.candidates else None
    return f"{best.model}: {best.rejected[0]}" if best and best.rejected else use.reason


def _cost(card: Scorecard) -> str | None:
    """Of the model that is recommended first, on the corpus on which it costs the most."""
    first = card.recommendation
    rows: list[tuple[float, Cost]] = [
        (c.per_audio_hour, c)
        for c in card.costs
        if c.model == first.model and c.task == first.task and c.per_audio_hour is not None
    ]
    if not rows:
        return None
    price, cost = max(rows, key=lambda row: row[0])
    most = "at most " if cost.conditions else ""
    text = f"Cost: {most}{price:.2g} {cost.currency} per hour of audio"
    if cost.price_per_hour is not None and cost.utilisation is not None:
        text += (
            f" ({cost.hardware} at {cost.price_per_hour:g} {cost.currency} per hour, "
            f"{cost.utilisation:.0%} in use"
        )
    else:
        text += f" ({cost.hardware} by the minute"
    return f"{text}; {cost.source})"
