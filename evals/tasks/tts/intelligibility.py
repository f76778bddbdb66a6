"""What judges understand of a voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import difference, rate
from evals.measures.text.alignment import Aligned, align
from evals.measures.text.slices import FEWEST, Parts, slices
from evals.records.measurement import MIXED_TOKENS, Figure
from evals.records.predictions import Prediction
from evals.records.spoken import Spoken
from evals.tasks.asr.scores import letters_per_word


def intelligibility(
    lines: Sequence[Spoken], judge: str, normalizer_name: str
) -> Mapping[str, Figure]:
    """WER and CER of what a judge heard, of all sentences that it understands.

    A sentence that the voice failed on counts as all deletions, and so does one that the judge
    failed on, which the figure's reason tells: what nobody heard is not shown to be understood.
    There is no figure where the judge failed on all of them. Where there are recordings
    of people, `judge_wer` is the judge's own error on these, and `wer_above_judge` the paired
    difference: what the voice adds to it.
    """
    asked = [line for line in lines if judge in line.heard or judge in line.unheard]
    failed = [line for line in asked if judge not in line.heard]
    names = ("wer", "cer")
    told = None
    if failed:
        told = f"{judge} failed on {len(failed)} of {len(asked)}: {failed[0].unheard[judge]}"
    if not asked:
        told = f"{judge} understands none of these sentences"
    if len(failed) == len(asked):
        return {name: Figure(None, len(asked), reason=told) for name in names}
    voice = heard_by(asked, judge, normalizer_name)
    rates = {
        "wer": _rate(voice, voice.words),
        "cer": _rate(voice, voice.characters, letters_per_word(voice)),
    }
    figures = {name: replace(rate, reason=rate.reason or told) for name, rate in rates.items()}
    if voice.is_mixed:
        wer = figures["wer"]
        figures["wer"] = replace(wer, conditions=(*wer.conditions, MIXED_TOKENS))
    both = [line for line in asked if judge in line.heard_recording]
    if both:
        ours = heard_by(both, judge, normalizer_name)
        theirs = align(
            [_prediction(line, line.heard_recording[judge]) for line in both], normalizer_name
        )
        length = theirs.words[:, :3].sum(axis=1).astype(float)
        change = (ours.words[:, 1:].sum(axis=1) - theirs.words[:, 1:].sum(axis=1)).astype(float)
        deaf = [x for x in asked if judge in x.unheard and judge not in x.heard_recording]
        left_out = f"{judge} failed on {len(deaf)} recordings, which are left out" if deaf else None
        of_people = _rate(theirs, theirs.words)
        figures["judge_wer"] = replace(of_people, reason=of_people.reason or left_out)
        figures["wer_above_judge"] = difference(
            float(change.sum()) / float(length.sum()),
            len(both),
            difference_interval(change, length, theirs.speakers, least=1.0),
            reason=left_out,
        )
    return figures


def heard_by(lines: Sequence[Spoken], judge: str, normalizer_name: str) -> Aligned:
    """What a judge heard of the sentences that it understands, aligned with their texts.

    Nothing of those that it failed on.
    """
    asked = [line for line in lines if judge in line.heard or judge in line.unheard]
    return align([_prediction(line, _heard_by(judge, line)) for line in asked], normalizer_name)


def by_part(lines: Sequence[Spoken], judge: str, normalizer_name: str) -> Mapping[str, Figure]:
    """The WER of what a judge heard, of each part of the sentences, by its name ("lang=de").

    Parts are made by category, language and the manifest's other keys, as `slices` makes them;
    not by length, which is the voice's own here. Only parts of `FEWEST` sentences or more
    that the judge understands are there; one that it failed on counts as all deletions.
    """
    if not any(judge in line.heard for line in lines):
        return {}
    known = [
        _prediction(line, _heard_by(judge, line))
        for line in lines
        if judge in line.heard or judge in line.unheard
    ]
    found = slices(align(known, normalizer_name), Parts(known).all())
    named = [p for p in found.parts if len(p.members) >= FEWEST and p.key != "duration"]
    return replace(found, parts=named).rates()


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
