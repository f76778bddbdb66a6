"""What a model says that nobody said: words in non-speech, loops, phrases off the internet.

All is counted in the raw text, so that nothing is free because of how it is written. A prediction
is of non-speech where its reference holds no word. One that was not answered would look like one
that stayed silent, so a figure over any such is missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from evals.measures.statistics.intervals import Floats
from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import share
from evals.measures.text.alignment import Edit, in_batches
from evals.measures.text.normalizers import scoring_of
from evals.measures.text.scoring import Scoring, loops, raw_tokens, without_annotations
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from fixtures.builtin.non_speech import SPEECH_ENDS

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


def hallucination(predictions: Iterable[Prediction], normalizer_name: str) -> Mapping[str, Figure]:
    """The figures of the hallucination task.

    hallucinated_words_per_minute: words heard per minute of non-speech; interval over clips.
    hallucination_rate: the share of non-speech clips with any word; Wilson's interval.
    loops: utterances with a loop (`scoring.loops`) that their reference does not have.
    annotations: marks of non-speech such as [noise] in what was heard.
    phantom_phrases: how many of PHANTOM_PHRASES were heard and are not in the reference.
    leading_insertions, trailing_insertions: over rows of the category SPEECH_ENDS, words
    inserted before the first that was heard right, and after the last; where none was,
    all are leading.
    """
    everything, silent, ends = _Heard(), _Silent(), _Ends()
    for aligned in in_batches(predictions, normalizer_name):
        for index, prediction in enumerate(aligned.predictions):
            everything.add(prediction)
            if not spoken_words(prediction.reference, prediction.lang):
                silent.add(prediction)
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
    """All utterances: repeated, known, and marked as no speech."""

    looped: int = 0
    known: int = 0
    marks: int = 0

    def add(self, prediction: Prediction) -> None:
        self.count(prediction)
        reference, hypothesis, lang = prediction.reference, prediction.hypothesis, prediction.lang
        self.looped += loops(reference, hypothesis, scoring_of(lang).code)
        self.known += phantoms(reference, hypothesis, lang)
        self.marks += without_annotations(hypothesis)[1]

    def figures(self) -> Mapping[str, Figure]:
        return self.counts(
            "utterances", loops=self.looped, phantom_phrases=self.known, annotations=self.marks
        )


@dataclass
class _Silent(_Rows):
    """Non-speech: the words heard in each clip, and how long it is."""

    words: array[float] = field(default_factory=lambda: array("d"))
    minutes: array[float] = field(default_factory=lambda: array("d"))

    def add(self, prediction: Prediction) -> None:
        self.count(prediction)
        self.words.append(len(spoken_words(prediction.hypothesis, prediction.lang)))
        self.minutes.append((prediction.audio_seconds or 0.0) / 60)

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


def phantoms(reference: str, hypothesis: str, lang: str | None) -> int:
    """How many of PHANTOM_PHRASES the hypothesis has more than the reference; both raw.

    Where one phrase is part of another the longest counts, once.
    """
    scoring = scoring_of(lang)
    phrases = _phrases(scoring)
    heard, said = (_count(phrases, scoring.words(text)) for text in (hypothesis, reference))
    return max(0, heard - said)


def spoken_words(text: str, lang: str | None) -> list[str]:
    """Every word and character of a raw text, hesitations and what stands in brackets included.

    Not what marks non-speech (`annotations`), which says that there is nothing to hear.
    """
    return raw_tokens(without_annotations(text)[0], scoring_of(lang).code)


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
