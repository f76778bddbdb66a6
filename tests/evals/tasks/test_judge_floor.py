"""What a judge mishears in every voice is no fault of one: the floor, and what limits hold for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adapters.interface import Audio, Transcript
from adapters.worker.results import Timed, WorkerError
from evals.gate.thresholds import load
from evals.gate.verdict import decide
from evals.judges.asr_judge import Judge
from evals.measures.statistics.further_evidence import further_evidence
from evals.records.measurement import Figure, Limit, Measurement, from_property
from evals.records.spoken import Spoken
from evals.tasks.tts.intelligibility import by_part, intelligibility
from evals.tasks.tts.second_voices import SecondVoices
from reports.scorecard.grades import grade_models
from tests.support.toy_engine import RATE, samples_of, text_of

TENTH = Limit("max", 0.10, "production")


def line(
    text: str, heard: str | Mapping[str, str], second: Mapping[str, Mapping[str, str]] | None = None, **more: Any
) -> Spoken:  # fmt: skip
    said = {"judge": heard} if isinstance(heard, str) else dict(heard)
    row: dict[str, Any] = {"heard": said, "heard_second": second or {}, **more}
    return Spoken(text, text, "a.wav", 1.0, 16_000, 0.1, **row)


def other(*heard: str, judge: str = "judge") -> Mapping[str, Mapping[str, str]]:
    """What the judge heard of each other voice."""
    return {f"voice-{n}": {judge: said} for n, said in enumerate(heard)}


def test_floor_by_hand() -> None:
    lines = [
        line("call mom now", "call mom now"),  # right: 0 of 3
        line("ask siobhan", "ask chevron", other("ask shiva on")),  # 1 here, 2 there: the judge's
        line("mute the music", "new at the music", other("mute the music")),  # 2, and right there
        line("see reykjavik", "sea rake", other("see rake", "sea rag")),  # 2 here, 1 at best there
        line("stop it", {"judge": "top it", "second": "stop it"}, other("stop eat")),  # heard right
    ]
    figures = intelligibility(lines, "judge", "lower", ["voice-0", "voice-1"])
    assert figures["wer"].value == pytest.approx(6 / 12)
    assert figures["wer_above_floor"].value == pytest.approx(3 / 12)
    assert figures["judge_floor"].value == pytest.approx(3 / 12)
    assert figures["wer"].own is not None
    assert figures["wer"].own[0] == pytest.approx(3 / 12)
    assert "the judge: 25.0% of words it mishears in voice-0, voice-1 too" in str(
        figures["wer"].reason
    )
    assert figures["wer"].by == "judge"


@pytest.mark.parametrize(("hears", "floor"), [("see", 1 / 2), ("", 0.0)])
def test_voice_that_the_judge_is_deaf_to_tells_nothing(hears: str, floor: float) -> None:
    """It would take off all errors of any voice."""
    lines = [line("see xuan", "sea swan", other(hears)) for _ in range(4)]
    figures = intelligibility(lines, "judge", "lower", ["voice-0"])
    assert figures["judge_floor"].value == pytest.approx(floor)


def test_what_was_never_said_or_heard_is_the_voices() -> None:
    """Nothing is forgiven where the voice or the judge failed, or no other voice was asked."""
    lines = [
        line("call mom now", "", other("call mum now"), error="it broke"),
        line("mute it", "new it"),
        Spoken("c", "go on", "a.wav", 1.0, 16_000, 0.1, unheard={"judge": "died"}),
    ]
    figures = intelligibility(lines, "judge", "lower", ["voice-0"])
    assert figures["wer_above_floor"].value == figures["wer"].value == pytest.approx(6 / 7)
    assert figures["judge_floor"].value == 0
    alone = intelligibility(lines, "judge", "lower", [])
    assert alone["judge_floor"].value is None
    assert alone["wer"].own is None
    assert "judge_floor" not in intelligibility(lines, "judge", "lower")  # a run of before


def test_sentences_that_the_judge_cannot_know_are_counted() -> None:
    known = [line(text, text) for text in ("call mom", "stop", "go on")]
    lines = [*known, line("say мир", {}), line("...", {})]
    wer = intelligibility(lines, "judge", "lower", [])["wer"]
    assert wer.reason == "1 of 4 sentences are left out, which judge cannot know"


def test_parts_have_a_floor_and_categories_of_few_sentences_are_told() -> None:
    names = [line("see xuan", "see swan", other("see swan"), category="names") for _ in range(4)]
    plain = [line("call mom", "call mom", category="plain") for _ in range(4)]
    found = by_part([*names, *plain], "judge", "lower", ["voice-0"])
    assert {name: figure.n for name, figure in found.items()} == {
        "category=names": 4, "category=plain": 4,
    }  # fmt: skip
    assert found["category=names"].value == 0.5
    assert (found["category=names"].own or (1,))[0] == 0.0


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        (None, "fail"),
        ((0.02, 0.01, 0.04), "inconclusive"),  # nearly all of it is the judge's
        ((0.12, 0.08, 0.16), "inconclusive"),
        ((0.20, 0.15, 0.25), "fail"),  # what is left breaks it too
    ],
)
def test_a_limit_holds_for_what_is_above_the_floor(
    own: tuple[float, float, float] | None, verdict: str
) -> None:
    figure = Figure(0.24, 80, (0.2, 0.3), own=own)
    assert decide(figure, [TENTH])[0] == verdict
    if own is not None and TENTH.keeps(own[0]):
        assert further_evidence(figure, TENTH).utterances is None
    assert decide(replace(figure, value=0.05, ci=(0.02, 0.08)), [TENTH])[0] == "pass"


def test_part_travels_with_its_measurement() -> None:
    row = Measurement(
        "v", "tts", "c", "wer", 0.24, "ratio", 80, "inconclusive", own=(0.1, 0.0, 0.2)
    )
    assert from_property(row.as_property()[1]) == row


@pytest.mark.parametrize(
    ("own", "letter"), [(None, "D"), ((0.02, 0.01, 0.04), "C"), ((0.3, 0.2, 0.4), "D")]
)
def test_what_may_be_the_judges_is_never_a_d(
    own: tuple[float, float, float] | None, letter: str
) -> None:
    """By the bands of wer a 24 % is a D; the part above the floor alone can be one."""
    shared: dict[str, Any] = {"model": "v", "task": "tts", "corpus": "c", "unit": "ratio", "n": 80}
    rows = [
        Measurement(metric="wer", value=0.24, verdict="no_limit", own=own, **shared),
        Measurement(metric="cer", value=0.01, verdict="no_limit", **shared),
    ]
    (grade,) = grade_models(rows, ["v"], load(), "tier", frozenset())
    assert grade.corpora[0].metrics["tts/wer"] == letter
    assert grade.grade == letter


class Ear:
    """Writes down what was said to it, but for the words that it never gets right."""

    alive = True
    languages = ("en",)

    def __init__(self) -> None:
        self.asked = 0

    def transcribe(self, audio: Audio) -> Timed[Any]:
        self.asked += 1
        return Timed(Transcript(text_of(audio).replace("siobhan", "chevron")), 0.1)


def voices(*kinds: str) -> tuple[SecondVoices, list[str]]:
    """Voices that say a text, that mumble, or that fail; and what they were asked to say."""
    said: list[str] = []

    def voice(kind: str) -> Any:
        def say(text: str) -> Audio:
            said.append(f"{kind}: {text}")
            if kind == "fails":
                raise WorkerError("crashed", "it died")
            said_so = samples_of("mumble" if kind == "mumbles" else text)
            return Audio((said_so / 32768).astype(np.float32), RATE)

        return say

    return SecondVoices({kind: voice(kind) for kind in kinds}), said


def hear(second: SecondVoices, text: str, heard: str, lang: str | None = None) -> Mapping[str, Any]:
    judge = Judge("judge", Ear())  # type: ignore[arg-type]  # a toy
    return second.hear(text, lang, {"judge": heard}, [judge], "lower")


def test_other_voices_are_asked_for_what_was_misheard_alone() -> None:
    second, said = voices("mumbles", "fails", "speaks", "never")
    assert hear(second, "call mom", "Call mom") == {}
    assert said == []
    assert hear(second, "call mom", "call tom") == {
        "mumbles": {"judge": "mumble"},
        "speaks": {"judge": "call mom"},
    }
    assert said == ["mumbles: call mom", "fails: call mom", "speaks: call mom"]
    again = second.without(["mumbles", "fails"])
    assert again.names == ["speaks", "never"]
    assert hear(again, "call mom", "tall mom") == {"speaks": {"judge": "call mom"}}
    assert len(said) == 3  # it is known what was heard of it


def test_what_is_misheard_in_every_voice_is_asked_of_all() -> None:
    second, _ = voices("speaks", "repeats")
    assert [*hear(second, "ask siobhan", "ask shiva")] == ["speaks", "repeats"]
    assert hear(second, "frag siobhan", "frag schwan", "de") == {}  # they speak English


def test_order_of_lines_changes_no_floor() -> None:
    lines: Sequence[Spoken] = [
        line(
            f"see number {n}",
            f"sea number {n}",
            other("see number" if n % 2 else f"sea number {n}"),
        )
        for n in range(6)
    ]
    one = intelligibility(lines, "judge", "lower", ["voice-0"])["judge_floor"].value
    assert one == intelligibility(lines[::-1], "judge", "lower", ["voice-0"])["judge_floor"].value
