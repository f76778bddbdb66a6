"""Recordings whose rows are segments: scored as one text, since words move over their borders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from evals.records.predictions import Prediction

#: The manifest's key of the recording that a row is a segment of.
SESSION = "session"


#: A label of who speaks, as systems write it: "[speaker 1]", "<spk0>", "SPEAKER_00: ".
_LABEL = re.compile(
    r"[\[<(]\s*(?P<inside>(?:speaker|spk)[ _-]?\w{1,8})\s*[\])>]:?"
    r"|(?<!\S)(?P<before>(?:speaker|spk)[ _-]?\w{1,8}):(?=\s)",
    re.IGNORECASE,
)


def labelled(text: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first label of a speaker, and each label with what follows it."""
    labels = [*_LABEL.finditer(text)]
    ends = [found.start() for found in labels[1:]] + [len(text)]
    pieces = [
        ((found["inside"] or found["before"]).casefold(), text[found.end() : end].strip())
        for found, end in zip(labels, ends, strict=True)
    ] if labels else []  # fmt: skip
    return text[: labels[0].start()] if labels else text, pieces


class Joined(Iterable[Prediction]):
    """Predictions with the segments of a session as one, as often as they are gone through.

    A prediction without a session stays as it is and where it is. A session comes after all of
    those, its segments in the order of their offsets, with a space between two texts: a word that
    one segment's hypothesis has and the next one's reference is right. A segment that was not
    answered adds nothing to the hypothesis. Of several speakers, labels in the hypothesis are no
    words. Times and errors are the sums and the first.
    """

    def __init__(self, predictions: Iterable[Prediction]) -> None:
        self._predictions = predictions

    def __iter__(self) -> Iterator[Prediction]:
        sessions: dict[str, list[Prediction]] = {}
        for prediction in self._predictions:
            name = session_of(prediction)
            if name is None:
                yield prediction
            else:
                sessions.setdefault(name, []).append(prediction)
        for name, segments in sessions.items():
            yield _joined(name, segments)


def session_of(prediction: Prediction) -> str | None:
    """The session that a prediction is a segment of, None where it stands alone."""
    name = prediction.metadata.get(SESSION)
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None


def _joined(name: str, segments: list[Prediction]) -> Prediction:
    if len(segments) == 1:
        return segments[0]
    segments = sorted(segments, key=lambda p: (p.offset or 0.0, p.index or 0))
    first = segments[0]
    speakers = {p.speaker for p in segments}
    languages = {p.lang for p in segments}
    heard = [p.hypothesis for p in segments]
    lengths = [p.audio_seconds for p in segments]
    spent = [p.processing_seconds for p in segments if p.processing_seconds is not None]
    shared = {
        key: value
        for key, value in first.metadata.items()
        if all(p.metadata.get(key) == value for p in segments)
    }
    if entities := [e for p in segments for e in p.metadata.get("entities") or ()]:
        shared["entities"] = entities
    return replace(
        first,
        id=name,
        reference=_text(p.reference for p in segments),
        hypothesis=_text(map(_unlabelled if len(speakers) > 1 else str, heard)),
        alternatives=(),
        audio_seconds=None if None in lengths else sum(x for x in lengths if x is not None),
        processing_seconds=sum(spent) if spent else None,
        error=next((p.error for p in segments if p.error is not None), None),
        speaker=speakers.pop() if len(speakers) == 1 else None,
        lang=languages.pop() if len(languages) == 1 else first.lang,
        metadata=shared,
        alone=None,
    )


def _unlabelled(text: str) -> str:
    """A text of several speakers without the labels, which nobody says."""
    return _LABEL.sub(" ", text)


def _text(texts: Iterable[str]) -> str:
    return " ".join(text.strip() for text in texts if text.strip())
