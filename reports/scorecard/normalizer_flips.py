"""Rankings that hang on the normalizer: what one calls better, another calls worse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from evals.records.measurement import Measurement
from reports.scorecard.scorecard import Flip


def flips(measurements: Sequence[Measurement]) -> list[Flip]:
    """Every pair of models and normalizer under which the order by WER is the other way round."""
    found: list[Flip] = []
    for corpus in dict.fromkeys(m.corpus for m in measurements):
        here = [m for m in measurements if m.corpus == corpus and m.is_whole]
        own = _rates([m for m in here if m.metric == "wer"])
        others = [m for m in here if m.metric == "wer_by_normalizer"]
        for name in dict.fromkeys(m.normalizer for m in others):
            there = _rates([m for m in others if m.normalizer == name])
            for one, two in combinations([model for model in own if model in there], 2):
                better, worse = (one, two) if own[one] <= own[two] else (two, one)
                # Equal is no order, so there is none to turn round.
                if own[better] < own[worse] and there[better] > there[worse]:
                    found.append(
                        Flip(
                            corpus=corpus,
                            better=better,
                            worse=worse,
                            wer=(own[better], own[worse]),
                            normalizer=name or "?",
                            wer_there=(there[better], there[worse]),
                        )
                    )
    return found


def _rates(rows: Sequence[Measurement]) -> dict[str, float]:
    return {m.model: m.value for m in rows if m.value is not None}
