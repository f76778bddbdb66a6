"""The smallest changes that turn a recommendation round, each tried before it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from evals.gate.verdict import breaks, decide
from evals.records.measurement import Bound, Figure, Limit, Measurement
from reports.recommendation.eligibility import TIE, Contest, Key, Standing, best, weigh, worst_end
from reports.text.outward import outward

#: A weight that would have to be more than so many times another is no answer that anyone gives.
FURTHEST = 100.0
#: A model that more limits than these keep out is not nearly in.
MOST_LIMITS = 3
#: So near to a weight, as a part of it, no other one is looked for.
_PAST = 1e-7
_IDEAL = {"max": 0.0, "min": 1.0}


@dataclass(frozen=True, slots=True)
class WeightFlip:
    """Past this weight of one metric, the others as they are, another model wins."""

    key: str
    weight: float
    above: bool
    winner: str


@dataclass(frozen=True, slots=True)
class LimitFlip:
    """Limits that are all that keeps a model out, and who wins once it is in.

    values: the nearest to the present limits that let the model in, rounded away from these.
    present: the source and value of each limit that one of the values replaces.
    """

    values: Mapping[Key, float]
    present: Mapping[Key, Sequence[tuple[str, float]]]
    lets_in: str
    winner: str

    @property
    def change(self) -> float:
        """How far the limits move, each as a part of what it is; infinite from 0."""
        return sum(
            max(abs(value - now) / abs(now) if now else math.inf for _, now in self.present[key])
            for key, value in self.values.items()
        )


@dataclass(frozen=True, slots=True)
class Brink:
    """The limit that a winner is nearest to: past this value it is out, and who wins then."""

    key: Key
    value: float
    present: Limit
    winner: str | None


def weight_flips(fit: Sequence[Standing], held: Contest) -> list[WeightFlip]:
    """For each weight the nearest change that makes another model win, the smallest first.

    fit: in the catalogue's order. A score is a weighted mean, so that one model is TIE ahead of
    another where sum(w * (d - TIE)) = 0 over the metrics, d being the difference of their
    parts. That is linear in each weight, hence solved exactly. The winner can change at such a
    weight only, of any two models; it is tried just past each.
    """
    if len(fit) < 2:
        return []
    present = best(fit).model
    flips = []
    for key, weight in held.weights.items():
        near = [e for e in _edges(fit, held, key) if 1 / FURTHEST <= e / weight <= FURTHEST]
        up = sorted(e for e in near if e > weight)
        down = sorted((e for e in near if e < weight), reverse=True)
        for above, side in ((True, up), (False, down)):
            found = (WeightFlip(key, e, above, _past(fit, held, key, e, above)) for e in side)
            flips += [*islice((flip for flip in found if flip.winner != present), 1)]
    return sorted(flips, key=lambda f: abs(math.log(f.weight / held.weights[f.key])))


def limit_flips(standings: Sequence[Standing], held: Contest) -> list[LimitFlip]:
    """For each model that nothing but limits keeps out: which would let it in, and who wins.

    Those that make another win come first, the smallest change first. A model with a
    failed test counts only where the test failed by those limits.
    """
    flips = []
    for standing in standings:
        at_limits = [p for p in standing.problems if p.kind in ("broken", "unclear")]
        rest = {p.kind for p in standing.problems} - {"broken", "unclear", "failed"}
        keys = dict.fromkeys(p.key for p in at_limits if p.key is not None)
        if not keys or len(keys) > MOST_LIMITS or rest or not failed_by(standing, held, {*keys}):
            continue
        flip = _limit_flip(standing.model, list(keys), held)
        if flip is not None:
            flips.append(flip)
    present = winner_of(standings)
    return sorted(flips, key=lambda f: (f.winner == present, f.change))


def brink(winner: Standing, held: Contest) -> Brink | None:
    """The limit, of those above 0, that has to move the least to put the winner out."""
    nearest: tuple[float, Key, float, Limit] | None = None
    for key, limits in held.limits.items():
        _, limit = decide(Figure(None, 0), limits)
        rows = _rows(winner.model, key, held)
        if limit is None or limit.value <= 0 or not rows:
            continue
        end = _worst(rows, limit.bound)
        change = abs(limit.value - end) / limit.value
        # Where the worst end is as good as it gets, no limit can ask for more.
        if end != _IDEAL[limit.bound] and (nearest is None or change < nearest[0]):
            nearest = change, key, end, limit
    if nearest is None:
        return None
    _, key, end, limit = nearest
    value = outward(end, up=limit.bound == "min", digits=3)
    past = value * (1 - 1e-6 if limit.bound == "max" else 1 + 1e-6)
    standings = held.tightened(key, past).standings()
    if winner_of(standings) == winner.model:
        return None
    return Brink(key, value, limit, winner_of(standings))


def failed_by(standing: Standing, held: Contest, keys: set[Key]) -> bool:
    """Whether no test of it failed, or nothing but these figures can have made it fail."""
    if standing.model not in held.failed:
        return True
    broken = {
        (m.task, m.key)
        for m in held.rows
        if m.model == standing.model and m.gated and breaks(m.verdict, inconclusive_fails=True)
    }
    return bool(broken) and broken <= keys


def winner_of(standings: Sequence[Standing]) -> str | None:
    """Who is recommended, if anyone."""
    fit = [s for s in standings if not s.problems]
    return best(fit).model if fit else None


def told_weight(flip: WeightFlip, fit: Sequence[Standing], held: Contest) -> str:
    """The weight in as few digits as still make the same model win."""
    for digits in (2, 3, 4, 6, 9):
        weight = outward(flip.weight, up=flip.above, digits=digits)
        if _past(fit, held, flip.key, weight, flip.above) == flip.winner:
            return f"{weight:.{digits}g}"
    return repr(flip.weight)


def _past(fit: Sequence[Standing], held: Contest, key: str, weight: float, above: bool) -> str:
    """Who wins just past a weight: at it, either may."""
    past = weight * (1 + _PAST if above else 1 - _PAST)
    return best(fit, {**held.weights, key: past}).model


def _edges(fit: Sequence[Standing], held: Contest, key: str) -> list[float]:
    """The weights of a metric at which one model is TIE ahead of another."""
    edges = []
    for one in fit:
        for other in fit:
            ahead = {k: other.parts[k] - one.parts[k] - TIE for k in held.weights}
            rest = sum(w * ahead[k] for k, w in held.weights.items() if k != key)
            if one is not other and ahead[key]:
                edges.append(-rest / ahead[key])
    return [edge for edge in edges if edge > 0]


def _limit_flip(model: str, keys: Sequence[Key], held: Contest) -> LimitFlip | None:
    for digits in (3, 5, 9):
        values = {}
        for key in keys:
            bound = held.limits[key][0].bound
            end = _worst(_rows(model, key, held), bound)
            values[key] = outward(end, up=bound == "max", digits=digits)
        standings = held.relaxed(values, model).standings()
        winner = winner_of(standings)
        if winner is not None and not next(s for s in standings if s.model == model).problems:
            present = {
                key: [(m.source, m.value) for m in held.limits[key] if not m.keeps(values[key])]
                for key in keys
            }
            return LimitFlip(values, present, model, winner)
    return None


def _rows(model: str, key: Key, held: Contest) -> Sequence[Measurement]:
    return [
        m for m in held.rows if m.model == model and (m.task, m.key) == key and m.value is not None
    ]


def _worst(rows: Sequence[Measurement], bound: Bound) -> float:
    ends = [worst_end(m, bound) for m in rows]
    return max(ends) if bound == "max" else min(ends)


def would_win(standing: Standing, fit: Sequence[Standing], held: Contest) -> bool:
    """Whether it would be recommended if it had no problem; yes where its score is not known."""
    if standing.score is None:
        return True
    order = {model: place for place, model in enumerate(held.models)}
    free = replace(standing, problems=())
    field = sorted([*fit, free], key=lambda s: order[s.model])
    return best(field).model == standing.model


def share_of_lead(first: Standing, second: Standing, held: Contest) -> list[tuple[str, float]]:
    """How much of the difference of two scores each metric makes, the most first.

    weight * (part - part) / sum of the weights: they add up to the difference.
    """
    total = sum(held.weights.values())
    shares = [(k, w * (first.parts[k] - second.parts[k]) / total) for k, w in held.weights.items()]
    return sorted(shares, key=lambda share: -share[1])


def lead(first: Standing, second: Standing, held: Contest) -> float:
    """The difference of two scores."""
    return weigh(first.parts, held.weights) - weigh(second.parts, held.weights)
