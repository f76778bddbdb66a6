"""How many more utterances or speakers would decide, and when nothing would."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from evals.gate.case import Case
from evals.gate.evaluation import Evaluation, GateBroken, describe
from evals.gate.thresholds import load
from evals.gate.verdict import decide
from evals.measures.statistics.further_evidence import further_evidence, said
from evals.measures.statistics.rates import of_speakers, rate, share
from evals.records.measurement import FEW_SPEAKERS, TOO_FEW, Evidence, Figure, Limit, Measurement


def wer(*errors: int, words: int = 10, speakers: int | None = None) -> Figure:
    """The WER of utterances with so many errors each."""
    whose = None if speakers is None else [i % speakers for i in range(len(errors))]
    figure = rate(np.array(errors, float), np.full(len(errors), float(words)), whose, otherwise="")
    return of_speakers(figure, whose)


def at_most(value: float) -> Limit:
    return Limit("max", value, "made up")


@pytest.mark.slow
@pytest.mark.parametrize(("wrong", "n", "limit"), [(3, 40, 0.05), (0, 20, 0.02), (30, 300, 0.013)])
def test_what_is_said_to_decide_decides_and_less_does_not(wrong: int, n: int, limit: float) -> None:
    figure = wer(*[1] * wrong, *[0] * (n - wrong))
    assert decide(figure, [at_most(limit)])[0] == "inconclusive"
    more = further_evidence(figure, at_most(limit)).utterances
    assert more is not None
    assert more > 1
    assert figure.forecast is not None
    enough, too_few = (figure.forecast(1 + (more - less) / n) for less in (0, 1))
    assert enough is not None
    assert too_few is not None
    assert enough[1] <= limit < too_few[1]


@pytest.mark.parametrize(
    ("value", "ci", "limit", "more"),
    [
        # Half of the interval times sqrt(16 / (16 + n)) has to be no longer than the way to the
        # limit, of which the limit itself is part: 16 * ((half / way)^2 - 1).
        (0.25, (0.0, 0.75), Limit("max", 0.5, ""), 48),  # 1/2 to 1/4: reaches it, and keeps it
        (0.25, (0.0, 0.75), Limit("max", 0.5 - 2**-20, ""), 49),
        (0.75, (0.25, 1.0), Limit("min", 0.5, ""), 48),
        (0.75, (0.25, 1.0), Limit("max", 0.5, ""), 49),  # reaches it, which breaks nothing yet
        (0.25, (0.0, 0.75), Limit("min", 0.5, ""), 49),
    ],
)
def test_the_fewest_are_said_where_the_interval_ends_on_the_limit(
    value: float, ci: tuple[float, float], limit: Limit, more: int
) -> None:
    assert further_evidence(Figure(value, 16, ci), limit).utterances == more


def test_a_value_on_its_limit_is_decided_by_nothing() -> None:
    for figure, limit in ((wer(*[0] * 50), 0.0), (wer(*[1] * 10), 0.1)):
        found = further_evidence(figure, at_most(limit))
        assert (found.utterances, found.speakers) == (None, None)
        assert found.reason == "no number of utterances decides: the value is on its limit"


def test_a_value_almost_on_its_limit_is_not_given_millions() -> None:
    found = further_evidence(wer(*[1] * 10, *[0] * 10), at_most(0.050001))
    assert found.utterances is None
    assert found.reason is not None
    assert "almost on its limit" in found.reason


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_few_speakers_are_marked_and_said(speakers: int) -> None:
    figure = wer(*[1] * 10, *[0] * 190, words=4, speakers=speakers)
    assert figure.conditions == (FEW_SPEAKERS,)
    assert figure.speakers == speakers
    assert figure.reason is not None
    assert "nothing of others" in figure.reason
    assert decide(figure, [at_most(0.10)])[0] == "pass"
    asked = Evidence(speakers=12)
    assert decide(figure, [at_most(0.10)], asked)[0] == "inconclusive"
    assert further_evidence(figure, at_most(0.10), asked).speakers == 12 - speakers
    # Utterances of the same people do not help, and what is broken beyond doubt stays broken.
    assert further_evidence(figure, at_most(0.10), asked).utterances is None
    assert decide(figure, [at_most(0.001)], asked)[0] == "fail"


def test_enough_speakers_are_not_marked() -> None:
    figure = wer(*[1] * 10, *[0] * 190, words=4, speakers=12)
    assert figure.conditions == ()
    assert decide(figure, [at_most(0.10)], Evidence(speakers=12))[0] == "pass"


def test_unknown_speakers_are_no_evidence() -> None:
    figure = wer(*[0] * 100)
    assert figure.speakers == 0
    assert decide(figure, [at_most(0.10)], Evidence(speakers=2))[0] == "inconclusive"
    found = further_evidence(figure, at_most(0.10), Evidence(speakers=2))
    assert (found.utterances, found.speakers) == (None, 2)
    assert decide(figure, [at_most(0.10)], Evidence(utterances=200))[0] == "inconclusive"
    assert decide(figure, [at_most(0.10)], Evidence(utterances=100))[0] == "pass"


@pytest.mark.parametrize("errors", [0, 10])
def test_a_single_utterance_decides_nothing(errors: int) -> None:
    figure = wer(errors)
    assert figure.conditions == (TOO_FEW,)
    assert decide(figure, [at_most(0.10)])[0] == "inconclusive"


@pytest.mark.parametrize("tier", ["production", "candidate"])
def test_a_tier_asks_for_evidence(tier: Literal["production", "candidate"]) -> None:
    spec = load()
    spec.tiers[tier].evidence.speakers = 5
    spec.tiers[tier].limits["asr"] = {"wer": spec.tiers["production"].limits["asr"]["wer"]}
    recorded: list[Measurement] = []
    case = Case("made-up", tier, "asr", "made-up")
    Evaluation(case, spec, "tier", recorded.append).record(
        {"wer": wer(*[0] * 200, words=4, speakers=2)}
    )
    assert recorded[0].verdict == "inconclusive"
    assert recorded[0].further_speakers == 3
    line = describe(recorded[0])
    assert "3 more speakers would decide" in line
    assert "2 speakers, and 5 are required" in line


@pytest.mark.parametrize("n", [1, 12, 60])
def test_what_would_decide_a_share_is_what_its_own_interval_needs(n: int) -> None:
    """Not what the square root of the size would make of it: four times as many for 12 answers."""
    figure, limit = share(n, n), Limit("min", 0.95, "made up")
    more = further_evidence(figure, limit).utterances
    assert more is not None
    assert decide(figure, [limit])[0] == "inconclusive"
    assert decide(share(n + more, n + more), [limit])[0] == "pass"
    assert decide(share(n + more - 2, n + more - 2), [limit])[0] == "inconclusive"


def test_one_loop_is_far_from_its_limit_and_not_said_to_be_on_it() -> None:
    """The same loop in a larger corpus is no single one, so that its rate is known there."""
    found = further_evidence(wer(*[0] * 11, 120), at_most(0.10))
    assert found.reason is None
    assert found.utterances is not None
    assert found.utterances < 1_000


def test_one_of_each_is_said_in_the_singular() -> None:
    assert said(1, None) == "about 1 more utterance"
    assert said(None, 1) == "1 more speaker"
    assert said(20, 1) == "about 20 more utterances of 1 more speaker"
    assert said(None, None) is None
    one = wer(*[0] * 20, speakers=1)
    assert one.reason == (
        "1 speaker tells nothing of others: the interval is of this person's utterances"
    )
    assert Evidence(speakers=5).missing_from(one) == "1 speaker, and 5 are required"
    assert Evidence(utterances=5).missing_from(wer(0)) == "1 utterance, and 5 are required"


def test_a_limit_on_a_part_that_the_corpus_does_not_have_says_so() -> None:
    spec = load()
    spec.tiers["production"].limits["asr"] = dict.fromkeys(
        ("wer", "wer/lang=de"), spec.tiers["production"].limits["asr"]["wer"]
    )
    recorded: list[Measurement] = []
    evaluation = Evaluation(
        Case("made-up", "production", "asr", "mine"), spec, "tier", recorded.append
    )
    evaluation.record({"wer": wer(*[5] * 50)})
    with pytest.raises(GateBroken) as broken:
        evaluation.check()
    (absent,) = (m for m in recorded if m.key == "wer/lang=de")
    assert (absent.verdict, absent.gated) == ("not_measured", True)
    assert absent.reason == "no utterance of mine has lang=de, or all have"
    assert str(broken.value).count("wer/lang=de") == 1
