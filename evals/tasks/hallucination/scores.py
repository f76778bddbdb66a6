"""What a model says that nobody said: words in non-speech, loops, phrases off the internet.

A prediction is of non-speech where its normalized reference holds no word (`words_of`).
One that was not answered would look like one that stayed silent, so a figure over any
such is missing.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from evals.measures.statistics.intervals import Floats
from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import share
from evals.measures.text.alignment import Edit, in_batches
from evals.measures.text.normalizers import normalizer
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from fixtures.builtin.non_speech import SPEECH_ENDS

#: A loop is a sequence of up to MOST_WORDS words, heard at least LEAST_REPEATS times in a
#: row and at least LEAST_WORDS words long in all.
MOST_WORDS, LEAST_REPEATS, LEAST_WORDS = 16, 4, 8

#: What models trained on subtitles of the internet say into silence and noise, as users of
#: Whisper report it: github.com/openai/whisper discussions 679, 928 and 2015 (English,
#: several, Chinese); issues ggml-org/whisper.cpp 887 and 2660 (Spanish, French),
#: SubtitleEdit/subtitleedit 7748 (Italian), EdF2021/ithaka 96 (Dutch), Vexa-ai/vexa 155 and
#: 617 (English, Turkish, Japanese), PocketShell-io/pocketshell 452 (Korean),
#: dyphire/mpv-sub-fastwhisper 9 (Chinese); the German, Portuguese, Polish and Russian ones
#: are in many projects' lists of phrases to drop. Baranski et al. (2025, arXiv 2501.11378)
#: show how few such phrases make up most of what is heard in non-speech. Only phrases that
#: are odd in most speech: "thank you" alone is not among them.
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

#: Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, kana, Chinese characters.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)


def hallucination(predictions: Iterable[Prediction], normalizer_name: str) -> Mapping[str, Figure]:
    """The figures of the hallucination task.

    hallucinated_words_per_minute: words heard per minute of non-speech; interval over clips.
    hallucination_rate: the share of non-speech clips with any word; Wilson's interval.
    loops: utterances with a loop (`loops`) that their reference does not have.
    phantom_phrases: how many of PHANTOM_PHRASES were heard and are not in the reference.
    leading_insertions, trailing_insertions: over rows of the category SPEECH_ENDS, words
    inserted before the first that was heard right, and after the last; where none was,
    all are leading.
    """
    everything, silent, ends = _Heard(), _Silent(), _Ends()
    for aligned in in_batches(predictions, normalizer_name):
        for index, prediction in enumerate(aligned.predictions):
            reference, hypothesis = aligned.references[index], aligned.hypotheses[index]
            everything.add(prediction, reference, hypothesis, normalizer_name)
            if not words_of(reference):
                silent.add(prediction, hypothesis)
            elif prediction.category == SPEECH_ENDS:
                ends.add(prediction, list(aligned.edits(index)))
    return {**silent.figures(), **everything.figures(), **ends.figures()}


@dataclass
class _Rows:
    """What was counted of some of the utterances."""

    n: int = 0
    unanswered: int = 0

    def count(self, prediction: Prediction) -> None:
        self.n += 1
        self.unanswered += prediction.error is not None

    def reason(self, what: str) -> str | None:
        """Why there are no figures of them."""
        if not self.n:
            return f"the corpus holds no {what}"
        return f"{self.unanswered} of {self.n} were not answered" if self.unanswered else None

    def counts(self, what: str, **counts: int) -> Mapping[str, Figure]:
        reason = self.reason(what)
        return {
            name: Figure(None, self.n, reason=reason) if reason else Figure(count, self.n)
            for name, count in counts.items()
        }


@dataclass
class _Heard(_Rows):
    """All utterances: repeated, and known."""

    looped: int = 0
    known: int = 0

    def add(self, prediction: Prediction, reference: str, hypothesis: str, name: str) -> None:
        self.count(prediction)
        self.looped += loops(reference, hypothesis)
        self.known += phantoms(reference, hypothesis, name)

    def figures(self) -> Mapping[str, Figure]:
        return self.counts("utterances", loops=self.looped, phantom_phrases=self.known)


@dataclass
class _Silent(_Rows):
    """Non-speech: the words heard in each clip, and how long it is."""

    words: array[float] = field(default_factory=lambda: array("d"))
    minutes: array[float] = field(default_factory=lambda: array("d"))

    def add(self, prediction: Prediction, hypothesis: str) -> None:
        self.count(prediction)
        self.words.append(len(words_of(hypothesis)))
        self.minutes.append(prediction.audio_seconds / 60)

    def figures(self) -> Mapping[str, Figure]:
        reason = self.reason("non-speech")
        if reason:
            missing = Figure(None, self.n, reason=reason)
            return {"hallucinated_words_per_minute": missing, "hallucination_rate": missing}
        per_minute, rate = _in_non_speech(np.array(self.words), np.array(self.minutes))
        return {"hallucinated_words_per_minute": per_minute, "hallucination_rate": rate}


@dataclass
class _Ends(_Rows):
    """Speech between non-speech: what was inserted before it, and after."""

    leading: int = 0
    trailing: int = 0

    def add(self, prediction: Prediction, edits: Sequence[Edit]) -> None:
        self.count(prediction)
        hits = [place for place, edit in enumerate(edits) if edit.is_hit]
        first, last = (hits[0], hits[-1]) if hits else (len(edits), len(edits))
        self.leading += sum(edit.reference is None for edit in edits[:first])
        self.trailing += sum(edit.reference is None for edit in edits[last + 1 :])

    def figures(self) -> Mapping[str, Figure]:
        what = "speech between non-speech"
        return self.counts(what, leading_insertions=self.leading, trailing_insertions=self.trailing)


def loops(reference: str, hypothesis: str) -> bool:
    """Whether the hypothesis repeats itself as the reference does not; both normalized.

    A loop is a sequence of 1 to 16 words that follows itself at least LEAST_REPEATS
    times, at least LEAST_WORDS words in all; where the reference repeats the same
    sequence, by as many more than it does ("nine nine nine" is no loop where it was said).
    """
    if reference == hypothesis:
        return False
    said, heard = words_of(reference), words_of(hypothesis)
    for size in range(1, min(MOST_WORDS, len(heard) // LEAST_REPEATS) + 1):
        needed = max(LEAST_REPEATS, math.ceil(LEAST_WORDS / size))
        for start, repeats in _runs(heard, size):
            sequence = heard[start : start + size]
            if repeats < needed or _repeats_itself(sequence):
                continue
            own = _most_repeats(said, sequence)
            if repeats - max(0, own - 1) >= needed:
                return True
    return False


def phantoms(reference: str, hypothesis: str, normalizer_name: str) -> int:
    """How many of PHANTOM_PHRASES the hypothesis has more than the reference; both normalized.

    Where one phrase is part of another the longest counts, once.
    """
    phrases = _phrases(normalizer_name)
    return max(0, _count(phrases, words_of(hypothesis)) - _count(phrases, words_of(reference)))


def words_of(text: str) -> list[str]:
    """What whitespace separates, and each character of a script that is written without it.

    Not what holds neither letter nor digit: normalizers may leave dots, which are no word,
    and a mark is part of its letter.
    """
    return [w for w in _UNSPACED.sub(r" \1 ", text).split() if any(c.isalnum() for c in w)]


def _in_non_speech(words: Floats, minutes: Floats) -> tuple[Figure, Figure]:
    n, total = len(words), float(minutes.sum())
    clips = int(np.count_nonzero(words))
    rate = share(clips, n)
    if total <= 0:
        return Figure(None, n, reason="the non-speech has no length"), rate
    # Not `ratio_interval`, which takes a ratio below 1 for a proportion: this one has a unit. Where
    # no clip has a word it ends at the clips that chance leaves out (Poisson), a word in each.
    around = difference_interval(words, minutes, least=1.0)
    ci = around and (max(0.0, around[0]), around[1])
    return Figure(float(words.sum()) / total, n, ci), rate


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[int, int]]:
    """(start, how often) of sequences of `size` words that follow themselves, left to right."""
    start = 0
    while start + size < len(words):
        end = start + size
        while end < len(words) and words[end] == words[end - size]:
            end += 1
        if (repeats := (end - start) // size) > 1:
            yield start, repeats
        # A run that begins any earlier is part of this one.
        start = end - size + 1


def _repeats_itself(sequence: Sequence[str]) -> bool:
    """Whether a shorter sequence is all that it holds, which is looked at on its own."""
    size = len(sequence)
    return any(size % part == 0 and sequence[part:] == sequence[:-part] for part in range(1, size))


def _most_repeats(words: Sequence[str], sequence: Sequence[str]) -> int:
    """How often at most the sequence stands in the words without anything between."""
    size = len(sequence)
    most = 0
    for start in range(len(words) - size + 1):
        repeats = 0
        while words[start + repeats * size : start + (repeats + 1) * size] == sequence:
            repeats += 1
        most = max(most, repeats)
    return most


@cache
def _phrases(normalizer_name: str) -> Mapping[str, Sequence[list[str]]]:
    """The normalized words of each phrase by its first word, the longest first."""
    normalize = normalizer(normalizer_name)
    phrases: dict[str, list[list[str]]] = {}
    for phrase in sorted((words_of(normalize(x)) for x in PHANTOM_PHRASES), key=len, reverse=True):
        phrases.setdefault(phrase[0], []).append(phrase)
    return phrases


def _count(phrases: Mapping[str, Sequence[list[str]]], words: list[str]) -> int:
    """How many phrases there are, none within another."""
    count = place = 0
    while place < len(words):
        candidates = phrases.get(words[place], ())
        found = next((p for p in candidates if words[place : place + len(p)] == p), None)
        count += found is not None
        place += len(found) if found else 1
    return count
