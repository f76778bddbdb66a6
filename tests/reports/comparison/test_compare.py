"""`python -m reports compare` against tables worked by hand, and what it must refuse."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.gate import thresholds as thresholds_file
from evals.measures.text.alignment import Edit, align
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.tasks.chat.scores import success
from evals.tasks.hallucination.scores import hallucination
from fixtures.builtin.non_speech import SPEECH_ENDS
from fixtures.dialogues.files import read_dialogues
from reports.commands import compare
from reports.commands.compare import as_json, read_report
from reports.comparison.result import Change, Comparison, Report, direction
from reports.comparison.terminal import render
from reports.comparison.utterance_changes import columns
from reports.page.compare_page import page
from reports.runs.read_run import RunError
from tests.support.written_runs import (
    CORPUS,
    asr_run,
    document,
    model_record,
    row,
    write_lines,
    write_run,
)

pytestmark = pytest.mark.slow

THRESHOLDS = thresholds_file.load()
MODEL = "some-model"
SAID = "a b c d e f g h"


def heard(texts: Sequence[str], said: str | Sequence[str] = SAID, **more: Any) -> list[Prediction]:
    """One prediction for each text: u000, u001, ..."""
    references = [said] * len(texts) if isinstance(said, str) else said
    return [
        Prediction(f"u{i:03}", reference, text, 1.0, 0.1, **more)
        for i, (reference, text) in enumerate(zip(references, texts, strict=True))
    ]


def wrong(errors: int) -> str:
    """SAID with that many words heard as another."""
    words = SAID.split()
    return " ".join(["x"] * errors + words[errors:])


def compared(before: Path, after: Path, **more: Any) -> Comparison:
    """The one comparison of two runs."""
    report = read_report([str(before), str(after)], THRESHOLDS, **more)
    (one,) = report.comparisons
    return one


def change(c: Comparison, metric: str, part: str = "all", model: str = MODEL) -> Change:
    """The change of a metric."""
    (found,) = [p for p in c.paired if (p.metric, p.of.slice, p.of.before) == (metric, part, model)]
    return found


def command(*arguments: str | Path) -> int:
    """Run the command; its exit status, as the shell sees it."""
    parser = argparse.ArgumentParser()
    compare.add_command(parser.add_subparsers())
    options = parser.parse_args(["compare", *map(str, arguments)])
    status: int = options.run(options)
    return status


# Figures and utterances, by hand.


def test_differences_by_hand(tmp_path: Path) -> None:
    before = heard([SAID, wrong(1), "a b c", ""])
    after = heard([wrong(2), SAID, "a b c", SAID])
    before[3] = replace(before[3], error="it died")
    c = compared(
        asr_run(tmp_path / "a", 1, {MODEL: before}), asr_run(tmp_path / "b", 2, {MODEL: after})
    )
    wer = change(c, "wer")
    # Before 0 + 1 + 5 + 8 of 32 words, after 2 + 0 + 5 + 0.
    assert (wer.before, wer.after, wer.n) == (14 / 32, 7 / 32, 4)
    assert wer.change == pytest.approx(-7 / 32)
    assert change(c, "sentence_error_rate").change == pytest.approx(-1 / 4)
    answered = change(c, "success_rate")
    assert (answered.before, answered.after, answered.change) == (0.75, 1.0, 0.25)
    assert [(m.id, m.added, m.length) for m in c.worse] == [("u000", 2, 8)]
    assert [(m.id, m.added) for m in c.better] == [("u003", -8), ("u001", -1)]
    assert (c.better[0].failed_before, c.better[0].failed_after) == ("it died", None)
    assert not c.refused


PLANTED = [3, 17, 29, 41, 58, 66, 71, 80, 92, 103, 119, 140]


def planted(shuffled: bool) -> tuple[list[Prediction], list[Prediction]]:
    """Two runs that differ by two to six words in PLANTED, and by one here and there in the rest."""
    rng = random.Random(6)
    before, after = [], []
    for i in range(150):
        base = rng.choice([0, 0, 1, 2])
        noise = rng.choice([0, 0, 0, 1, -1]) if base else 0
        added = 2 + PLANTED.index(i) % 5 if i in PLANTED else noise
        before.append(wrong(base))
        after.append(wrong(base + added))
    sides = heard(before), heard(after)
    if shuffled:
        for side in sides:
            rng.shuffle(side)
    return sides


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_planted_utterances_come_first(tmp_path: Path, shuffled: bool) -> None:
    """12 planted among smaller differences to either side: these first, in the order of their harm."""
    before, after = planted(shuffled)
    c = compared(
        asr_run(tmp_path / "a", 1, {MODEL: before}), asr_run(tmp_path / "b", 2, {MODEL: after})
    )
    assert [m.id for m in c.worse[:12]] == [
        f"u{i:03}" for i in sorted(PLANTED, key=lambda i: (-(PLANTED.index(i) % 5), i))
    ]
    assert len(c.worse) > 12
    assert {m.added for m in c.worse[12:]} == {1}
    assert [m.id for m in c.worse[12:]] == sorted(m.id for m in c.worse[12:])
    assert c.better
    assert {m.added for m in c.better} == {-1}
    assert change(c, "wer").direction == "worse"


def test_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    found = []
    for shuffled in (False, True):
        before, after = planted(shuffled)
        folder = tmp_path / str(shuffled)
        c = compared(
            asr_run(folder / "a", 1, {MODEL: before}), asr_run(folder / "b", 2, {MODEL: after})
        )
        # The runs' own intervals are their scorecards', which were not made by the comparison.
        paired = [replace(p, before_ci=None, after_ci=None) for p in c.paired]
        found.append((paired, c.worse, c.better, c.pairings))
    assert found[0] == found[1]


def test_margins_decide(tmp_path: Path) -> None:
    """A WER two points higher in each of 200 utterances of 8 words is past half a point."""
    before = heard([SAID] * 200)
    after = heard([wrong(1 if i % 2 else 0) for i in range(200)])
    a = asr_run(tmp_path / "a", 1, {MODEL: before})
    b = asr_run(tmp_path / "b", 2, {MODEL: after})
    worse, better = change(compared(a, b), "wer"), change(compared(b, a), "wer")
    assert (worse.verdict, worse.margin, worse.direction) == ("fail", 0.005, "worse")
    assert (better.verdict, better.direction) == ("pass", "better")
    # What cannot have a margin has no verdict.
    assert change(compared(a, b), "sentence_error_rate").verdict is None


def test_what_is_past_its_margin_comes_first(tmp_path: Path) -> None:
    """Of two models the first is as it was, and the other no longer answers now and then."""
    good = heard([SAID] * 100)
    silent = [replace(p, error="it died") if i % 3 == 0 else p for i, p in enumerate(good)]
    c = compared(
        asr_run(tmp_path / "a", 1, {"one": good, "two": good}),
        asr_run(tmp_path / "b", 2, {"one": good, "two": silent}),
    )
    assert (c.paired[0].of.model, c.paired[0].metric) == ("two", "success_rate")
    assert [p.verdict for p in c.paired].count("fail") == 1
    assert c.paired[0].margin == 0.005  # how far it may fall, without a sign


def test_ties_go_by_id_and_then_by_model(tmp_path: Path) -> None:
    said, worse = heard([SAID] * 2), heard([wrong(1)] * 2)
    c = compared(
        asr_run(tmp_path / "a", 1, {"two": said, "one": said}),
        asr_run(tmp_path / "b", 2, {"two": worse, "one": worse}),
    )
    assert [(m.id, m.of.model) for m in c.worse] == [
        ("u000", "one"),
        ("u000", "two"),
        ("u001", "one"),
        ("u001", "two"),
    ]


def test_one_utterance_is_inconclusive(tmp_path: Path) -> None:
    before, after = heard([SAID] * 40), heard([wrong(4)] + [SAID] * 39)
    wer = change(
        compared(
            asr_run(tmp_path / "a", 1, {MODEL: before}), asr_run(tmp_path / "b", 2, {MODEL: after})
        ),
        "wer",
    )
    assert (wer.verdict, wer.direction) == ("inconclusive", "unclear")
    assert wer.further_utterances is not None
    assert wer.further_utterances > 0


def test_what_is_not_shown_breaks_only_where_that_is_the_rule(tmp_path: Path) -> None:
    before, after = heard([SAID] * 40), heard([wrong(4)] + [SAID] * 39)
    c = compared(
        asr_run(tmp_path / "a", 1, {MODEL: before}), asr_run(tmp_path / "b", 2, {MODEL: after})
    )
    assert c.regressions(inconclusive_fails=False) == []
    assert any("wer is not shown" in line for line in c.regressions(inconclusive_fails=True))


def test_a_margin_without_a_figure_is_no_pass(tmp_path: Path) -> None:
    """References without a word have no WER, before or after."""
    texts = heard(["a", "b"], "")
    a, b = (asr_run(tmp_path / str(n), n, {MODEL: texts}) for n in (1, 2))
    c = compared(a, b)
    assert change(c, "wer").verdict == "not_measured"
    assert any("wer cannot be compared" in line for line in c.regressions(False))


@pytest.mark.parametrize(
    ("metric", "ci", "says"),
    [
        ("wer", (-0.01, 0.02), "unclear"),
        ("wer", (0.01, 0.02), "worse"),
        ("wer", (-0.02, -0.01), "better"),
        ("success_rate", (0.01, 0.02), "better"),
        ("success_rate", (-0.02, -0.01), "worse"),
        ("wer", None, "unclear"),
    ],
)
def test_direction(metric: str, ci: tuple[float, float] | None, says: str) -> None:
    value = 0.015 if ci is None else sum(ci) / 2
    assert direction(metric, Figure(value, 10, ci)) == says


def test_no_difference_is_said_as_such() -> None:
    """Its interval has a width all the same: others may differ."""
    assert direction("wer", Figure(0.0, 10, (-0.1, 0.1), identical=True)) == "same"
    assert direction("wer", Figure(0.0, 10, (-0.1, 0.1))) == "unclear"


# Properties.

TEXTS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=2, max_size=30
)  # errors before, after


@settings(max_examples=10, deadline=None)
@given(pairs=TEXTS)
def test_a_run_with_itself_and_the_other_way_round(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("property")
    before, after = (heard([wrong(n) for n in side]) for side in zip(*pairs, strict=True))
    a = asr_run(folder / "a", 1, {MODEL: before})
    b = asr_run(folder / "b", 2, {MODEL: after})
    again = asr_run(folder / "c", 3, {MODEL: before})
    same = compared(a, again)
    assert {(p.change, p.direction) for p in same.paired} == {(0.0, "same")}
    assert all(p.ci is not None and p.ci[0] < 0 < p.ci[1] for p in same.paired)
    assert [*same.worse, *same.better] == []
    assert all((s.before, s.before_ci) == (s.after, s.after_ci) for s in same.beside)
    there, back = compared(a, b), compared(b, a)
    for metric in ("wer", "cer", "sentence_error_rate", "success_rate"):
        one, other = change(there, metric), change(back, metric)
        assert (one.before, one.after) == (other.after, other.before)
        assert one.change == pytest.approx(-(other.change or 0.0))
        assert one.ci is not None
        assert other.ci is not None
        assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]))
    turned = [
        (m.id, m.errors_after, m.errors_before, m.after, m.before, m.length) for m in back.better
    ]
    assert turned == [
        (m.id, m.errors_before, m.errors_after, m.before, m.after, m.length) for m in there.worse
    ]
    assert [tuple((r, y, x) for r, x, y in m.columns) for m in there.worse] == [
        m.columns for m in back.better
    ]


# Words in columns.


def test_columns_by_hand() -> None:
    """Both alignments share the reference; what was inserted stands between its words."""
    before = [Edit("a", "a"), Edit(None, "x"), Edit("b", None), Edit("c", "c")]
    after = [Edit("a", "y"), Edit("b", "b"), Edit("c", "c"), Edit(None, "z")]
    assert columns(before, after) == (
        ("a", "a", "y"),
        (None, "x", None),
        ("b", None, "b"),
        ("c", "c", "c"),
        (None, None, "z"),
    )


@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(st.sampled_from("abc"), max_size=8),
    one=st.lists(st.sampled_from("abcx"), max_size=8),
    two=st.lists(st.sampled_from("abcx"), max_size=8),
)
def test_columns_lose_nothing(said: list[str], one: list[str], two: list[str]) -> None:
    old, new = (
        align([Prediction("u", " ".join(said), " ".join(text), 1.0, 0.1)], "none")
        for text in (one, two)
    )
    found = columns(old.edits(0), new.edits(0))
    for place, words in enumerate((said, one, two)):
        assert [c[place] for c in found if c[place] is not None] == words


# What does not fit together.


def test_missing_utterances_are_said(tmp_path: Path) -> None:
    before, after = heard([SAID] * 30), heard([wrong(1)] * 32)[2:]
    c = compared(
        asr_run(tmp_path / "a", 1, {MODEL: before}), asr_run(tmp_path / "b", 2, {MODEL: after})
    )
    (pairing,) = c.pairings
    assert (pairing.n, pairing.only_before, pairing.only_after) == (
        28,
        ["u000", "u001"],
        ["u030", "u031"],
    )
    assert change(c, "wer").n == 28
    said = render(Report(c.run, [c], False))
    assert "compared on the 28 utterances of both; 2 missing now (u000, u001), 2 missing" in said
    assert any("2 utterances are missing" in line for line in c.regressions(False))


@pytest.mark.parametrize(
    ("later", "says"),
    [
        ({"corpora": {CORPUS: "e" * 64}}, "the corpus some-corpus is another one (content hash cccccccccccc in "),
        ({"corpora": {}}, "content hash cccccccccccc"),
        ({"normalizer": "lower"}, "scored with the normalizer none in "),
    ],
    ids=["corpus", "unknown corpus", "normalizer"],
)  # fmt: skip
def test_another_is_refused_while_the_rest_goes_on(
    tmp_path: Path, later: dict[str, Any], says: str
) -> None:
    texts = {MODEL: heard([SAID] * 20)}
    a = asr_run(tmp_path / "a", 1, texts)
    b = asr_run(tmp_path / "b", 2, texts, **later)
    # The latency of a fixed clip is comparable all the same.
    for folder, seconds in ((a, 0.1), (b, 0.2)):
        card = json.loads((folder / "scorecard.json").read_text())
        clip = row(MODEL, "latency_p95", seconds, task="latency", corpus="clip-5s")
        card["measurements"].append(clip)
        write_run(folder, card)
    c = compared(a, b)
    (refused,) = c.refused
    assert says in refused.reason
    assert not refused.broken
    assert not c.paired
    assert [(s.metric, s.before, s.after) for s in c.beside] == [("latency_p95", 0.1, 0.2)]
    assert len(c.regressions(False)) == 1


def test_another_reference_is_refused(tmp_path: Path) -> None:
    a = asr_run(tmp_path / "a", 1, {MODEL: heard([SAID] * 4)})
    b = asr_run(tmp_path / "b", 2, {MODEL: heard([SAID] * 4, [SAID, SAID, "other", SAID])})
    (refused,) = compared(a, b).refused
    assert "other references in" in refused.reason
    assert "u002" in refused.reason


def test_another_task_is_said(tmp_path: Path) -> None:
    a = asr_run(tmp_path / "a", 1, {"one": heard([SAID] * 4)})
    b = write_run(tmp_path / "b", document(2, [row("one", "wer", 0.1, task="tts")]))
    c = compared(a, b)
    assert c.only == [
        f"{a} alone has one on {CORPUS} (asr)",
        f"{b} alone has one on {CORPUS} (tts)",
    ]


def test_a_task_that_nothing_pairs_is_said(tmp_path: Path) -> None:
    """In the terminal, the JSON and the page; of one that is not known here, what would help."""
    runs = []
    for number, name in enumerate("ab", start=1):
        rows = [row("m", "latency_p50", 0.1, task=task, unit="s") for task in ("latency", "wake")]
        runs.append(write_run(tmp_path / name, document(number, rows)))
    report = read_report([str(run) for run in runs], THRESHOLDS)
    for text in (render(report), json.dumps(as_json(report)), page(report)):
        assert text.count("latency: put side by side, not paired") == 1
        assert text.count("wake: put side by side, not paired") == 1
        assert "--plugin-file before" in text


def test_a_metric_that_is_not_known_here_comes_with_a_hint(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", document(1, [{**row("m", "wer", 0.1), "metric": "purr_rate"}]))
    with pytest.raises(RunError, match=r"unknown metric 'purr_rate'; .* --plugin-file FILE"):
        read_report([str(run), str(run)], THRESHOLDS)


def test_a_model_that_did_not_run_is_no_pass(tmp_path: Path) -> None:
    a = asr_run(tmp_path / "a", 1, {MODEL: heard([SAID] * 4)})
    missing = row(MODEL, "wer", None, verdict="error", reason="it could not be loaded")
    b = write_run(tmp_path / "b", document(2, [missing]))
    c = compared(a, b)
    assert c.refused[0].reason.endswith("has no figure of some-model: it could not be loaded")
    assert c.regressions(False)


# Which models are compared.


def test_models_are_paired_by_name_or_map(tmp_path: Path) -> None:
    texts, worse = heard([SAID] * 20), heard([wrong(1)] * 20)
    a = asr_run(tmp_path / "a", 1, {"one": texts, "two": texts, "gone": texts})
    b = asr_run(tmp_path / "b", 2, {"one": texts, "two": worse, "three": worse})
    c = compared(a, b)
    assert {p.of.model for p in c.paired} == {"one", "two"}
    assert c.only == [f"{a} alone has the model gone", f"{b} alone has the model three"]
    c = compared(a, b, renamed={"one": "three"})
    assert change(c, "wer", model="one").change == pytest.approx(1 / 8)
    assert {p.of.model for p in c.paired} == {"one -> three", "two"}


def test_two_models_of_one_run(tmp_path: Path) -> None:
    texts = {"one": heard([SAID] * 20), "two": heard([wrong(2)] * 20), "three": heard([""] * 20)}
    a = asr_run(tmp_path / "a", 1, texts)
    c = compared(a, a, renamed={"one": "two"})
    assert {p.of.model for p in c.paired} == {"one -> two"}
    assert change(c, "wer", model="one").change == pytest.approx(2 / 8)
    assert c.worse[0].id == "u000"
    assert not c.only


def test_every_other_run_is_compared_with_the_first(tmp_path: Path) -> None:
    runs = [str(asr_run(tmp_path / str(n), n, {MODEL: heard([wrong(n)] * 20)})) for n in (1, 2, 3)]
    report = read_report(runs, THRESHOLDS)
    assert report.reference.id == "run-1"
    assert [c.run.id for c in report.comparisons] == ["run-2", "run-3"]
    assert [round((change(c, "wer").change or 0) * 8, 6) for c in report.comparisons] == [1, 2]


def test_what_else_differs_is_said(tmp_path: Path) -> None:
    texts = {MODEL: heard([SAID] * 4)}
    a = asr_run(tmp_path / "a", 1, texts)
    b = asr_run(
        tmp_path / "b",
        2,
        texts,
        models=[model_record(MODEL, options={"beam_size": 5}, packages={"an-engine": "2.0"})],
        provenance={"cores": 8},
    )
    assert compared(a, b).differences == [
        "code: 111111111111, now 222222222222",
        "cores: 2, now 8",
        "some-model: option beam_size: 1, now 5",
        "some-model: package an-engine: 1.0, now 2.0",
    ]


def test_another_engine_has_other_options_by_nature(tmp_path: Path) -> None:
    texts = {"one": heard([SAID] * 4), "two": heard([SAID] * 4)}
    other = model_record("two", engine="another", options={"ds": 1}, packages={"b": "1"})
    a = asr_run(tmp_path / "a", 1, texts, models=[model_record("one"), other])
    c = compared(a, a, renamed={"one": "two"})
    assert c.differences == ["one -> two: engine: an_engine, now another"]


def test_speed_claims_nothing_and_says_its_conditions(tmp_path: Path) -> None:
    a = asr_run(tmp_path / "a", 1, {MODEL: heard([SAID] * 4)})
    b = asr_run(tmp_path / "b", 2, {MODEL: heard([SAID] * 4)}, conditions=["contended"])
    c = compared(a, b)
    (rtf,) = [s for s in c.beside if s.metric == "rtf"]
    assert (rtf.before, rtf.after_conditions) == (0.1, ("contended",))
    assert rtf.before_ci is not None
    assert rtf.before_ci[0] == pytest.approx(0.1)
    assert 0.1 < rtf.before_ci[1] < 0.13  # four alike are not certain
    assert "rtf" not in {p.metric for p in c.paired}
    said = render(Report(c.run, [c], False))
    assert "0.100 ~ contended" in said
    assert "contended: its times are not the models' own" in said


# Voices and conversations.


def spoken(number: int, text: str, heard: str, **more: Any) -> Spoken:
    return Spoken(f"s{number}", text, "s.wav", 1.0, 16000, 0.1, heard={"judge": heard}, **more)


def test_voices_by_hand(tmp_path: Path) -> None:
    before = [spoken(0, "a b c d", "a b c d"), spoken(1, "a b c d", "a b"), spoken(2, "...", "")]
    after = [spoken(0, "a b c d", "x b c d"), spoken(1, "a b c d", "a b c"), spoken(2, "...", "")]
    after[1] = replace(after[1], error="it died")
    for name, number, lines in (("a", 1, before), ("b", 2, after)):
        rows = [
            row("voice", "wer", 0.1, task="tts", normalizer="none"),
            row("voice", "usable_rate", 0.9, task="tts"),
        ]
        write_run(tmp_path / name, document(number, rows))
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", lines)
    c = compared(tmp_path / "a", tmp_path / "b")
    wer = change(c, "wer", "judge=judge", "voice")
    # Of 9 words, "..." being one with this normalizer: 2 + 1 missed before, 1 + 1 + 1 now.
    assert (wer.before, wer.after) == (3 / 9, 3 / 9)
    answered = change(c, "success_rate", model="voice")
    assert (answered.before, answered.after, answered.n) == (1.0, 0.5, 2)
    assert [m.id for m in c.worse] == ["s0"]
    assert [m.id for m in c.better] == ["s1"]
    assert [s.metric for s in c.beside] == ["usable_rate"]


@pytest.mark.parametrize("after", ["Resemblyzer 0.1.4", "microsoft/wavlm-base-plus-sv"])
def test_figures_of_two_encoders_are_not_compared(tmp_path: Path, after: str) -> None:
    for name, number, by in (("a", 1, "Resemblyzer 0.1.4"), ("b", 2, after)):
        rows = [
            row("voice", "wer", 0.1, task="tts", normalizer="none"),
            row("voice", "speaker_similarity", 0.8, task="tts", by=by),
        ]
        write_run(tmp_path / name, document(number, rows))
        lines = [spoken(0, "a b c d", "a b c d")]
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", lines)
    c = compared(tmp_path / "a", tmp_path / "b")
    same = after == "Resemblyzer 0.1.4"
    assert [s.metric for s in c.beside] == ["speaker_similarity"] * same
    told = [note for note in c.notes if "speaker_similarity is not compared" in note]
    assert len(told) == (not same)
    assert all("by Resemblyzer 0.1.4 in" in note and f"by {after} in" in note for note in told)


def test_margins_hold_for_the_first_judge(tmp_path: Path) -> None:
    rules = thresholds_file.BaselineRules(inconclusive="pass", margins={"tts": {"wer": 0.0}})
    strict = THRESHOLDS.model_copy(update={"baseline": rules})
    for name, number, said in (("a", 1, "a b"), ("b", 2, "a")):
        lines = [
            Spoken(f"s{i}", "a b", "s.wav", 1.0, 16000, 0.1, heard={"first": said, "second": said})
            for i in range(40)
        ]
        rows = [row("voice", "wer", 0.1, task="tts", normalizer="none")]
        write_run(tmp_path / name, document(number, rows))
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", lines)
    (c,) = read_report([str(tmp_path / "a"), str(tmp_path / "b")], strict).comparisons
    verdicts = {p.of.slice: p.verdict for p in c.paired if p.metric == "wer"}
    assert verdicts == {"judge=first": "fail", "judge=second": None}


def test_without_a_change_what_more_would_show_goes_with_the_size(tmp_path: Path) -> None:
    """The interval of no change is of what is too rare to be seen, so that twice as many halve it."""
    rules = thresholds_file.BaselineRules(
        inconclusive="pass", margins={"tts": {"success_rate": 0.01}}
    )
    strict = THRESHOLDS.model_copy(update={"baseline": rules})
    for name, number in (("a", 1), ("b", 2)):
        rows = [row("voice", "wer", 0.1, task="tts", normalizer="none")]
        write_run(tmp_path / name, document(number, rows))
        lines = [spoken(i, "a b", "a b") for i in range(40)]
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", lines)
    (c,) = read_report([str(tmp_path / "a"), str(tmp_path / "b")], strict).comparisons
    answered = change(c, "success_rate", model="voice")
    assert (answered.verdict, answered.direction) == ("inconclusive", "same")
    assert answered.ci is not None
    assert answered.further_utterances is not None
    assert 40 + answered.further_utterances == pytest.approx(40 * answered.ci[1] / 0.01, abs=1)


def test_a_judge_that_failed_leaves_no_figure(tmp_path: Path) -> None:
    good, deaf = spoken(0, "a b", "a b"), Spoken("s0", "a b", "s.wav", 1.0, 16000, 0.1, unheard={"judge": "it died"})  # fmt: skip
    for name, number, line in (("a", 1, good), ("b", 2, deaf)):
        rows = [row("voice", "wer", 0.1, task="tts", normalizer="none")]
        write_run(tmp_path / name, document(number, rows))
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", [line])
    c = compared(tmp_path / "a", tmp_path / "b")
    wer = change(c, "wer", "judge=judge", "voice")
    assert (wer.change, wer.reason) == (None, "judge failed on 1 sentences: it died")
    assert "not measured: judge failed" in render(Report(c.run, [c], False))


def test_a_judge_that_failed_on_a_sentence_costs_that_sentence(tmp_path: Path) -> None:
    good = [spoken(n, "a b", "a b") for n in range(3)]
    deaf = Spoken("s1", "a b", "s.wav", 1.0, 16000, 0.1, unheard={"judge": "it died"})
    for name, number, lines in (("a", 1, good), ("b", 2, [good[0], deaf, good[2]])):
        rows = [row("voice", "wer", 0.1, task="tts", normalizer="none")]
        write_run(tmp_path / name, document(number, rows))
        write_lines(tmp_path / name / "voice" / "tts" / f"{CORPUS}.jsonl", lines)
    c = compared(tmp_path / "a", tmp_path / "b")
    wer = change(c, "wer", "judge=judge", "voice")
    assert (wer.before, wer.n) == (0, 3)
    assert wer.after == pytest.approx(2 / 6)
    assert any("all deletions where judge failed on 1 sentences: it died" in n for n in c.notes)


def silence(texts: Sequence[str], seconds: float = 30.0) -> list[Prediction]:
    """What was heard in non-speech: s0, s1, ..."""
    return [Prediction(f"s{n}", "", text, seconds, 0.1) for n, text in enumerate(texts)]


def hallucination_run(folder: Path, number: int, lines: Sequence[Prediction]) -> Path:
    figures = hallucination(lines, "lower")
    rows = [
        row(MODEL, metric, figure.value, task="hallucination", normalizer="lower")
        for metric, figure in figures.items()
    ]
    write_run(folder, document(number, rows))
    write_lines(folder / MODEL / "hallucination" / f"{CORPUS}.jsonl", lines)
    return folder


def test_words_where_nobody_spoke_are_compared_in_pairs(tmp_path: Path) -> None:
    """30 s each: two minutes in all, of which one clip says three words more, and one one less."""
    talk = [Prediction("t", "turn on the light", "turn on the light", 2.0, 0.1)]
    before = [*silence(["", "you", "", "thank you"]), *talk]
    after = [*silence(["thank you so much", "", "", "thank you"]), *talk]
    a, b = (
        hallucination_run(tmp_path / name, number, lines)
        for name, number, lines in (("a", 1, before), ("b", 2, after))
    )
    c = compared(a, b)
    assert not c.refused
    spoken_words = change(c, "hallucinated_words_per_minute")
    assert (spoken_words.before, spoken_words.after, spoken_words.n) == (3 / 2, 6 / 2, 4)
    assert spoken_words.change == pytest.approx(3 / 2)
    rate = change(c, "hallucination_rate")
    assert (rate.before, rate.after, rate.change) == (2 / 4, 2 / 4, 0)
    assert [(m.id, m.added) for m in c.worse] == [("s0", 4)]
    assert [(m.id, m.added) for m in c.better] == [("s1", -1)]
    assert {s.metric for s in c.beside} >= {"loops", "phantom_phrases"}
    assert not {s.metric for s in c.beside} & {p.metric for p in c.paired}
    assert "hallucination" in render(Report(c.run, [c], False))


def test_silence_that_was_not_answered_is_no_silence(tmp_path: Path) -> None:
    ends = Prediction("e", "turn on", "turn on", 2.0, 0.1, category=SPEECH_ENDS)
    before = [*silence(["", "you"]), ends]
    after = [before[0], replace(before[1], hypothesis="", error="it died"), ends]
    c = compared(
        hallucination_run(tmp_path / "a", 1, before), hallucination_run(tmp_path / "b", 2, after)
    )
    rate = change(c, "hallucination_rate")
    assert (rate.change, rate.reason) == (None, "1 of 2 were not answered in one of the runs")


DIALOGUES = """schema_version: 1
dialogues:
  - id: lights
    turns:
      - {role: user, text: turn on the light}
      - {role: assistant, expect: [{contains: "on"}]}
      - {role: user, text: and off}
      - {role: assistant, expect: [{contains: "off"}]}
  - id: time
    turns:
      - {role: user, text: what time is it}
      - {role: assistant, expect: [{contains: noon}]}
"""


def replies(answers: Sequence[str]) -> list[Replied]:
    turns = [("lights", 1, "turn on the light"), ("lights", 2, "and off"), ("time", 1, "what time is it")]  # fmt: skip
    return [
        Replied(f"{d}-{n}", d, n, user, typed=False, answer=answer, understood=user)
        for (d, n, user), answer in zip(turns, answers, strict=True)
    ]


@pytest.fixture
def chats(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two runs of a conversation, of which a turn got worse and one better, and its file."""
    file = tmp_path / "home.yaml"
    file.write_text(DIALOGUES, encoding="utf-8")
    dialogues = read_dialogues(file)
    lines = replies(["it is on", "hm", "noon"]), replies(["it is on", "it is off", "late"])
    lines[1][2] = replace(lines[1][2], understood="what crime is it")
    for name, number, own in (("a", 1, lines[0]), ("b", 2, lines[1])):
        figures = success(own, dialogues)
        rows = [
            row("bot", m, f.value, ci=f.ci, task="chat", corpus="home") for m, f in figures.items()
        ]
        rows.append(row("bot", "user_wer", 0.0, task="chat", corpus="home", normalizer="lower"))
        card = document(number, rows, corpora={"home": dialogues.content_hash})
        write_run(tmp_path / name, card)
        write_lines(tmp_path / name / "bot" / "chat" / "home.jsonl", own)
    return tmp_path / "a", tmp_path / "b", file


def test_conversations_by_hand(chats: tuple[Path, Path, Path]) -> None:
    a, b, file = chats
    c = compared(a, b, dialogue_files=[file])
    turns = change(c, "turn_success_rate", model="bot")
    assert (turns.before, turns.after, turns.change) == (2 / 3, 2 / 3, 0.0)
    assert [(m.id, m.unit, m.why) for m in c.worse] == [
        ("time-1", "turns", "contains: has not 'noon'")
    ]
    assert [m.id for m in c.better] == ["lights-2"]
    # One of ten words.
    assert change(c, "user_wer", model="bot").change == pytest.approx(1 / 10)
    assert "succeeded before, fails now" in render(Report(c.run, [c], False))


def test_without_the_dialogues_turns_are_not_judged(chats: tuple[Path, Path, Path]) -> None:
    a, b, _ = chats
    c = compared(a, b)
    assert "turn_success_rate" not in {p.metric for p in c.paired}
    assert "turn_success_rate" in {s.metric for s in c.beside}
    assert "--dialogues FILE" in c.notes[0]


def test_conditions_are_compared_each(tmp_path: Path) -> None:
    for name, number, errors in (("a", 1, 0), ("b", 2, 1)):
        rows = [
            row(MODEL, "wer", 0.1, task="robustness", normalizer="none", slice=part)
            for part in ("clean", "reverb")
        ]
        folder = write_run(tmp_path / name, document(number, rows)) / MODEL / "robustness" / CORPUS
        write_lines(folder / "clean.jsonl", heard([SAID] * 20))
        write_lines(folder / "reverb.jsonl", heard([wrong(1 + errors)] * 20))
    c = compared(tmp_path / "a", tmp_path / "b")
    assert change(c, "wer", "clean").change == 0
    assert change(c, "wer", "reverb").change == pytest.approx(1 / 8)
    assert {m.of.slice for m in c.worse} == {"reverb"}


# The command.


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A run, and one that is worse in every second utterance."""
    return (
        asr_run(tmp_path / "a", 1, {MODEL: heard([SAID] * 40)}),
        asr_run(tmp_path / "b", 2, {MODEL: heard([wrong(i % 2) for i in range(40)])}),
    )


def test_text_and_status(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*pair, "--show", "2") == 0
    said = capsys.readouterr().out
    assert "Got worse: 20 utterances" in said
    assert (
        "      said    a b c d e f g h\n      before  a b c d e f g h\n      now     x b c" in said
    )
    assert "and 18 more (--show N, --json PATH)" in said
    assert "+6.25" in said
    assert "\x1b" not in said


def test_a_regression_breaks_only_where_asked(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    assert command(a, b, "--fail-on-regression") == 1
    assert "wer got worse past its margin" in capsys.readouterr().err
    assert command(b, a, "--fail-on-regression") == 0


def test_json_has_everything(pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    assert command(*pair, "--json", path) == 0
    (one,) = json.loads(path.read_text())["comparisons"]
    assert len(one["worse"]) == 20
    assert one["worse"][0]["added"] == 1
    assert one["worse"][0]["columns"][0] == ["a", "a", "x"]
    assert one["regressions"]
    assert json.loads(path.read_text())["reference"]["id"] == "run-1"
    report = read_report([str(p) for p in pair], THRESHOLDS)
    assert json.loads(json.dumps(as_json(report))) == json.loads(path.read_text())


def test_texts_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[31m[red]\u202e\ud800 b"
    a = asr_run(tmp_path / "a", 1, {MODEL: heard([SAID] * 4)})
    b = asr_run(tmp_path / "b", 2, {MODEL: heard([evil] * 4)})
    assert command(a, b, "--json", tmp_path / "c.json") == 0
    said = capsys.readouterr().out
    assert "[31m[red]" in said
    assert not {"\x1b", "\u202e", "\ud800"} & set(said)


@pytest.mark.parametrize("arguments", [["one"], ["one", "two", "--map", "a"], ["one", "two", "--map", "a=a"],
    ["one", "two", "--map", "a=b", "--map", "a=c"], ["one", "two", "--show", "-1"]])  # fmt: skip
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(*arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def _no_run(a: Path, b: Path) -> list[str | Path]:
    return [a, a.parent / "nothing"]


def _no_scorecard(a: Path, b: Path) -> list[str | Path]:
    (b / "scorecard.json").write_text('{"run": 3}')
    return [a, b]


def _same_run(a: Path, b: Path) -> list[str | Path]:
    return [a, b, a]


def _same_run_later(a: Path, b: Path) -> list[str | Path]:
    return [a, b, b, "--map", "some-model=other"]


def _no_predictions(a: Path, b: Path) -> list[str | Path]:
    (b / MODEL / "asr" / f"{CORPUS}.jsonl").unlink()
    return [a, b]


def _broken_line(a: Path, b: Path) -> list[str | Path]:
    with (b / MODEL / "asr" / f"{CORPUS}.jsonl").open("a") as file:
        file.write('{"id": "u99", "refer\n')
    return [a, b]


def _no_text(a: Path, b: Path) -> list[str | Path]:
    path = b / MODEL / "asr" / f"{CORPUS}.jsonl"
    path.write_text(path.read_text().replace('"hypothesis": "a b c d e f g h"', '"hypothesis": 3'))
    return [a, b]


def _twice(a: Path, b: Path) -> list[str | Path]:
    path = b / MODEL / "asr" / f"{CORPUS}.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    return [a, b]


def _unknown_model(a: Path, b: Path) -> list[str | Path]:
    return [a, b, "--map", "nobody=some-model"]


def _no_dialogues(a: Path, b: Path) -> list[str | Path]:
    return [a, b, "--dialogues", a / "none.yaml"]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_same_run_later, "{root}/b: the same run as {root}/b"),
        (_no_run, "no scorecard at {root}/nothing"),
        (_no_scorecard, "{root}/b/scorecard.json: run: "),
        (_same_run, "{root}/a: the same run as {root}/a (two models of one run are compared by"),
        (
            _no_predictions,
            "{root}/b/some-model/asr/some-corpus.jsonl: cannot be read: No such file",
        ),
        (_broken_line, "{root}/b/some-model/asr/some-corpus.jsonl:41: not JSON"),
        (
            _no_text,
            "{root}/b/some-model/asr/some-corpus.jsonl:1: not a prediction: hypothesis is no text",
        ),
        (_twice, "{root}/b/some-model/asr/some-corpus.jsonl:41: id 'u000' is that of line 1 too"),
        (
            _unknown_model,
            "--map nobody=some-model: no model nobody in {root}/a. Models: some-model",
        ),
        (_no_dialogues, "{root}/a/none.yaml: no such file"),
    ],
)
def test_bad_input_gets_one_clear_line(
    pair: tuple[Path, Path],
    harm: Callable[[Path, Path], list[str | Path]],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = harm(*pair)
    assert command(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says.format(root=pair[0].parent) in line


def test_runs_with_nothing_in_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = asr_run(tmp_path / "a", 1, {"one": heard([SAID])})
    b = asr_run(tmp_path / "b", 2, {"two": heard([SAID])})
    assert command(a, b) == 1
    assert "have nothing in common" in capsys.readouterr().err


def test_a_copy_is_the_same_run(pair: tuple[Path, Path], tmp_path: Path) -> None:
    card = json.loads((pair[0] / "scorecard.json").read_text())
    copy = write_run(tmp_path / "copy", card)
    with pytest.raises(RunError, match="the same run as"):
        read_report([str(pair[0]), str(copy)], THRESHOLDS)


# The page.


def test_the_page_lists_the_worst_and_shows_text_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "<script>alert(1)</script> \u202e b"
    before = heard([SAID] * 300)
    after = heard([evil] + [wrong(1 + i % 3) for i in range(299)])
    a = asr_run(tmp_path / "a", 1, {MODEL: before})
    b = asr_run(tmp_path / "b", 2, {MODEL: after})
    path = tmp_path / "compare.html"
    assert command(a, b, "--html", path) == 0
    assert f"Written: {path}" in capsys.readouterr().out
    text = path.read_text(encoding="utf-8")
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\u202e" not in text
    assert "u000" in text.partition("u002")[0]  # eight words are wrong: it is the first
    assert text.count('<li data-of="') == 200
    assert "Shown are the first 200" in text
    assert "Worse past its margin" in text
    for outside in ("http:", "https:", "src=", "@import", "url("):
        assert outside not in text.replace("http://www.w3.org/2000/svg", "")


def test_right_to_left_text_is_laid_out_so(tmp_path: Path) -> None:
    hebrew = "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"
    a = asr_run(tmp_path / "a", 1, {MODEL: heard([hebrew] * 3, hebrew)})
    b = asr_run(tmp_path / "b", 2, {MODEL: heard(["\u05e9\u05dc\u05d5\u05dd"] * 3, hebrew)})
    path = tmp_path / "compare.html"
    assert command(a, b, "--html", path) == 0
    assert path.read_text(encoding="utf-8").count('class="words three" dir="rtl"') == 3


def test_the_policy_lets_the_own_script_and_style_run_and_no_other(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "compare.html"
    assert command(*pair, "--html", path) == 0
    text = path.read_text(encoding="utf-8")
    policy = text.partition('http-equiv="Content-Security-Policy" content="')[2].partition('">')[0]
    assert "default-src &#39;none&#39;" in policy
    for tag in ("script", "style"):
        assert text.count(f"<{tag}>") == 1
        inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
