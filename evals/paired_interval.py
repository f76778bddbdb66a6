"""The interval of a paired difference: Student's t over clusters, with honest degrees of freedom.

Two models answer the same utterances, so the changes of one utterance are one number and what
is hard for both cancels. The standard error is that of a ratio of sums over independent clusters
(speakers where they are known), by linearization. Three things keep it honest:

- Clusters of unequal size: each squared residual is divided by 1 - its share of the words, and
  the degrees of freedom are Satterthwaite's for that (Bell and McCaffrey 2002, "CR2").
- Few clusters that differ: k of them have k - 1 degrees of freedom, however many agree. For
  changes of one size this rejects where the exact sign test of k changes does.
- Few differing utterances: never narrower than the changes that chance may have kept out of the
  sample (the rule of three), and never a difference that the sign test cannot show.

Nothing is drawn: the ends depend on neither a seed nor the order of the utterances. The figures
that this method was chosen by are in docs/statistics.md, from tests/benchmarks/regression_gate.py.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.student_t import student_quantile

CONFIDENCE = 0.95
#: With fewer utterances no margin is kept or broken, whatever they say.
FEWEST_UTTERANCES = 3
#: With fewer clusters the utterances are the clusters: so few say nothing of how others vary.
FEWEST_CLUSTERS = 5
#: Size of a change that was not seen, in average utterances: a word of four, or three of ten.
_UNSEEN_SHARE = 0.25
#: What that guess counts for among the changes that were seen.
_UNSEEN_WEIGHT = 0.5
#: A handful of changed clusters says a little of its spread at least; with 1 degree, t is 12.7.
_LEAST_DEGREES = 3.0
#: Degrees beyond this change nothing that is printed.
_MOST_DEGREES = 1_000

Floats = NDArray[np.float64]


def difference_interval(
    changes: Floats,
    denominators: Floats,
    clusters: Sequence[Hashable] | None = None,
    *,
    least: float = 0.0,
    confidence: float = CONFIDENCE,
) -> tuple[float, float] | None:
    """Interval of sum(changes) / sum(denominators), as far on either side.

    changes: shape (n,), what each utterance has more than in the other of its pair.
    denominators: shape (n,), not negative, such as the words of each reference.
    clusters: shape (n,), whose utterance each is; None, or fewer than FEWEST_CLUSTERS
    different ones, takes utterances for independent.
    least: the smallest change there can be: 1 where changes are counts.
    None for fewer than two utterances, or denominators that sum to 0. Else it has a width
    always; with fewer than FEWEST_UTTERANCES it holds 0 and more than any margin.
    """
    changes, denominators = np.asarray(changes, float), np.asarray(denominators, float)
    n, whole = len(changes), float(denominators.sum())
    if n < 2 or whole <= 0:
        return None
    value = float(changes.sum()) / whole
    half = max(
        _student_half(*_summed(changes, denominators, clusters), confidence),
        _unseen_half(changes, whole, least, confidence),
    )
    if differing := int(np.count_nonzero(changes)):
        # k changes point one way by chance with 2^-k: fewer than six must reach past 0.
        half = max(half, abs(value) * _unseen_count(confidence) / (differing * math.log(2)))
    if n < FEWEST_UTTERANCES:
        # The rule of three alone is more than all words of both utterances.
        half += abs(value) + _unseen_count(confidence) / n
    return value - half, value + half


def _summed(
    changes: Floats, denominators: Floats, clusters: Sequence[Hashable] | None
) -> tuple[Floats, Floats]:
    """Both over clusters, in an order that does not depend on that of the utterances."""
    if clusters is not None and len(names := dict.fromkeys(clusters)) >= FEWEST_CLUSTERS:
        index = {name: i for i, name in enumerate(names)}
        members = np.array([index[cluster] for cluster in clusters])
        changes, denominators = (np.bincount(members, weights=c) for c in (changes, denominators))
    order = np.lexsort((denominators, changes))
    return changes[order], denominators[order]


def _student_half(changes: Floats, denominators: Floats, confidence: float) -> float:
    """Half of Student's interval over independent units, shape (units,) each."""
    whole = float(denominators.sum())
    share = denominators / whole
    # One with all words has no residual; bounded, since squares of the inverse are subtracted.
    rest = np.maximum(1 - share, 1e-3)
    residuals = changes - share * float(changes.sum())
    error = math.sqrt(float((residuals**2 / rest).sum())) / whole
    leverage = share**2 / rest
    # 2 E[V]^2 / Var[V] of the variance V above, for words that are independent: with equal
    # shares it is units - 1.
    degrees = 1 / float((share**2).sum() + leverage.sum() ** 2 - (leverage**2).sum())
    differing = int(np.count_nonzero(changes))
    degrees = min(degrees, max(_LEAST_DEGREES, differing - 1.0))
    return _quantile((1 + confidence) / 2, degrees) * error


def _quantile(p: float, degrees: float) -> float:
    """Student's quantile between whole degrees, where it is nearly linear in their inverse."""
    degrees = min(max(degrees, 1.0), _MOST_DEGREES)
    below = math.floor(degrees)
    if below == degrees:
        return student_quantile(p, below)
    part = (1 / below - 1 / degrees) / (1 / below - 1 / (below + 1))
    low, high = student_quantile(p, below), student_quantile(p, below + 1)
    return low + part * (high - low)


def _unseen_half(changes: Floats, whole: float, least: float, confidence: float) -> float:
    """What the utterances with a change that chance kept out would add, of their usual size."""
    sizes = np.sort(np.abs(changes[changes != 0]))
    guess = max(least, _UNSEEN_SHARE * whole / len(changes))
    usual = (_UNSEEN_WEIGHT * guess + float(sizes.sum())) / (_UNSEEN_WEIGHT + len(sizes))
    return _unseen_count(confidence) * usual / whole


def _unseen_count(confidence: float) -> float:
    """The Poisson mean of which none is seen with the chance of one tail: 3.69 for 95 %."""
    return -math.log((1 - confidence) / 2)
