"""Phrases that recognizers are known to hear where nobody says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from evals.measures.text.normalizers import scoring_of
from evals.measures.text.scoring import Scoring, raw_tokens, without_annotations

#: What models trained on subtitles of the internet say into silence and noise, as users of
#: Whisper report it: github.com/openai/whisper discussions 679, 928 and 2015 (English,
#: several, Chinese); issues ggml-org/whisper.cpp 887 and 2660 (Spanish, French),
#: SubtitleEdit/subtitleedit 7748 (Italian), EdF2021/ithaka 96 (Dutch), Vexa-ai/vexa 155 and
#: 617 (English, Turkish, Japanese), PocketShell-io/pocketshell 452 (Korean),
#: dyphire/mpv-sub-fastwhisper 9 (Chinese); the German, Portuguese, Polish and Russian ones
#: are in many projects' lists of phrases to drop. Baranski et al. (2025, arXiv 2501.11378)
#: show how few such phrases make up most of what is heard in non-speech. Only phrases that
#: are odd in most speech; what is one where nobody speaks alone is in ALONE.
PHANTOM_PHRASES: Sequence[str] = (
    # English
    "thank you for watching",
    "thanks for watching",
    "thank you so much for watching",
    "please subscribe",
    "subscribe to my channel",
    "subscribe to the channel",
    "don't forget to subscribe",
    "like and subscribe",
    "see you next time",
    "see you in the next video",
    "subtitles by",
    "subtitles by the amara.org community",
    "transcription by castingwords",
    "amara.org",
    # German
    "untertitel von",
    "untertitel der amara.org-community",
    "untertitelung des zdf",
    "untertitel im auftrag des zdf",
    "vielen dank fürs zuschauen",
    # French
    "sous-titres réalisés par la communauté d'amara.org",
    "sous-titrage société radio-canada",
    "merci d'avoir regardé cette vidéo",
    # Spanish, Portuguese, Italian
    "subtítulos realizados por la comunidad de amara.org",
    "gracias por ver el video",
    "legendas pela comunidade amara.org",
    "obrigado por assistir",
    "sottotitoli creati dalla comunità amara.org",
    "sottotitoli e revisione a cura di qtss",
    # Dutch, Polish, Turkish, Russian
    "ondertitels ingediend door de amara.org gemeenschap",
    "napisy stworzone przez społeczność amara.org",
    "abone olmayı unutmayın",  # noqa: RUF001
    "izlediğiniz için teşekkürler",
    "продолжение следует",
    "субтитры сделал dimatorzok",
    "спасибо за просмотр",
    # Japanese, Korean, Chinese
    "ご視聴ありがとうございました",
    "次の動画でお会いしましょう",
    "시청해주셔서 감사합니다",
    "字幕由amara.org社区提供",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
)

#: What the same models say into silence and noise, and people in speech all the time: a phantom
#: where it is all of what was heard of a clip in which nobody speaks, however often it is repeated.
ALONE: Sequence[str] = (
    "you",
    "thank you",
    "thank you very much",
    "thank you so much",
    "thanks",
    "bye",
    "bye bye",
    "okay",
    "so",
    "oh",
    "i'm sorry",
)


def phantoms(reference: str, hypothesis: str, lang: str | None) -> int:
    """How many of PHANTOM_PHRASES the hypothesis has more than the reference; both raw.

    Where one phrase is part of another the longest counts, once. Of ALONE one counts where the
    reference holds no word and the hypothesis nothing else.
    """
    scoring = scoring_of(lang)
    phrases = _phrases(scoring)
    words = scoring.words(hypothesis)
    heard, said = _count(phrases, words), _count(phrases, scoring.words(reference))
    found = max(0, heard - said)
    if not found and words and not spoken_words(reference, lang):
        return int(any(_is_repeated(scoring.words(phrase), words) for phrase in ALONE))
    return found


def spoken_words(text: str, lang: str | None) -> list[str]:
    """Every word and character of a raw text, hesitations and what stands in brackets included.

    Not what marks non-speech (`annotations`), which says that there is nothing to hear.
    """
    return raw_tokens(without_annotations(text)[0], scoring_of(lang).code)


def _is_repeated(phrase: Sequence[str], words: Sequence[str]) -> bool:
    times, rest = divmod(len(words), len(phrase))
    return not rest and [*words] == [*phrase] * times


@cache
def _phrases(scoring: Scoring) -> Mapping[str, Sequence[tuple[str, ...]]]:
    """The tokens of each phrase by its first token, the longest first."""
    phrases: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(map(scoring.words, PHANTOM_PHRASES), key=len, reverse=True):
        phrases.setdefault(phrase[0], []).append(phrase)
    return phrases


def _count(phrases: Mapping[str, Sequence[tuple[str, ...]]], words: Sequence[str]) -> int:
    """How many phrases there are, none within another."""
    count = place = 0
    while place < len(words):
        candidates = phrases.get(words[place], ())
        found = next((p for p in candidates if tuple(words[place : place + len(p)]) == p), None)
        count += found is not None
        place += len(found) if found else 1
    return count
