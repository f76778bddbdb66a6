"""What the page shows of utterances that went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from reports.page.errors.audio_clips import Clip, Sounds
from reports.page.errors.sampling import Sample, shares
from reports.text.safe_html import plain

#: Errors on a page, over all models, tasks and corpora.
MOST = 3000
NO_ANSWER = "no answer"

#: A run of words heard right; or [reference, hypothesis], 0 where there is no such word.
Piece: TypeAlias = str | list[str | int]


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one model on one task and corpus.

    file: where they are, in the run's folder. lines: how many. wrong: of these, with an error;
    shown: of these, on the page. None: it cannot be told.
    normalizer: under which words were compared. notes: what else there is to say.
    """

    model: str
    task: str
    corpus: str
    file: str
    lines: int
    wrong: int | None
    normalizer: str | None
    problems: Sequence[str] = ()
    shown: int = 0


@dataclass(frozen=True, slots=True)
class Wrong:
    """One utterance, sentence or turn with an error.

    line: in the group's file, from 1. labels: of the two rows of words. edits: the words, aligned.
    facts: what else there is to know of it, as name and text. clipped: it is longer than shown.
    sound: where its sound is.
    """

    line: int
    id: str
    category: str | None
    speaker: str | None
    kinds: Sequence[str]
    errors: int
    words: int
    labels: tuple[str, str]
    edits: Sequence[Piece]
    facts: Sequence[tuple[str, str]]
    clipped: bool
    sound: Clip | None
    audio: int | None = None


@dataclass(frozen=True)
class Errors:
    """What the page shows of a run's errors: groups, and the errors of each.

    every: those that may be shown, by group. wrong: of these, the ones that are shown.
    """

    groups: Sequence[Group]
    every: Sequence[Sample[Wrong]] = field(compare=False)
    wrong: Sequence[Sequence[Wrong]]
    seed: int
    sounds: Sounds | None = None
    notes: Sequence[str] = ()

    def fewer(self, most: int) -> Errors:
        """At most so many, by the rule of `sampling`; no more than were asked for at first."""
        allowed = shares([some.total for some in self.every], most)
        chosen = [some.best(room) for some, room in zip(self.every, allowed, strict=True)]
        groups = [
            replace(group, shown=len(some)) for group, some in zip(self.groups, chosen, strict=True)
        ]
        return replace(self, groups=groups, wrong=chosen)

    def with_sound(self, sounds: Sounds) -> Errors:
        """With the sound of those that are shown.

        The worst of each group first, in turns, so that one group does not take all the room.
        """
        heard = [list(some) for some in self.wrong]
        for place in range(max(map(len, heard), default=0)):
            for some in heard:
                clip = some[place].sound if place < len(some) else None
                if clip is not None:
                    some[place] = replace(some[place], audio=sounds.add(clip))
        return replace(self, wrong=heard, sounds=sounds)

    @property
    def shown(self) -> int:
        return sum(group.shown for group in self.groups)

    @property
    def total(self) -> int:
        """Lines with an error."""
        return sum(group.wrong or 0 for group in self.groups)

    @property
    def audible(self) -> int:
        """Errors on the page whose sound is there."""
        return sum(one.audio is not None for some in self.wrong for one in some)

    def as_json(self) -> Mapping[str, Any]:
        """For the page's script: rows as short as they can be, since there are thousands."""
        return {
            "groups": [
                [plain(name) for name in (g.model, g.task, g.corpus, g.file)] for g in self.groups
            ],
            "errors": [
                [
                    place,
                    one.line,
                    one.id,
                    one.category,
                    one.speaker,
                    list(one.kinds),
                    one.errors,
                    one.words,
                    list(one.labels),
                    list(one.edits),
                    [list(fact) for fact in one.facts],
                    int(one.clipped),
                    one.audio,
                ]
                for place, some in enumerate(self.wrong)
                for one in some
            ],
            "audio": self.sounds.clips if self.sounds is not None else [],
        }
