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
