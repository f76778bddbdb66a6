"""What judges understand of a voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import difference, rate
from evals.measures.text.alignment import Aligned, align
from evals.measures.text.slices import FEWEST, Part, Parts, slices
from evals.records.measurement import MIXED_TOKENS, Figure
from evals.records.predictions import Prediction
from evals.records.spoken import Spoken
from evals.tasks.asr.scores import letters_per_word

#: The built-in sentences have categories of a few hard cases each.
FEWEST_OF_CATEGORY = 3
#: Of names alone, said by espeak-ng, Whisper tiny.en hears a sixth of the words right; of a voice
#: that a judge is deaf to, no more than chance.
FEWEST_RIGHT = 0.1


def intelligibility(
    lines: Sequence[Spoken],
    judge: str,
    normalizer_name: str,
    second: Sequence[str] | None = None,
) -> Mapping[str, Figure]:
    """WER and CER of what a judge heard, of all sentences that it understands.

    A sentence that the voice failed on counts as all deletions, and so does one that the judge
    failed on, which the figure's reason tells: what nobody heard is not shown to be understood.
    There is no figure where the judge failed on all of them. Sentences with words that it does
    not understand are left out, and counted. Where there are recordings
    of people, `judge_wer` is the judge's own error on these, and `wer_above_judge` the paired
    difference: what the voice adds to it.

    second: the other voices that were asked to say what the judge misheard; None where the session
    asked none. `judge_floor` is what is misheard in them too, `wer_above_floor` the rest.
    """
    asked = [line for line in lines if judge in line.heard or judge in line.unheard]
    failed = [line for line in asked if judge not in line.heard]
    names = ("wer", "cer")
    told: list[str] = []
    if failed:
        told.append(f"{judge} failed on {len(failed)} of {len(asked)}: {failed[0].unheard[judge]}")
    worded = [line for line in lines if any(c.isalnum() for c in line.text)]
    unknown = len(worded) - sum(judge in x.heard or judge in x.unheard for x in worded)
    if not asked:
        told = [f"{judge} understands none of these sentences"]
    elif unknown:
        told.append(f"{unknown} of {len(worded)} sentences are left out, which {judge} cannot know")
    if len(failed) == len(asked):
        said = "; ".join(told)
        return {name: Figure(None, len(asked), reason=said, by=judge) for name in names}
    voice = heard_by(asked, judge, normalizer_name)
    floors = Floors(asked, judge, normalizer_name)
    rates = {
        "wer": _rate(voice, voice.words),
        "cer": _rate(voice, voice.characters, letters_per_word(voice)),
    }
    if second:
        of_words = floors.own(voice, voice.words)
        rates["wer"] = replace(rates["wer"], own=_as_own(of_words))
        own = floors.own(voice, voice.characters, letters_per_word(voice))
        rates["cer"] = replace(rates["cer"], own=_as_own(own))
        floor = (rates["wer"].value or 0.0) - (of_words.value or 0.0)
        if floor > 0:
            told.append(f"the judge: {floor:.1%} of words it mishears in {', '.join(second)} too")
        rates["judge_floor"] = replace(rates["wer"], value=floor, ci=None, own=None)
        rates["wer_above_floor"] = of_words
    elif second is not None:
        reason = "no other voice is installed that could say what the judge misheard"
        missing = Figure(None, len(asked), reason=reason)
        rates |= {"judge_floor": missing, "wer_above_floor": missing}
    figures = {
        name: replace(
            rate,
            reason=rate.reason or ("; ".join(told) if name in names else None) or None,
            by=judge,
        )
        for name, rate in rates.items()
    }
    if voice.is_mixed:
        wer = figures["wer"]
        figures["wer"] = replace(wer, conditions=(*wer.conditions, MIXED_TOKENS))
    both = [line for line in asked if judge in line.heard_recording]
    if both:
        figures |= _beside_people(asked, both, judge, normalizer_name)
    return figures


def _beside_people(
    asked: Sequence[Spoken], both: Sequence[Spoken], judge: str, normalizer_name: str
) -> Mapping[str, Figure]:
    """judge_wer and wer_above_judge. both: the lines with a recording that was heard."""
    ours = heard_by(both, judge, normalizer_name)
    theirs = align(
        [_prediction(line, line.heard_recording[judge]) for line in both], normalizer_name
    )
    length = theirs.words[:, :3].sum(axis=1).astype(float)
    change = (ours.words[:, 1:].sum(axis=1) - theirs.words[:, 1:].sum(axis=1)).astype(float)
    deaf = [x for x in asked if judge in x.unheard and judge not in x.heard_recording]
    left_out = f"{judge} failed on {len(deaf)} recordings, which are left out" if deaf else None
    of_people = _rate(theirs, theirs.words)
    return {
        "judge_wer": replace(of_people, reason=of_people.reason or left_out),
        "wer_above_judge": difference(
            float(change.sum()) / float(length.sum()),
            len(both),
            difference_interval(change, length, theirs.speakers, least=1.0),
            reason=left_out,
        ),
    }


class Floors:
    """The fewest errors that any judge makes of each sentence in another voice.

    What a sentence has more of, heard by whichever judge hears it best, is the voice's own. All
    errors are where the voice or the judge failed, and where no other voice said the sentence. A
    voice of which a judge hears less than FEWEST_RIGHT of the words says nothing of that judge.
    """

    def __init__(self, lines: Sequence[Spoken], judge: str, normalizer_name: str) -> None:
        self._lines = lines
        told = [
            (number, line, said)
            for number, line in enumerate(lines)
            if line.error is None and judge in line.heard and line.heard_second
            for said in line.heard.values()
        ]
        second = [
            (number, line, said, (voice, name))
            for number, line in enumerate(lines)
            for voice, heard in line.heard_second.items()
            for name, said in heard.items()
        ]
        places, aligned = self._aligned([row[:3] for row in second], normalizer_name)
        deaf = self._deaf([row[3] for row in second], aligned)
        self._heard = [row[3] not in deaf for row in second]
        self._best = [self._aligned(told, normalizer_name), (places, aligned)]

    @staticmethod
    def _deaf(
        keys: Sequence[tuple[str, str]], aligned: Aligned | None
    ) -> frozenset[tuple[str, str]]:
        """The voices, each with the judge, of which that hears too little to tell anything."""
        right: dict[tuple[str, str], int] = {}
        said: dict[tuple[str, str], int] = {}
        for place, key in enumerate(keys):
            assert aligned is not None
            right[key] = right.get(key, 0) + int(aligned.words[place, 0])
            said[key] = said.get(key, 0) + int(aligned.words[place, :3].sum())
        return frozenset(key for key in said if right[key] < FEWEST_RIGHT * said[key])

    @staticmethod
    def _aligned(
        rows: Sequence[tuple[int, Spoken, str]], normalizer_name: str
    ) -> tuple[list[int], Aligned | None]:
        if not rows:
            return [], None
        heard = [
            replace(_prediction(line, said), id=f"{number}/{place}")
            for place, (number, line, said) in enumerate(rows)
        ]
        return [number for number, _, _ in rows], align(heard, normalizer_name)

    def errors(self, counts: np.ndarray, words: bool) -> np.ndarray:
        """The errors of each sentence that are the voice's own. counts: what the judge heard."""
        own = counts[:, 1:].sum(axis=1).astype(float)
        fewest = []
        for number, (places, aligned) in enumerate(self._best):
            best = np.full(len(own), np.inf)
            if aligned is not None:
                found = aligned.words if words else aligned.characters
                wrong = found[:, 1:].sum(axis=1).astype(float)
                if number:
                    wrong[~np.array(self._heard)] = np.inf
                np.minimum.at(best, places, wrong)
            fewest.append(best)
        known = np.isfinite(fewest[0]) & np.isfinite(fewest[1])
        own[known] = np.maximum(0.0, np.minimum(own, fewest[0])[known] - fewest[1][known])
        return own

    def own(self, voice: Aligned, counts: np.ndarray, together: float = 1.0) -> Figure:
        """The rate of these errors, with its interval."""
        length = counts[:, :3].sum(axis=1).astype(float)
        errors = self.errors(counts, counts is voice.words)
        return rate(
            errors,
            length,
            voice.speakers,
            together=together,
            otherwise="the sentences hold no words",
        )


def _as_own(figure: Figure) -> tuple[float, float, float] | None:
    if figure.value is None:
        return None
    return figure.value, *(figure.ci or (figure.value, figure.value))


def heard_by(lines: Sequence[Spoken], judge: str, normalizer_name: str) -> Aligned:
    """What a judge heard of the sentences that it understands, aligned with their texts.

    Nothing of those that it failed on.
    """
    asked = [line for line in lines if judge in line.heard or judge in line.unheard]
    return align([_prediction(line, _heard_by(judge, line)) for line in asked], normalizer_name)


def by_part(
    lines: Sequence[Spoken], judge: str, normalizer_name: str, second: Sequence[str] | None = None
) -> Mapping[str, Figure]:
    """The WER of what a judge heard, of each part of the sentences, by its name ("lang=de").

    Parts are made by category, language and the manifest's other keys, as `slices` makes them;
    not by length, which is the voice's own here. Only parts of `FEWEST` sentences or more, and
    categories of FEWEST_OF_CATEGORY, that the judge understands are there; one that it failed on
    counts as all deletions. second: as in `intelligibility`.
    """
    if not any(judge in line.heard for line in lines):
        return {}
    known = [
        _prediction(line, _heard_by(judge, line))
        for line in lines
        if judge in line.heard or judge in line.unheard
    ]
    asked = [line for line in lines if judge in line.heard or judge in line.unheard]
    aligned = align(known, normalizer_name)
    found = slices(aligned, Parts(known).all())
    named = [p for p in found.parts if _is_told(p)]
    figures = replace(found, parts=named).rates()
    if second:
        errors = Floors(asked, judge, normalizer_name).errors(aligned.words, True)
        own = replace(found, parts=named, errors=errors).rates()
        figures = {n: replace(f, own=_as_own(own[n])) for n, f in figures.items()}
    return {name: replace(figure, by=judge) for name, figure in figures.items()}


def _is_told(part: Part) -> bool:
    fewest = FEWEST_OF_CATEGORY if part.key == "category" else FEWEST
    return len(part.members) >= fewest and part.key != "duration"


def _heard_by(judge: str, line: Spoken) -> str:
    """Nothing where the judge failed: all deletions."""
    return line.heard.get(judge, "")


def _prediction(line: Spoken, heard: str) -> Prediction:
    return Prediction(
        id=line.id,
        reference=line.text,
        hypothesis=heard,
        audio_seconds=line.audio_seconds or 0.0,
        processing_seconds=None,
        error=line.error,
        category=line.category,
        metadata=line.metadata,
        lang=line.lang,
    )


def _rate(aligned: Aligned, counts: np.ndarray, together: float = 1.0) -> Figure:
    errors = counts[:, 1:].sum(axis=1).astype(float)
    length = counts[:, :3].sum(axis=1).astype(float)
    return rate(
        errors, length, aligned.speakers, together=together, otherwise="the sentences hold no words"
    )
