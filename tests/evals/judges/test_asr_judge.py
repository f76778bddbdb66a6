"""Which sentences a recognizer may judge a voice by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evals.judges.asr_judge import Judge
from fixtures.corpora.sentences import Sentence


def judge(option: str | None, languages: list[str] | None) -> Judge:
    model: Any = SimpleNamespace(languages=languages)
    return Judge("j", model, language=option)


@pytest.mark.parametrize(
    ("option", "languages", "text", "able"),
    [
        ("en", None, "The Russian word for peace is мир.", False),
        ("en", ["en", "ja"], "Say こんにちは when you meet Kenji.", False),  # told to hear English
        ("auto", ["en", "ja"], "Say こんにちは when you meet Kenji.", True),
        (None, ["en"], "The Café Müller opens at 8 ½.", True),
        (None, ["ru", "en"], "The sign read مرحبا in green letters.", False),
        ("ko", None, "漢字와 한글", True),
        (None, None, "こんにちは", True),  # nobody can tell
    ],
)
def test_a_judge_hears_what_it_can_write(
    option: str | None, languages: list[str] | None, text: str, able: bool
) -> None:
    lang = option if option == "ko" else None
    assert judge(option, languages).understands(Sentence("s", text, lang)) is able


@pytest.mark.parametrize(
    ("option", "languages", "lang", "able"),
    [
        ("en", ["en", "de"], "de-AT", False),  # told to hear English, whatever it could
        ("en", None, "en-GB", True),
        ("en", None, None, True),
        (None, ["en"], "de", False),  # an English-only checkpoint that is told nothing
        ("auto", ["en", "de"], "de-AT", True),
        ("row", ["en", "de"], "de", True),
        ("row", ["en", "de"], "fr", False),
        (None, None, "de", True),  # nobody can tell
    ],
)
def test_a_judge_hears_what_it_has_the_language_of(
    option: str | None, languages: list[str] | None, lang: str | None, able: bool
) -> None:
    found = judge(option, languages)
    assert found.speaks(lang) is able
    assert found.understands(Sentence("s", "Guten Tag", lang)) is able
