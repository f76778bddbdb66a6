"""The grammar, its split, and the plan of the built-in corpus."""

from __future__ import annotations

import random
import re

import pytest

from fixtures.builtin import voice_commands as commands


def test_plan_is_large_balanced_and_stable() -> None:
    rows = commands.plan()
    assert len(rows) >= 240
    assert rows == commands.plan()
    assert rows[:50] == commands.plan(50)
    assert [row.id for row in rows[:2]] == ["vc-0001", "vc-0002"]
    assert len({row.text for row in rows}) == len(rows)
    counts = [sum(row.category == name for row in rows) for name in commands.CATEGORIES]
    assert max(counts) - min(counts) <= 1
    assert len({row.speaker for row in rows}) >= 12


def test_plan_uses_held_out_sentences_and_voices_only() -> None:
    trained = set(commands.TRAINING_VARIANTS)
    for row in commands.plan():
        assert commands.is_held_out(row.text), row
        variant = row.voice.partition("+")[2]
        assert variant in commands.HELD_OUT_VARIANTS, row
        assert variant not in trained, row


def test_training_never_meets_the_plan() -> None:
    planned = {row.text for row in commands.plan(300)}
    rng = random.Random(7)
    sentences = [commands.training_sentence(rng) for _ in range(3000)]
    assert not planned & set(sentences)
    assert not any(commands.is_held_out(text) for text in sentences)
    joined = [part for text in sentences for part in text.split(" and ")]
    assert not planned & set(joined)


def test_random_words_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # With everything but one sentence held out, the stream can give nothing else.
    monkeypatch.setattr(commands, "is_held_out", lambda text: text != "call mom")
    rng = random.Random(1)
    assert {commands.training_sentence(rng) for _ in range(3)} == {"call mom"}


def test_training_voices_keep_clear_of_the_plan() -> None:
    planned = {(row.voice, row.rate, row.pitch) for row in commands.plan()}
    rates, pitches = {row.rate for row in commands.plan()}, {row.pitch for row in commands.plan()}
    rng = random.Random(3)
    drawn = {commands.training_voice(rng) for _ in range(2000)}
    assert not planned & drawn
    assert not rates & {rate for _, rate, _ in drawn}
    assert not pitches & {pitch for _, _, pitch in drawn}
    assert not {voice for voice, _, _ in planned} & {voice for voice, _, _ in drawn}


def test_a_tenth_of_the_sentences_is_held_out() -> None:
    texts = {text for name in commands.PATTERNS for text in commands.sentences(name)}
    share = sum(map(commands.is_held_out, texts)) / len(texts)
    assert 0.07 < share < 0.13


def test_sampled_sentences_are_the_enumerated_ones() -> None:
    rng = random.Random(5)
    for name in commands.PATTERNS:
        known = set(commands.sentences(name))
        drawn = {commands.sentence(name, rng) for _ in range(200)}
        assert drawn <= known


def test_plan_says_when_sentences_run_out() -> None:
    with pytest.raises(ValueError, match="no more held-out sentences of category"):
        commands.plan(2000)


def _grammar_as_regex() -> re.Pattern[str]:
    """The JSGF text as a regular expression: rules become groups, [x] becomes (?:x)?."""
    rules = dict(re.findall(r"<(\w+)> = ([^;]*);", commands.jsgf()))
    assert rules["commands"] == "<command> <more>"
    assert rules["more"] == "<NULL> | and <commands>"
    # The only recursion, unrolled once.
    rules["commands"] = "<command> [and <command>]"

    def expand(body: str) -> str:
        body = body.replace("[", "(?:").replace("]", ")?")
        return re.sub(r"<(\w+)>", lambda match: f"(?:{expand(rules[match[1]])})", body)

    # Only words consume blanks, those after them.
    pattern = expand(rules["utterance"])
    assert "<" not in pattern
    return re.compile(re.sub(r"([a-z]+)", r"\1\\s*", pattern).replace(" ", ""))


def test_jsgf_accepts_every_planned_sentence_and_no_other() -> None:
    grammar = _grammar_as_regex()
    for row in commands.plan(300):
        assert grammar.fullmatch(row.text.lower()), row.text
    for text in ("lights the on", "one two", "call", "call mom and five five five", ""):
        assert not grammar.fullmatch(text), text


def test_pocketsphinx_knows_every_word_and_takes_the_grammar() -> None:
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, samprate=16000, loglevel="FATAL")
    unknown = [word for word in commands.words() if decoder.lookup_word(word.lower()) is None]
    assert unknown == []
    decoder.add_jsgf_string("commands", commands.jsgf())
    decoder.activate_search("commands")
