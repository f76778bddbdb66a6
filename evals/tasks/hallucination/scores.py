"""What a model says that nobody said: words in non-speech, loops, phrases off the internet.

All is counted in the raw text, so that nothing is free because of how it is written. A prediction
is of non-speech where its reference holds no word. One that was not answered would look like one
that stayed silent, so a figure over any such is missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from evals.measures.statistics.intervals import Floats
from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import share
from evals.measures.text.alignment import Edit, in_batches
from evals.measures.text.normalizers import scoring_of
from evals.measures.text.scoring import loops, without_annotations
from evals.records.measurement import Figure
from evals.records.non_speech import clip_name
from evals.records.predictions import Prediction
from evals.tasks.hallucination.phrases import phantoms, spoken_words
from fixtures.builtin.non_speech import SPEECH_ENDS

_SHOWN = 3


def hallucination(predictions: Iterable[Prediction], normalizer_name: str) -> Mapping[str, Figure]:
    """The figures of the hallucination task.

    hallucinated_words_per_minute: words heard per minute of non-speech; interval over clips.
    hallucination_rate: the share of non-speech clips with any word; Wilson's interval.
    loops: utterances with a loop (`scoring.loops`) that their reference does not have.
    annotations: marks of non-speech such as [noise] in what was heard.
    phantom_phrases: how many known phrases were heard and are not in the reference (`phantoms`).
    wordless_texts: clips of non-speech of which something was written without a word in it.
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

    marks: int = 0
    looped: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    def add(self, prediction: Prediction) -> None:
        self.count(prediction)
        reference, hypothesis, lang = prediction.reference, prediction.hypothesis, prediction.lang
        if loops(reference, hypothesis, scoring_of(lang).code):
            self.looped.append(prediction.id)
        self.known += [prediction.id] * phantoms(reference, hypothesis, lang)
        self.marks += without_annotations(hypothesis)[1]

    def figures(self) -> Mapping[str, Figure]:
        found = self.counts(
            "utterances",
            loops=len(self.looped),
            phantom_phrases=len(self.known),
            annotations=self.marks,
        )
        where = {"loops": self.looped, "phantom_phrases": self.known}
        return {
            name: replace(figure, reason=_where(where[name]))
            if figure.value and where.get(name)
            else figure
            for name, figure in found.items()
        }


@dataclass
class _Silent(_Rows):
    """Non-speech: the words heard in each clip, and how long it is."""

    words: array[float] = field(default_factory=lambda: array("d"))
    minutes: array[float] = field(default_factory=lambda: array("d"))
    wordless: int = 0

    def add(self, prediction: Prediction) -> None:
        self.count(prediction)
        self.wordless += is_wordless_text(prediction)
        self.words.append(len(spoken_words(prediction.hypothesis, prediction.lang)))
        self.minutes.append((prediction.audio_seconds or 0.0) / 60)

    def figures(self) -> Mapping[str, Figure]:
        reason = self.reason("non-speech")
        if reason:
            missing = Figure(None, self.n, reason=reason)
            names = ("hallucinated_words_per_minute", "hallucination_rate", "wordless_texts")
            return dict.fromkeys(names, missing)
        per_minute, rate = _in_non_speech(np.array(self.words), np.array(self.minutes))
        return {
            "hallucinated_words_per_minute": per_minute,
            "hallucination_rate": rate,
            "wordless_texts": Figure(self.wordless, self.n),
        }


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


def is_wordless_text(prediction: Prediction) -> bool:
    """Whether something was written of non-speech that is neither a word nor a mark of non-speech.

    As "....", which a reader sees and no count of words does.
    """
    lang, (text, marks) = prediction.lang, without_annotations(prediction.hypothesis)
    return (
        bool(text.strip())
        and not marks
        and not (spoken_words(text, lang) or spoken_words(prediction.reference, lang))
    )


def _where(ids: Sequence[str]) -> str:
    """Which clips something was heard in; those that this project makes are said to be so."""
    names = [*dict.fromkeys(ids)]
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "in " + ", ".join(map(clip_name, names[:_SHOWN])) + more


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
