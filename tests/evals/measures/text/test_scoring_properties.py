"""What holds for every text: minimal edits, one error for one wrong word, itself for itself."""

from __future__ import annotations

import sys
import unicodedata
from collections import defaultdict

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.measures.text.scoring import score, scoring_for

#: Words that no rule knows, so that there is one way of writing and saying them.
PLAIN = st.lists(st.sampled_from(["box", "quite", "zebra", "hum", "déjà", "ключ"]), max_size=9)

SENTENCES = {
    "ar": "أريد أن أسافر إلى القاهرة غدا",
    "bn": "আমি আগামীকাল ঢাকা যেতে চাই",
    "de": "morgen fahre ich mit dem Zug nach München",
    "el": "θέλω να πάω αύριο στην Αθήνα",
    "en": "tomorrow we would gladly travel from here toward London",
    "es": "mañana quiero viajar en tren a Málaga",
    "fa": "فردا می خواهم به تهران بروم",
    "fr": "demain je voudrais partir en train à Genève",
    "he": "מחר אני רוצה לנסוע לירושלים",
    "hi": "मैं कल दिल्ली जाना चाहता हूँ",
    "it": "domani vorrei andare in treno a Roma",
    "ko": "내일 기차를 타고 서울에 가고 싶어요",
    "nl": "morgen wil ik met de trein naar Utrecht",
    "pl": "jutro chcę pojechać pociągiem do Łodzi",
    "pt": "amanhã quero viajar de comboio para São Paulo",
    "ru": "завтра я хочу поехать в Москву",
    "sw": "kesho nataka kusafiri kwenda Nairobi",
    "ta": "நாளை நான் சென்னை செல்ல விரும்புகிறேன்",
    "tr": "yarın trenle İstanbul'a gitmek istiyorum",
    "uk": "завтра я хочу поїхати до Києва",
    "vi": "ngày mai tôi muốn đi Hà Nội",
    "yo": "mo fẹ́ lọ sí Ìbàdàn lọ́la",
}
UNSPACED = {
    "ja": "明日は電車で京都へ行きます",
    "km": "ស្អែកខ្ញុំចង់ទៅភ្នំពេញ",
    "lo": "ມື້ອື່ນຂ້ອຍຢາກໄປວຽງຈັນ",
    "my": "မနက်ဖြန်ရန်ကုန်သွားချင်တယ်",
    "th": "พรุ่งนี้ฉันอยากไปเชียงใหม่",
    "zh": "明天我想坐火车去上海",
}


def _writings(text: str) -> list[str]:
    """The same words as others would type them."""
    return [
        text,
        text + ".",
        f"\ufeff{text}\u200f",
        f"\u201c{text}\u201d \u2026",
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFC", text),
        text.replace(" ", "\u00a0"),
        text.replace(" ", "  "),
        text.replace("'", "\u2019"),
        f"[noise] {text} (laughs)",
    ]


@settings(max_examples=150, deadline=None)
@given(PLAIN, PLAIN)
def test_as_few_edits_as_jiwer_without_alternatives(said: list[str], heard: list[str]) -> None:
    scored = score(" ".join(said), " ".join(heard), "en")
    if not said:
        assert scored.errors == scored.insertions == len(scored.hypothesis)
        return
    said, heard = list(scoring_for("en").words(" ".join(said))), list(scored.hypothesis)
    if not said:
        return
    theirs = jiwer.process_words([" ".join(said)], [" ".join(heard)])
    assert scored.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert scored.hits + scored.substitutions + scored.deletions == len(said)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["en", "de", "fr", "hi", "zh", "ja", "tr", "sv"]))
def test_any_text_equals_itself_and_scoring_it_raises_nothing(text: str, language: str) -> None:
    scored = score(text, text, language)
    assert scored.errors == 0
    assert score(text, text + "\u200b", language).errors == 0


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="0123456789.,:-/%$€+ abx", max_size=18),
    st.text(alphabet="0123456789.,:-/%$€+ abx", max_size=18),
    st.sampled_from(["en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja", "sv"]),
)
def test_numbers_in_any_form_align_either_way_round(one: str, other: str, language: str) -> None:
    there, back = score(one, other, language), score(other, one, language)
    assert there.errors == back.errors
    assert there.errors <= max(len(there.reference), len(there.hypothesis))


@pytest.mark.parametrize(("language", "text"), [*SENTENCES.items(), *UNSPACED.items()])
def test_writing_does_not_count(language: str, text: str) -> None:
    writings = _writings(text)
    words = scoring_for(language).words(text)
    for other in writings:
        assert score(text, other, language).errors == 0
        assert score(other, text, language).errors == 0
        assert score(other, text, language).reference == words


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_each_planted_word_counts_once(language: str, text: str) -> None:
    words = text.split()
    total = len(scoring_for(language).words(text))
    assert total == len(words)
    for place in range(len(words)):
        other = words.copy()
        # A word of the same script and language in the wrong place.
        other[place] = words[(place + 2) % len(words)]
        scored = score(text, " ".join(other), language)
        assert (scored.errors, scored.substitutions) == (1, 1)
        assert score(text, " ".join(words[:place] + words[place + 1 :]), language).errors == 1


@pytest.mark.parametrize(("language", "text"), UNSPACED.items())
def test_each_planted_cluster_counts_once(language: str, text: str) -> None:
    clusters = scoring_for(language).words(text)
    assert "".join(clusters) == text
    for place in range(len(clusters)):
        other = [*clusters[:place], "x", *clusters[place + 1 :]]
        assert score(text, "".join(other), language).errors == 1


@pytest.mark.parametrize(("language", "text"), [*SENTENCES.items(), *UNSPACED.items()])
def test_tokens_of_tokens_are_the_same(language: str, text: str) -> None:
    scoring = scoring_for(language)
    words = scoring.words(text)
    assert scoring.words(" ".join(words)) == words


def test_letters_of_every_script_are_words() -> None:
    by_script: dict[str, str] = defaultdict(str)
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        if unicodedata.category(letter) in ("Ll", "Lo", "Lu"):
            script = unicodedata.name(letter, "?").split(" ")[0]
            if len(by_script[script]) < 3:
                by_script[script] += letter
    assert len(by_script) > 150
    for script, letters in by_script.items():
        scored = score(letters, letters, "en")
        assert scored.hits, script
        assert scored.errors == 0
        assert score(letters, "turn on", "en").errors > 0


def test_a_long_text_with_numbers_is_aligned_in_parts() -> None:
    sentence = "the train leaves at {} from platform nine and comes back later in the day "
    said = "".join(sentence.format("6:30") for _ in range(120))
    heard = "".join(sentence.format("six thirty") for _ in range(120))
    scored = score(said, heard, "en")
    assert scored.errors == 0
    assert score(said, heard.replace("back", "black", 1), "en").errors == 1
