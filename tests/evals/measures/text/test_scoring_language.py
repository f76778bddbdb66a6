"""Languages as people write them."""

from __future__ import annotations

import langcodes
import pytest

from evals.measures.text.scoring import parse_language


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("eng", "en"),
        ("English", "en"),
        ("english", "en"),
        ("en_US", "en-US"),
        ("en-us", "en-US"),
        ("en_US.UTF-8", "en-US"),
        ("en_GB.utf8", "en-GB"),
        ("en-UK", "en-GB"),
        ("British English", "en-GB"),
        ("English (US)", "en-US"),
        ("de_DE.UTF-8", "de-DE"),
        ("de_DE@euro", "de-DE"),
        ("Deutsch", "de"),
        ("German", "de"),
        ("ger", "de"),
        ("deu", "de"),
        ("français", "fr"),
        ("Francais", "fr"),
        ("fre", "fr"),
        ("pt-BR", "pt-BR"),
        ("Portuguese (Brazil)", "pt-BR"),
        ("Brazilian Portuguese", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("zh_CN", "zh-CN"),
        ("Simplified Chinese", "zh-Hans"),
        ("cmn", "zh"),
        ("Mandarin", "zh"),
        ("中文", "zh"),
        ("yue", "yue"),
        ("Cantonese", "yue"),
        ("日本語", "ja"),
        ("हिन्दी", "hi"),
        ("Farsi", "fa"),
        ("iw", "he"),
        ("sr_RS@latin", "sr-Latn-RS"),
        ("nb_NO", "nb-NO"),
        ("tlh", "tlh"),
        (" en ", "en"),
    ],
)
def test_codes_and_names(written: str, tag: str) -> None:
    assert parse_language(written).tag == tag
    assert parse_language(tag).tag == tag


@pytest.mark.parametrize(
    "written",
    ["klingon!", "xx", "", " ", "e", "auto", "und", "mul", "zxx", "C", "POSIX", "none", "unknown",
     "en--US", "12", "german!", "eng1ish", "de_DE@nonsense", "English (Nowhere)"],
)  # fmt: skip
def test_what_is_none_says_what_is_expected(written: str) -> None:
    with pytest.raises(ValueError, match="BCP 47"):
        parse_language(written)


@pytest.mark.parametrize(("written", "meant"), [("jp", "ja"), ("cn", "zh"), ("CZ", "cs")])
def test_a_country_is_told_from_its_language(written: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"whose language is {meant}"):
        parse_language(written)


def test_the_parts_of_a_tag() -> None:
    language = parse_language("zh-Hant-TW")
    assert (language.code, language.script, language.region) == ("zh", "Hant", "TW")


def test_codes_of_two_letters_are_as_langcodes_has_them() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    for code in (a + b for a in letters for b in letters):
        theirs = langcodes.Language.get(code)
        if theirs.is_valid():
            assert parse_language(code).code == theirs.prefer_macrolanguage().language
        elif not theirs.is_valid():
            with pytest.raises(ValueError, match="BCP 47"):
                parse_language(code)
