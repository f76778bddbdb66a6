"""Brackets that mark what is no speech: a documented list; all other brackets hold words."""

from __future__ import annotations

from importlib.resources import files

import regex

#: What annotators and recognizers put into brackets for sounds and for what they could not hear:
#: annotations.txt beside this file.
EVENTS = frozenset(
    event.strip()
    for line in files(__package__).joinpath("annotations.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for event in line.split(",")
)
#: Words that say more of a sound: [loud music], [background noise], [laughter and applause].
_BESIDE = frozenset(
    [
        "background",
        "loud",
        "soft",
        "softly",
        "quiet",
        "faint",
        "upbeat",
        "dramatic",
        "tense",
        "playing",
        "continues",
        "begins",
        "starts",
        "stops",
        "ends",
        "stopped",
        "indistinct",
        "distant",
        "heavy",
        "light",
        "brief",
        "audience",
        "crowd",
        "speaker",
        "man",
        "woman",
        "child",
        "people",
        "and",
        "both",
        "all",
        "of",
        "in",
        "the",
        "a",
        "foreign",
        "language",
        "speaking",
        "sound",
        "sounds",
    ]
)
_BRACKETED = regex.compile(
    r"\[([^\[\]]*)\]|\(([^()]*)\)|<\|([^|<>]*)\|>|<(/?[^<>]*)>|\{([^{}]*)\}|\*([^*\s][^*]*)\*"
    r"|【([^【】]*)】|（([^（）]*)）|［([^［］]*)］|〔([^〔〕]*)〕|\+\+([^+]+)\+\+"
)
_OPENING = frozenset("[(<{*【（［〔♪♫+")
#: Tags of subtitles that style a text, and Whisper's tokens of languages, tasks and times.
_STYLE = regex.compile(r"/?(?:[ibus]|em|strong|font.*|c(?:\..*)?|v .*|br ?/?)$", regex.IGNORECASE)
_TIME = regex.compile(r"\d+(?:[:.]\d+)+")
_NOTES = regex.compile(r"[♪♫♬♩]+")


def without_annotations(text: str) -> tuple[str, int]:
    """A text without its annotations, and how many there were.

    An annotation is one of EVENTS in brackets of any kind, such as [noise], (laughs), <unk>,
    *coughs* or 【音乐】; a special token of Whisper (<|en|>); a note sign. Styles of subtitles
    (<i>) go without being counted. Everything else stays, its brackets included.
    """
    if _OPENING.isdisjoint(text):
        return text, 0
    count = 0

    def replaced(found: regex.Match[str]) -> str:
        nonlocal count
        inside = next(g for g in found.groups() if g is not None)
        if found[3] is not None:
            count += 1
            return " "
        if found[4] is not None and _STYLE.match(inside):
            return ""
        if is_event(inside):
            count += 1
            return " "
        return str(found[0])

    spoken = str(_BRACKETED.sub(replaced, text))
    plain, notes = _NOTES.subn(" ", spoken)
    return str(plain), count + int(notes)


def is_event(inside: str) -> bool:
    """Whether what stands in brackets is a sound or a remark of this list."""
    inside = _TIME.sub("", inside)
    words = " ".join(regex.findall(r"[\p{L}\p{M}]+", inside.casefold()))
    if not words or regex.search(r"\d", inside):
        return False
    if words in EVENTS:
        return True
    single = words.split()
    return (
        len(single) <= 6
        and any(w in EVENTS for w in single)
        and all(w in EVENTS or w in _BESIDE for w in single)
    )
