"""How the models stood in each recommendation: what they leave of the limits that are weighed."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.page.charts import svg
from reports.page.charts.labels import BROKEN, named
from reports.page.charts.row import RIGHT, ROW, named_row, start_of
from reports.page.charts.scales import Scale, bottom_axis, linear
from reports.scorecard.scorecard import Candidate, Recommendation, Scorecard

_LANE = 6.0
#: How dark the lanes are, from the top; further ones are like the last.
_TINTS = (0.95, 0.55, 0.3)


def scores(card: Scorecard) -> list[Markup]:
    """For each use a bar for each part and a line at the score; nothing where none was weighed."""
    uses = [(f"/recommendations/{i}", use) for i, use in enumerate(card.recommendations)]
    order = [m.name for m in card.models]
    return [
        _draw(key, use, order)
        for key, use in uses or [("/recommendation", card.recommendation)]
        if any(c.parts for c in use.candidates)
    ]


def _draw(key: str, use: Recommendation, order: Sequence[str]) -> Markup:
    place = {name: i for i, name in enumerate(order)}
    candidates = sorted(
        enumerate(use.candidates), key=lambda pair: place.get(pair[1].model, len(place))
    )
    left = start_of((c.model for c in use.candidates), bold=True)  # the chosen one is
    scale = linear([0.0, 1.0], left, RIGHT, most=4)
    metrics = list(dict.fromkeys(m for c in use.candidates for m in c.parts))
    height = max(ROW, _LANE * len(metrics) + 8)
    drawn: list[Markup] = []
    top = y = _lanes_legend(drawn, metrics, scale.start, 4.0)
    for i, candidate in candidates:
        drawn.append(_row(f"{key}/candidates/{i}", use, candidate, metrics, scale, y, height))
        y += height
    axis = bottom_axis(scale, top, y, lambda v: f"{v:.2g}")
    remark = f"{use.use_case}: the part of each limit that is left, line: weighted score"
    notes = (
        [f"Outlined, {BROKEN}: may not be recommended."]
        if any(c.rejected for _, c in candidates)
        else []
    )
    label = f"Scores ({remark}). " + ". ".join(_title(use, c) for _, c in candidates)
    return svg.figure("Scores", remark, svg.picture(y + 20, label, *axis, *drawn), *notes)


def _row(
    key: str,
    use: Recommendation,
    candidate: Candidate,
    metrics: Sequence[str],
    scale: Scale,
    y: float,
    height: float,
) -> Markup:
    """A candidate: its name, a lane for each part, its score."""
    middle = y + height / 2
    chosen = candidate.model == use.model
    parts: list[Markup] = []
    top = middle - _LANE * len(metrics) / 2
    for lane, metric in enumerate(metrics):
        if metric not in candidate.parts:
            continue
        left = candidate.parts[metric]
        title = (
            f"{candidate.model}, {use.use_case}: {left:.2f} of the limit of {named(metric)} left"
        )
        place = scale(left)
        bar = svg.rect(
            scale.start, top + lane * _LANE + 1, place - scale.start, _LANE - 2, class_="part",
            **_paint(lane, bool(candidate.rejected)),
        )  # fmt: skip
        parts.append(svg.keyed(f"{key}/parts/{metric}", title, bar))
    score = candidate.score
    if score is not None:
        x = scale(score)
        bottom = top + _LANE * len(metrics) + 1
        parts.append(svg.line(x, top - 1, x, bottom, stroke=svg.INK, stroke_width=2.2))
    return named_row(
        f"{key}/score",
        _title(use, candidate),
        candidate.model,
        scale,
        y,
        *parts,
        height=height,
        value="none" if score is None else f"{score:.2f}",
        mark=BROKEN if candidate.rejected and score is not None else "",
        fill=svg.MUTED if score is None else svg.INK,
        bold=chosen and score is not None,
        bold_name=chosen,
    )


def _lanes_legend(drawn: list[Markup], metrics: Sequence[str], left: float, y: float) -> float:
    """The lanes' names, from the top down as the lanes are; where the rows begin."""
    for lane, metric in enumerate(metrics):
        drawn.append(svg.rect(left, y + 5, 14, _LANE - 2, **_paint(lane, False)))
        label = svg.shorten(named(metric), svg.WIDTH - left - 20, svg.SMALL)
        drawn.append(svg.text(left + 19, y + 11, label, fill=svg.MUTED))
        y += 14
    return y + 4


def _paint(lane: int, outlined: bool) -> dict[str, object]:
    tint = _TINTS[min(lane, len(_TINTS) - 1)]
    if outlined:
        return {
            "fill": svg.ACCENT,
            "fill_opacity": 0.08,
            "stroke": svg.ACCENT,
            "stroke_opacity": tint,
        }
    return {"fill": svg.ACCENT, "fill_opacity": tint}


def _title(use: Recommendation, candidate: Candidate) -> str:
    score = "no score" if candidate.score is None else f"score {candidate.score:.2f}"
    chosen = ", recommended" if candidate.model == use.model else ""
    why = f"; rejected: {'; '.join(candidate.rejected)}" if candidate.rejected else ""
    return f"{candidate.model}, {use.use_case}: {score}{chosen}{why}"
