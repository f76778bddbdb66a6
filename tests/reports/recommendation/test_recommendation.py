"""What is recommended, what decided, and whether what is said to turn it round does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from adapters.catalog.yaml_file import ConfigError
from evals.gate.thresholds import DEFAULT, LimitSpec, Thresholds, load
from evals.measures.run_conditions import BUSY, CONTENDED
from evals.metrics import METRICS
from evals.records.measurement import Limit, Measurement
from reports.recommendation.eligibility import TIE, Contest, Standing, best, contest, headroom
from reports.recommendation.recommend import recommend, recommend_all
from reports.recommendation.what_if import _edges, brink, limit_flips, weight_flips
from reports.scorecard.licences import refusal
from reports.scorecard.scorecard import Cost, ModelRecord, Recommendation, Scorecard
from reports.terminal.decision import decision_lines

pytestmark = pytest.mark.slow

USE = "general"
SHIPPED = load()
ISSUE_6 = ("batch-transcription", "live-captions", "voice-assistant", "edge-device")
Figures = Mapping[str, float]


def rows(model: str, n: int = 400, **figures: float) -> list[Measurement]:
    """All that production asks of a recognizer, perfect but for the figures that are given."""
    return [
        Measurement(
            model=model,
            task=task,
            corpus="c",
            metric=metric,
            value=figures.get(metric, 1.0 if METRICS[metric].bound == "min" else 0.0),
            unit=METRICS[metric].unit,
            n=n,
            verdict="pass",
            gated=True,
        )
        for task in ("asr", "latency")
        for metric in SHIPPED.tiers["production"].limits[task]
    ]


def changed(
    found: Sequence[Measurement], model: str, metric: str, **parts: object
) -> list[Measurement]:
    """The rows with other parts in one of them."""
    return [
        replace(m, **parts) if (m.model, m.metric) == (model, metric) else m  # type: ignore[arg-type]
        for m in found
    ]


def with_use(**parts: object) -> Thresholds:
    """The shipped thresholds with another use of the name USE."""
    case = SHIPPED.use_cases[USE].model_copy(update=parts)
    return SHIPPED.model_copy(update={"use_cases": {**SHIPPED.use_cases, USE: case}})


def with_limits(asr: Mapping[str, float], base: Thresholds = SHIPPED) -> Thresholds:
    """Other production limits of recognition."""
    tier = base.tiers["production"]
    specs = {key: LimitSpec(**{METRICS[key].bound: value}) for key, value in asr.items()}
    limits = {**tier.limits, "asr": {**tier.limits["asr"], **specs}}
    tiers = {**base.tiers, "production": tier.model_copy(update={"limits": limits})}
    return base.model_copy(update={"tiers": tiers})


def ask(
    found: Sequence[Measurement],
    thresholds: Thresholds = SHIPPED,
    failed: Sequence[str] = (),
    licences: Mapping[str, str | None] | None = None,
    use: str = USE,
) -> Recommendation:
    models = list(dict.fromkeys(m.model for m in found))
    return recommend(found, models, frozenset(failed), thresholds, use, licences)


def hold(found: Sequence[Measurement], thresholds: Thresholds = SHIPPED) -> Contest:
    models = list(dict.fromkeys(m.model for m in found))
    return contest(found, models, frozenset(), thresholds, USE, {})


# By hand, with the weights 6, 2, 2 and production's limits 0.10, 1.0 and 4,000:
#   even  parts 0.5 0.5 0.5, score 0.5
#   sharp parts 0.8 0.1 0.5, score (4.8 + 0.2 + 1.0) / 10 = 0.6
EVEN = rows("even", wer=0.05, rtf=0.5, peak_memory=2000)
SHARP = rows("sharp", wer=0.02, rtf=0.9, peak_memory=2000)


def test_by_hand() -> None:
    told = ask(EVEN + SHARP)
    assert (told.model, told.runner_up, told.task) == ("sharp", "even", "asr")
    assert {c.model: c.score for c in told.candidates} == pytest.approx({"sharp": 0.6, "even": 0.5})
    assert told.decided_by == [
        "WER 2.00 % against WER 5.00 %: +0.180 of +0.100",
        "peak memory 2,000 MB against peak memory 2,000 MB: +0.000 of +0.100",
        "RTF 0.900 against RTF 0.500: -0.080 of +0.100",
    ]
    assert told.to_run == []


@pytest.mark.parametrize(
    ("found", "rtf", "wer"),
    [
        # even comes first, so that it wins within TIE: 1.8 - 0.4 w = TIE (8 + w) for rtf's weight,
        # 0.3 w - 0.8 = TIE (4 + w) for wer's.
        (EVEN + SHARP, 1.76 / 0.405, 0.82 / 0.295),
        # It comes second, so that it has to be ahead by TIE.
        (SHARP + EVEN, 1.84 / 0.395, 0.78 / 0.305),
    ],
)
def test_weights_that_turn_it_round_by_hand(
    found: list[Measurement], rtf: float, wer: float
) -> None:
    held = hold(found)
    flips = weight_flips(held.standings(), held)
    assert {(f.key, f.above, f.winner) for f in flips} == {
        ("rtf", True, "even"),
        ("wer", False, "even"),
        ("peak_memory", True, "even"),  # both are as good at it, so that the rest counts less
    } - ({("peak_memory", True, "even")} if found[0].model == "sharp" else set())
    weights = {f.key: f.weight for f in flips}
    assert weights["rtf"] == pytest.approx(rtf)
    assert weights["wer"] == pytest.approx(wer)


def test_figures_are_rounded_away_from_what_they_turn_round() -> None:
    """2.78 below and 4.3457 above: what is said in two digits holds, and no third is needed."""
    assert ask(EVEN + SHARP).would_change[:2] == [
        "a weight of wer below 2.7 (now 6) makes even the winner",
        "a weight of rtf above 4.4 (now 2) makes even the winner",
    ]
    (told, *_) = ask(changed(SHARP, "sharp", "wer", ci=(0.01, 0.12341))).would_change
    assert told.startswith("a limit of 12.4 % for asr wer (production has 10 %) would let sharp in")


def test_a_weight_changes_the_answer() -> None:
    assert ask(EVEN + SHARP, with_use(weights={"wer": 6, "rtf": 2, "peak_memory": 2})).model == (
        "sharp"
    )
    assert ask(EVEN + SHARP, with_use(weights={"wer": 6, "rtf": 5, "peak_memory": 2})).model == (
        "even"
    )


def test_a_reject_rule_changes_the_answer() -> None:
    told = ask(EVEN + SHARP, with_use(reject={"rtf": LimitSpec(max=0.8)}))
    assert (told.model, told.runner_up) == ("even", "sharp")
    assert told.decided_by == ["sharp is out: RTF 0.900 on c breaks general's limit (at most 0.8)"]
    # What is weighed is what is left of the stricter limit: 1 - 0.5 / 0.8.
    assert told.candidates[0].parts["rtf"] == pytest.approx(0.375)
    looser = ask(EVEN + SHARP, with_use(reject={"rtf": LimitSpec(max=0.95)}))
    assert looser.model == "sharp"
    # 0.9 lets it in, and it wins again: less of rtf is left to even as well.
    assert any(
        line.startswith("a limit of 0.9 for asr rtf (general has 0.8) would let sharp in")
        and line.endswith("which then wins")
        for line in told.would_change
    )
    assert ask(EVEN + SHARP, with_use(reject={"rtf": LimitSpec(max=0.9)})).model == "sharp"


def test_another_tasks_metric_may_be_weighed_and_limited() -> None:
    slow = changed(EVEN, "even", "latency_p95", value=1.5)
    rule = {"latency/latency_p95": LimitSpec(max=1.0)}
    assert ask(slow).model == "even"
    told = ask(slow, with_use(reject=rule))
    assert told.model is None
    assert "5 s clip 1.5 s on c breaks general's limit (at most 1 s)" in told.reason
    weighed = ask(
        changed(EVEN, "even", "latency_p95", value=0.5),
        with_use(reject=rule, weights={"wer": 1, "latency/latency_p95": 1}),
    )
    assert weighed.candidates[0].parts == {"wer": 0.5, "latency/latency_p95": 0.5}


@pytest.mark.parametrize(
    ("licence", "out"),
    [
        ("MIT", None),
        ("CC-BY-NC-4.0", "no commercial use"),
        ("LicenseRef-LFM-Open-License-v1.0", None),
        (None, "no licence is named"),
        ("Our-Own", "not known here"),
    ],
)
def test_licences_reject(licence: str | None, out: str | None) -> None:
    thresholds = with_use(reject_licences=["non-commercial"])
    licences = {"even": "MIT", "sharp": licence}
    told = ask(EVEN + SHARP, thresholds, licences=licences)
    assert told.model == ("even" if out else "sharp")
    assert out is None or out in told.decided_by[0]
    assert ask(EVEN + SHARP, licences=licences).model == "sharp"  # a use without the rule


UNCLEAR = changed(SHARP, "sharp", "wer", ci=(0.01, 0.12))


def test_withheld_where_the_evidence_is_short() -> None:
    told = ask(UNCLEAR)
    assert told.model is None
    assert told.decided_by == []
    # The half above is 0.10, the limit 0.08 away: 400 * ((0.10 / 0.08)^2 - 1) = 225.
    assert told.to_run == [
        "about 225 more like those of c (wer): uv run pytest -m asr --model sharp"
    ]
    assert told.would_change == [
        "a limit of 12 % for asr wer (production has 10 %) would let sharp in, which then wins"
    ]


def test_what_to_run_says_speakers_where_speakers_are_missing() -> None:
    parts = {"verdict": "inconclusive", "limit": 0.10, "further_speakers": 3}
    told = ask(changed(UNCLEAR, "sharp", "wer", **parts))
    assert told.to_run == [
        "3 more speakers like those of c (wer): uv run pytest -m asr --model sharp"
    ]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("lost", "uv run pytest -m asr --model sharp"),
        ("no clip", "uv run pytest -m latency --model sharp"),
        (
            "not measured",
            "latency once more (before: disabled): uv run pytest -m latency --model sharp",
        ),
        ("contended", "without -n: uv run pytest -m asr --model sharp"),
        ("busy", "on an idle machine: uv run pytest -m asr --model sharp"),
        ("robustness", "uv run pytest -m robustness --model sharp"),
        ("broken", None),
        ("error", None),
        ("failed", None),
        ("not reported", None),
    ],
)
def test_what_to_run(how: str, says: str | None) -> None:
    """The better of two is out, for want of evidence or for good."""
    found, thresholds = EVEN + SHARP, SHIPPED
    match how:
        case "lost":
            found = EVEN + [m for m in SHARP if m.task == "latency"]
        case "no clip":
            found = EVEN + [m for m in SHARP if m.task == "asr"]
        case "not measured":
            parts = {"value": None, "verdict": "not_measured", "reason": "disabled"}
            found = changed(found, "sharp", "latency_p95", **parts)
        case "contended":
            found = changed(found, "sharp", "rtf", conditions=(CONTENDED,), verdict="inconclusive")
        case "busy":
            found = changed(found, "sharp", "rtf", value=1.2, conditions=(BUSY,))
            found = changed(found, "sharp", "wer", value=0.0)
        case "robustness":
            thresholds = with_use(reject={"robustness/wer_drift/reverb": LimitSpec(max=0.05)})
            drift = replace(EVEN[0], task="robustness", metric="wer_drift", value=0.0)
            limits = SHIPPED.tiers["production"].limits["robustness"]
            found = found + [replace(drift, slice=key.partition("/")[2]) for key in limits]
        case "broken":
            found = changed(found, "sharp", "cer", value=0.06)
        case "error":
            found = changed(found, "sharp", "rtf", value=None, verdict="error", reason="died")
        case "not reported":
            thresholds = with_use(reject={"first_token_p95": LimitSpec(max=1.0)})
            found = [*found, replace(EVEN[0], metric="first_token_p95", value=0.1)]
    told = ask(found, thresholds, failed=["sharp"] if how == "failed" else [])
    assert told.model == "even"
    assert told.to_run == ([says] if says else [])


def test_nothing_to_run_for_who_would_lose_anyway() -> None:
    told = ask(changed(EVEN + SHARP, "even", "wer", ci=(0.03, 0.11)))
    assert told.model == "sharp"
    assert "even is out" in told.decided_by[0]
    assert told.to_run == []


def test_a_failed_test_is_no_second_reason_where_the_limit_failed_it() -> None:
    """With a gate that is strict about it, an inconclusive figure fails its test too."""
    mine = changed(UNCLEAR, "sharp", "wer", verdict="inconclusive")
    told = ask(mine, failed=["sharp"])
    assert told.model is None
    assert len(told.to_run) == 1
    assert "would let sharp in" in told.would_change[0]
    other = ask(changed(mine, "sharp", "cer", verdict="error"), failed=["sharp"])
    assert (other.to_run, other.would_change) == ([], [])


def test_overlapping_intervals_are_told() -> None:
    found = changed(EVEN + SHARP, "sharp", "wer", ci=(0.010, 0.060))
    found = changed(found, "even", "wer", ci=(0.030, 0.080))
    told = ask(found)
    assert told.model == "sharp"
    assert told.would_change[-1] == (
        "more evidence: their intervals of wer overlap (sharp 2 % [1, 6] and even 5 % [3, 8])"
    )
    apart = changed(found, "even", "wer", ci=(0.061, 0.080))
    assert not [line for line in ask(apart).would_change if "overlap" in line]


def test_one_alone_tells_how_near_it_is_to_the_edge() -> None:
    told = ask(EVEN)
    assert (told.model, told.runner_up, told.decided_by) == ("even", None, [])
    assert told.would_change == [
        "a limit below 0.5 for asr rtf (production has 1) would put even out: nobody is left"
    ] or told.would_change == [
        "a limit below 5 % for asr wer (production has 10 %) would put even out: nobody is left"
    ]


_PART = st.integers(0, 40)
_FIELD = st.lists(st.tuples(_PART, _PART, _PART), min_size=2, max_size=5)
_WEIGHTS = st.tuples(*[st.integers(1, 12)] * 3)


def field(parts: Sequence[tuple[int, int, int]]) -> list[Measurement]:
    """Models with so many fortieths of each limit used."""
    return [
        row
        for number, (wer, rtf, memory) in enumerate(parts)
        for row in rows(f"m{number}", wer=wer / 400, rtf=rtf / 40, peak_memory=memory * 100)
    ]


@settings(max_examples=60, deadline=None)
@given(_FIELD, _WEIGHTS, st.floats(0.0, 1.0))
# The stretch after the last weight that is asked for ends where the next begins.
@example([(0, 0, 7), (0, 0, 0), (0, 0, 1)], (1, 1, 3), 0.0)
def test_weights_turn_it_round_there_and_not_before(
    parts: list[tuple[int, int, int]], numbers: tuple[int, int, int], between: float
) -> None:
    weights = dict(zip(("wer", "rtf", "peak_memory"), map(float, numbers), strict=True))
    thresholds = with_use(weights=weights)
    found = field(parts)
    held = hold(found, thresholds)
    fit = held.standings()
    present = best(fit).model
    flips = weight_flips(fit, held)

    def winner(key: str, weight: float) -> str | None:
        other = with_use(weights={**weights, key: weight})
        return best(hold(found, other).standings()).model

    for flip in flips:
        edges = [e for e in _edges(fit, held, flip.key) if e != flip.weight]
        assume(all(abs(e / flip.weight - 1) > 1e-5 for e in edges))
        past, before = (1 + 1e-7, 1 - 1e-7) if flip.above else (1 - 1e-7, 1 + 1e-7)
        assert winner(flip.key, flip.weight * past) == flip.winner != present
        assert winner(flip.key, flip.weight * before) == present
        inside = weights[flip.key] + between * (flip.weight * before - weights[flip.key])
        assert winner(flip.key, inside) == present
    for key, weight in weights.items():
        for above, factor in ((True, 1 + 99 * between), (False, 1 / (1 + 99 * between))):
            if not any((f.key, f.above) == (key, above) for f in flips):
                assert winner(key, weight * factor) == present
    told = ask(found, thresholds)
    assert told.model == present
    for line in told.would_change:
        if said := re.match(r"a weight of (\w+) (above|below) (\S+) .* makes (\w+) the", line):
            past = 1 + 1e-9 if said[2] == "above" else 1 - 1e-9
            assert winner(said[1], float(said[3]) * past) == said[4]


@settings(max_examples=40, deadline=None)
@given(_FIELD, st.integers(1, 300), st.integers(0, 60))
def test_limits_let_in_and_put_out_as_said(
    parts: list[tuple[int, int, int]], over: int, half: int
) -> None:
    """The first breaks a limit or is not shown to keep it; each said limit is then tried."""
    found = field(parts)
    wer = (400 + over) / 4000
    found = changed(found, "m0", "wer", value=wer, ci=(wer - half / 1e4, wer + half / 1e4))
    held = hold(found)
    standings = held.standings()
    assert standings[0].problems
    for flip in limit_flips(standings, held):
        applied = with_limits({name: value for (_, name), value in flip.values.items()})
        told = ask(found, applied)
        assert told.model == flip.winner
        assert not next(c for c in told.candidates if c.model == flip.lets_in).rejected
        stricter = ask(found, with_limits({"wer": (wer + half / 1e4) * (1 - 1e-9)}))
        assert next(c for c in stricter.candidates if c.model == flip.lets_in).rejected
    fit = [s for s in standings if not s.problems]
    first: Standing = best(fit)
    edge = brink(first, held)
    if edge is not None:
        (_, name), bound = edge.key, edge.present.bound
        past = edge.value * (1 - 2e-6 if bound == "max" else 1 + 2e-6)
        out = ask(found, with_limits({name: past}))
        assert out.model == edge.winner
        assert next(c for c in out.candidates if c.model == first.model).rejected
        value = next(m.value for m in found if (m.model, m.metric) == (first.model, name))
        assert value is not None
        kept = ask(found, with_limits({name: value}))
        assert not next(c for c in kept.candidates if c.model == first.model).rejected


def test_the_first_within_a_tie_wins_and_it_is_said() -> None:
    near = rows("near", wer=0.05 + 0.0007, rtf=0.5, peak_memory=2000)
    told = ask(near + EVEN)
    assert told.model == "near"
    assert told.decided_by[0] == f"the catalogue's order: scores within {TIE:g} are as good"
    assert "which is as good" in told.reason
    assert ask(EVEN + near).model == "even"


def test_a_voice_is_no_candidate_for_hearing() -> None:
    voice = replace(EVEN[0], model="voice", task="tts", metric="wer", value=0.5)
    told = ask([*EVEN, voice])
    assert [c.model for c in told.candidates] == ["even"]
    first, every = recommend_all([*EVEN, voice], ["even", "voice"], frozenset(), SHIPPED, {})
    assert first == every[0]
    assert [r.use_case for r in every] == [
        name for name, case in SHIPPED.use_cases.items() if case.task in ("asr", "tts")
    ]
    first, every = recommend_all([], ["even"], frozenset(), SHIPPED, {})
    assert (first.use_case, first.model, every) == (USE, None, [])


def test_the_shipped_file_has_the_uses_of_issue_6() -> None:
    extra = [
        replace(EVEN[0], metric="sentence_error_rate", value=0.01),
        replace(EVEN[0], metric="loops", unit="count", value=0.0),
    ]
    good = rows("even", wer=0.01, rtf=0.1, peak_memory=100, latency_p95=0.1)
    for use in ISSUE_6:
        told = ask(good + extra, licences={"even": "MIT"}, use=use)
        assert told.model == "even", told.reason
        assert told.description
        assert ask(good + extra, licences={"even": "CC-BY-NC-4.0"}, use=use).model is None
        for key, limit in SHIPPED.use_cases[use].reject.items():
            metric = key.rpartition("/")[2]
            bad = changed(good + extra, "even", metric, value=(limit.max or 0.0) * 1.01 + 0.001)
            assert ask(bad, licences={"even": "MIT"}, use=use).model is None, (use, key)


@pytest.mark.parametrize(
    ("new", "key", "says"),
    [
        ("weights: {rtfx: 1}", "weights.rtfx", "production limit"),
        ("weights: {wer: 1}\n    reject: {wre: {max: 1}}", "reject.wre", "unknown metric"),
        ("weights: {wer: 1}\n    reject: {rtf: {min: 1}}", "reject.rtf", "limited by max"),
        ("weights: {wer: 1}\n    reject: {rtf: {}}", "reject.rtf", "exactly one"),
        ("weights: {wer: 1}\n    reject: {latency/wer: {max: 1}}", "reject.latency/wer", "for latency"),
        ("weights: {wer: 1}\n    reject: {tts/usable: {max: 1}}", "reject.tts/usable", "for tts"),
        ("weights: {wer: 1}\n    reject_licences: [evil]", "reject_licences.0", "non-commercial"),
        ("weights: {wer: 1}\n    rejects: {}", "rejects", "unknown key"),
    ],
)  # fmt: skip
def test_mistakes_in_a_use_name_key_and_line(tmp_path: Path, new: str, key: str, says: str) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    old = "weights: {wer: 6, rtf: 2, peak_memory: 2}"
    assert old in text
    file = tmp_path / "t.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    message = str(caught.value)
    assert f": use_cases.general.{key}" in message
    assert says in message
    line = int(message.split(":")[1])
    assert key.partition(".")[0] in file.read_text().splitlines()[line - 1]


def test_a_metric_with_the_uses_own_limit_may_be_weighed(tmp_path: Path) -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    file = tmp_path / "t.yaml"
    own = "weights: {wer: 1, latency_p50: 1}\n    reject: {latency_p50: {max: 2.0}}"
    file.write_text(text.replace("weights: {wer: 6, rtf: 2, peak_memory: 2}", own, 1))
    found = [*EVEN, replace(EVEN[0], metric="latency_p50", unit="s", value=0.5)]
    told = ask(found, load(file))
    assert told.candidates[0].parts == {"wer": 0.5, "latency_p50": 0.75}
    assert ask(EVEN, load(file)).model is None  # it is required where the use limits it


def _card(*told: Recommendation, costs: Sequence[Cost] = (), licence: str | None) -> Scorecard:
    return Scorecard.model_construct(
        recommendation=told[0],
        recommendations=list(told),
        models=[ModelRecord.model_construct(name="even", licence=licence)],
        costs=list(costs),
    )


def test_few_lines_in_the_terminal() -> None:
    first = ask(EVEN)
    same = ask(EVEN, use="batch-transcription", licences={"even": "MIT"})
    same = same.model_copy(update={"model": "even"})
    other = ask(EVEN, use="edge-device", licences={"even": "MIT"})
    assert other.model is None
    assert decision_lines(_card(first, same, licence="MIT")) == []
    (line,) = decision_lines(_card(first, same, other, licence="MIT"))
    assert line.startswith("For edge-device: none, even: ")
    assert decision_lines(_card(first, licence=None)) == ["Licence of even: licence not known"]
    (line,) = decision_lines(_card(ask(UNCLEAR), licence="MIT"))
    assert line.startswith("To run: about 225 more")
    cost = Cost.model_construct(
        model="even", task="asr", hardware="l4", price_per_hour=0.8, utilisation=0.5,
        per_audio_hour=0.0161, currency="EUR", source="our contract", conditions=[],
    )  # fmt: skip
    dearer = cost.model_copy(update={"per_audio_hour": 0.032, "conditions": [BUSY]})
    null = cost.model_copy(update={"per_audio_hour": None})
    (line,) = decision_lines(_card(first, costs=[cost, dearer, null], licence="MIT"))
    assert line == (
        "Cost: at most 0.032 EUR per hour of audio "
        "(l4 at 0.8 EUR per hour, 50% in use; our contract)"
    )
    assert decision_lines(_card(first, costs=[null], licence="MIT")) == []


@pytest.mark.parametrize("key", ["robustness/wer_drift/reverb", "smoke/success_rate"])
def test_a_weighed_task_that_did_not_run_is_asked_for(key: str) -> None:
    """Without it there is no score, so there is no winner either, and what to run is said."""
    told = ask(EVEN + SHARP, with_use(weights={"wer": 6, key: 2}))
    assert told.model is None
    assert [c.score for c in told.candidates] == [None, None]
    task = key.partition("/")[0]
    assert told.to_run == [f"uv run pytest -m {task} --model even --model sharp"]


def test_models_that_need_the_same_are_run_by_one_command() -> None:
    """Five screens of commands told a reader what two say."""
    names = [f"m{i}" for i in range(8)]
    found = [
        row
        for i, name in enumerate(names)
        for row in changed(rows(name), name, "wer", value=0.05, ci=(0.01, 0.11 + i / 1000))
        if row.task == "asr"
    ]
    words, clip = ask(found).to_run
    every = " ".join(f"--model {name}" for name in names)
    assert clip == f"uv run pytest -m latency {every}"
    # The widest decides: its half above is 0.067, the limit 0.05 away.
    more = math.ceil(400 * ((0.067 / 0.05) ** 2 - 1))
    assert words == f"about {more:,} more like those of c (wer): uv run pytest -m asr {every}"


def test_the_terminal_names_a_run_once() -> None:
    first = ask(EVEN + UNCLEAR)
    assert (first.model, len(first.to_run)) == ("even", 1)
    other = first.model_copy(update={"use_case": "other", "model": None})
    lines = decision_lines(_card(first, other, licence="MIT"))
    assert lines == [f"To run: {first.to_run[0]}", "For other: none, to run: as above"]


def test_one_licence_of_several_is_enough() -> None:
    """Whoever may choose takes the one that the use can live with, whatever else it demands."""
    both = "GPL-3.0-only OR CC-BY-NC-4.0"
    assert refusal(both, ["copyleft"]) is None
    assert refusal(both, ["non-commercial"]) is None
    assert refusal(both, ["copyleft", "attribution"]) is not None
    assert refusal("GPL-3.0-only OR Our-Own", ["copyleft"]) is not None


def test_no_more_than_all_of_a_limit_is_left() -> None:
    """A drift below 0 is no better than none: scores are from 0 to 1."""
    assert headroom(-0.01, Limit("max", 0.03, "")) == 1.0
