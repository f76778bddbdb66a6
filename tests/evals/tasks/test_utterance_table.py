"""A corpus scored in one pass: the same figures in whatever batches, and no text that stays."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import jiwer
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evals.measures.run_conditions import BUSY
from evals.measures.speed.timings import Timings
from evals.measures.statistics.speaker_ids import Speakers
from evals.measures.text import alignment, confusions
from evals.measures.text.error_rate import character_counts, counts_of, word_counts
from evals.measures.text.slices import slices
from evals.measures.text.whisper_english import whisper_english
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy_of, details, speed, speed_of
from evals.tasks.asr.utterance_table import Table, tabulate

pytestmark = pytest.mark.slow

ENGLISH = "whisper-english"
_WORDS = ["Set", "a", "timer", "for", "ten", "minutes,", "25", "don't", "Anna", "Lee.", "light", ""]


def _spoken(n: int, seed: int = 1) -> list[Prediction]:
    """Utterances with all that the figures look at, and some without."""
    rng = random.Random(seed)
    rows = []
    for number in range(n):
        said = rng.choices(_WORDS, k=rng.randrange(9))
        heard = [w for w in said if rng.random() > 0.1] + rng.choices(_WORDS, k=rng.randrange(2))
        seconds = rng.random() if rng.random() > 0.1 else None
        rows.append(
            Prediction(
                id=f"u{number}",
                reference=" ".join(said),
                hypothesis=" ".join(heard) if seconds is not None else "",
                audio_seconds=rng.uniform(0.5, 9.0),
                processing_seconds=seconds,
                error=None if seconds is not None else "it died",
                speaker=f"s{rng.randrange(5)}",
                category=rng.choice(["timer", "light", None]),
                first_token_seconds=seconds and seconds / 2,
                metadata={"room": number % 4, "entities": ["Anna Lee"]},
                waited_seconds=seconds and seconds * rng.random() / 5,
                joules=seconds,
                energy_method="nvml",
            )
        )
    return rows


def _figures(table: Table) -> Mapping[str, Any]:
    parts = slices(table, table.parts)
    return {
        **accuracy_of(table),
        **details(table),
        **speed_of(table.timings),
        **parts.rates(),
        "worst": parts.worst(),
        "under": table.under,
        "confusions": table.confusions.most(),
    }


def test_batches_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _spoken(130)
    monkeypatch.setattr(alignment, "BATCH", len(rows))
    whole = _figures(tabulate(rows, ENGLISH))
    monkeypatch.setattr(confusions, "_COUNTED_AT", 9)
    for size in (1, 7, 129):
        monkeypatch.setattr(alignment, "BATCH", size)
        assert _figures(tabulate(rows, ENGLISH)) == whole
    kinds = {
        "number_error_rate",
        "entity_error_rate",
        "casing_error_rate",
        "punctuation_error_rate",
    }
    assert kinds | {"energy", "first_token_p95", "room=3", "speaker=s4"} <= whole.keys()


class _Watched(Prediction):
    __slots__ = ("__weakref__",)


def test_predictions_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "BATCH", 20)
    known: list[weakref.ref[_Watched]] = []
    most = 0

    def stream() -> Iterator[Prediction]:
        nonlocal most
        for row in _spoken(400):
            watched = _Watched(**asdict(row))
            known.append(weakref.ref(watched))
            most = max(most, sum(one() is not None for one in known))
            yield watched

    assert len(tabulate(stream(), ENGLISH).words) == 400
    assert 20 <= most <= 3 * 20, "all predictions are kept"


def test_nothing_at_all() -> None:
    table = tabulate([], ENGLISH)
    assert accuracy_of(table)["wer"].value is None
    assert details(table)["loops"].value == 0
    assert speed_of(table.timings)["rtf"].value is None
    assert (table.parts, table.confusions.most()) == ([], [])
    with pytest.raises(ValueError, match="no normalizer is called 'mine'"):
        tabulate(_spoken(1), "mine")


def test_latency_of_a_batch_is_that_of_its_call() -> None:
    """Four answered together in 2 s, half a second of it theirs each; one alone in 1 s."""
    one = replace(_spoken(1)[0], audio_seconds=5.0, error=None, first_token_seconds=None)
    together = replace(
        one, processing_seconds=0.5, batch_seconds=2.0, batch_size=4, waited_seconds=0.0
    )
    alone = replace(one, processing_seconds=1.0, waited_seconds=0.0)
    figures = speed([*[together] * 4, alone])
    assert figures["rtf"].value == pytest.approx(3.0 / 25.0)
    assert figures["processing_time"].value == pytest.approx(3.0)
    assert figures["latency_p50"].value == 2.0
    # The wait of a share stands for as much of the whole call.
    waiting = replace(together, waited_seconds=0.05)
    assert Timings([waiting, alone]).waited_in_calls == [pytest.approx(0.2), 0.0]
    assert Timings([waiting, alone]).waited == [0.05, 0.0]
    assert BUSY in speed([replace(together, waited_seconds=0.1)] * 4)["latency_p50"].conditions


def test_speakers_are_numbered_where_all_are_known() -> None:
    speakers = Speakers()
    for name in ("b", "a", "b", None):
        speakers.add(name)
    assert speakers.all() is None
    assert speakers.all(np.array([True, True, True, False])) == [0, 1, 0]
    assert Speakers().all() == []


_TEXTS = st.lists(st.sampled_from(["a", "b", "cd", "dé", "日本"]), max_size=5).map(" ".join)


@given(st.lists(st.tuples(_TEXTS, _TEXTS), max_size=8))
def test_texts_that_need_no_aligning_count_as_jiwer_has_them(pairs: list[tuple[str, str]]) -> None:
    said, heard = [a for a, _ in pairs], [b for _, b in pairs]
    for counted, theirs in (
        (word_counts(said, heard), jiwer.process_words),
        (character_counts(said, heard), jiwer.process_characters),
    ):
        assert counted.tolist() == (
            counts_of(theirs(said, heard).alignments).tolist() if pairs else []
        )


_TELLING = [
    "won't", "gonna", "mr", "Dr.", "st", "isn't", "'s", "it's", "hmm", "m[x]r", "(a) b", "<i>",
    "twenty", "and a half", ".and a half", "point", "percent", "per", "cent", "$5", "£", "¢7",
    "1", "1s", "2,000", "3rd", "½", "²", "٣", "minus", "double", "oh", "colour", "won’t",
    "the", "café", "日本", ".", "-", "ŉ", "kinda",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(_TELLING), max_size=6),
    st.sampled_from([" ", "  ", ", ", " '", "\u00a0"]),
    st.booleans(),
    st.text(max_size=5),
)
@example(["the"], " ", False, "")
def test_whisper_english_is_the_package_s_own(
    words: list[str], between: str, loud: bool, more: str
) -> None:
    """But for the four contractions that OpenAI's own leaves alone."""
    text = between.join([*words, more])
    assert _answer(_OURS, text.upper() if loud else text) == _answer(
        _PACKAGED, text.upper() if loud else text
    )


def _answer(normalize: Any, text: str) -> str:
    try:
        return str(normalize(text))
    except Exception as error:  # the package stumbles over some texts, and so must this one
        return type(error).__name__


def _packaged() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    english = EnglishTextNormalizer()
    for word in ("kinda", "sorta", "dunno", "cause"):
        del english.replacers[rf"\b{word}\b"]
    return english


_OURS, _PACKAGED = whisper_english(), _packaged()
