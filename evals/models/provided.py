"""Which hypothesis of a file belongs to which utterance of a corpus."""

from __future__ import annotations

import difflib
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from adapters.catalog.model import Model
from adapters.provided.hypotheses import Hypothesis, HypothesisFile, ProvidedError
from adapters.provided.plain_text import TimedWord
from adapters.provided.rows import refuse
from adapters.provided.speech import read_speech
from evals.models.loaded import content_sha256
from fixtures.corpora.fields import channel_of
from fixtures.safe_text import shown

#: How a hypothesis was found: by the id, or by the sound's path, its name, or that without ending.
BY_ID, BY_PATH, BY_NAME, BY_STEM, BY_TIMES = "id", "path", "file name", "file stem", "times"
#: Seconds by which a segment's beginning may be rounded.
_ROUNDING = 0.011
#: Near ids are sought among so many, since each comparison takes microseconds.
_COMPARED = 4000


class Target(Protocol):
    """An utterance as far as hypotheses are found by it."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def offset(self) -> float | None: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def metadata(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class _Place:
    """What is kept of an utterance. channel: of its recording, from 0; None: all of them."""

    id: str
    offset: float | None
    duration: float | None
    channel: int | None


class Targets:
    """The utterances of a corpus by everything that a file of hypotheses may call them."""

    def __init__(self, utterances: Iterable[Target], folder: Path | None = None) -> None:
        """folder: the manifest's, to which paths may be relative."""
        self._folder = folder
        self.places: dict[str, _Place] = {}
        self._found: dict[str, dict[str, list[_Place]]] = {BY_PATH: {}, BY_NAME: {}, BY_STEM: {}}
        for utterance in utterances:
            channel = channel_of(utterance.metadata)
            place = _Place(utterance.id, utterance.offset, utterance.duration, channel)
            self.places[place.id] = place
            path = utterance.path
            if path.name and path != folder:
                self._note(BY_PATH, os.path.abspath(path), place)  # noqa: PTH100 - links stay
                self._note(BY_NAME, path.name, place)
                self._note(BY_STEM, path.stem, place)

    def _note(self, how: str, key: str, place: _Place) -> None:
        self._found[how].setdefault(key, []).append(place)

    def find(self, name: str | None, audio: str | None, beside: Path) -> tuple[str, list[_Place]]:
        """How a name or a path is found, and what: several where they are parts of one sound.

        beside: the folder of the file that names them.
        """
        if name is not None and name in self.places:
            return BY_ID, [self.places[name]]
        for key in (audio, name):
            if key is None:
                continue
            written = key.replace("\\", "/")
            folders = [f for f in (self._folder, beside, Path()) if f is not None]
            for folder in folders:
                absolute = os.path.abspath(folder / written)  # noqa: PTH100 - links stay
                if places := self._found[BY_PATH].get(absolute):
                    return BY_PATH, places
            path = Path(written)
            if places := self._found[BY_NAME].get(path.name):
                return BY_NAME, places
            for stem in (path.stem, path.name):
                if stem in self.places:
                    return BY_STEM, [self.places[stem]]
                if places := self._found[BY_STEM].get(stem):
                    return BY_STEM, places
        return "", []

    def nearest(self, name: str) -> list[str]:
        """The ids and files that are called most like a name."""
        stem = Path(name.replace("\\", "/")).stem
        known = sorted({*self.places, *self._found[BY_STEM]})
        if len(known) > _COMPARED:
            middle = bisect_left(known, stem)
            known = known[max(0, middle - _COMPARED // 2) : middle + _COMPARED // 2]
        return difflib.get_close_matches(stem, known, n=2, cutoff=0.5)


@dataclass
class Matched:
    """The hypotheses of one corpus's utterances.

    answers: by the utterance's id. by: how they were found, and how often. unknown: line and name
    of what the corpus does not have. outside: words of a CTM in no utterance of their recording.
    wrong: line and mistake of what fits several utterances, or an utterance that has one already.
    """

    answers: dict[str, Hypothesis] = field(default_factory=dict)
    by: Counter[str] = field(default_factory=Counter)
    unknown: dict[int, str] = field(default_factory=dict)
    outside: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)


def provided_sha256(model: Model) -> str | None:
    """Of all that a model's answers are read from."""
    path = Path(model.checkpoint)
    return read_speech(path).sha256 if "tts" in model.tasks else content_sha256(path)


def match(file: HypothesisFile, targets: Targets) -> Matched:
    """Every hypothesis with its utterance."""
    return _match_words(file, targets) if file.words else _match_rows(file, targets)


def refuse_unmatched(file: HypothesisFile, corpora: Sequence[Targets]) -> None:
    """Raise ProvidedError for ids that no utterance of any corpus has, and for doubtful ones.

    Each with its line, and with the nearest ids.
    """
    found = [match(file, targets) for targets in corpora]
    refuse(file.path, "hypotheses that fit several utterances", found[0].wrong)
    for one in found[1:]:
        refuse(file.path, "hypotheses that fit several utterances", one.wrong)
    unknown = {
        line: name
        for line, name in found[0].unknown.items()
        if all(line in one.unknown for one in found)
    }
    if not unknown:
        return
    told = {
        line: f"{shown(name)}{_hint(name, corpora)}" for line, name in sorted(unknown.items())[:5]
    }
    rest = [(line, told.get(line, name)) for line, name in unknown.items()]
    refuse(file.path, f"ids that no utterance has (it was read as {file.format})", rest)


def _hint(name: str, corpora: Sequence[Targets]) -> str:
    near = [one for targets in corpora for one in targets.nearest(name)][:2]
    return f"; the nearest: {' and '.join(map(shown, near))}" if near else ""


def _match_rows(file: HypothesisFile, targets: Targets) -> Matched:
    found = Matched()
    beside = file.path.parent
    for row in file.rows:
        how, places = targets.find(row.id, row.audio, beside)
        if len(places) > 1 and row.offset is not None:
            begins = row.offset
            places = [p for p in places if abs((p.offset or 0.0) - begins) <= _ROUNDING]
        if not places:
            found.unknown[row.line] = row.called
        elif len(places) > 1:
            also = "its offset is of none" if row.offset is not None else "give ids, or 'offset'"
            what = f"{shown(row.called)} is the sound of {len(places)} utterances: {also}"
            found.wrong.append((row.line, what))
        else:
            name = places[0].id
            known = found.answers.setdefault(name, row)
            if known is row:
                found.by[how] += 1
            elif known.text != row.text:
                what = f"{shown(row.called)} is utterance {shown(name)}, which line {known.line}"
                found.wrong.append((row.line, f"{what} has another hypothesis for"))
    return found


def _match_words(file: HypothesisFile, targets: Targets) -> Matched:
    """Of each utterance the words of its recording whose middle lies in it, in their order."""
    recordings: dict[str, list[TimedWord]] = {}
    for word in file.words:
        recordings.setdefault(word.recording, []).append(word)
    found = Matched()
    for recording, words in recordings.items():
        _, places = targets.find(recording, None, file.path.parent)
        if not places:
            found.unknown[words[0].line] = recording
            continue
        channels = sorted({word.channel for word in words})
        taken: set[int] = set()
        for place in places:
            if len(channels) > 1 and place.channel is None:
                what = f"{shown(recording)} has the channels {', '.join(channels)}, and the corpus"
                found.wrong.append((words[0].line, f"{what} does not say which it is of"))
                break
            own = [w for w in words if _is_in(w, place, len(channels))]
            taken.update(w.line for w in own)
            text = " ".join(w.text for w in sorted(own, key=lambda w: w.start))
            found.answers[place.id] = Hypothesis(words[0].line, text, place.id)
            found.by[BY_TIMES if len(places) > 1 or place.offset is not None else BY_ID] += 1
        else:
            found.outside += len(words) - len(taken)
    return found


def _is_in(word: TimedWord, place: _Place, channels: int) -> bool:
    if channels > 1 and _channel(word.channel) != place.channel:
        return False
    begins = place.offset or 0.0
    if place.offset is None:  # the whole recording
        return True
    middle = (word.start + word.end) / 2
    return middle >= begins and (place.duration is None or middle < begins + place.duration)


def _channel(written: str) -> int:
    """ "A" and "1" are the first of a recording."""
    if written.isdigit():
        return max(0, int(written) - 1)
    return ord(written[0].upper()) - ord("A")


__all__ = ["Matched", "ProvidedError", "Targets", "match", "refuse_unmatched"]
