"""A voice assistant by rule: it understands the commands of voice-commands and keeps a home.

It forgives what people forgive (`heard_commands`): how something is written, a word before or
after. Of what was misheard it makes nothing that could be meant.

What it knows is derived from what was said so far, heard anew from the beginning for every
answer: no clock, no chance, nothing kept between calls. It answers in plain sentences, with the
commands' own words where it can, so that a recogniser that knows those can check its speech.
It declines what a home's assistant cannot do (weather, calls, messages) or must not
(opening the doors to the outside).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from adapters.engines.cascade.heard_commands import commands, without_extra, words_of
from adapters.engines.cascade.number_words import ONES, ORDINALS, TENS
from adapters.engines.cascade.smart_home import OUTSIDE, Home, Said, Unclear

_SMALL = ONES[1:10]
_ROOMS = ("kitchen", "bedroom", "bathroom", "office", "garden")
_NOT_UNDERSTOOD = "Sorry, I did not understand."


def _either(words: Sequence[str]) -> str:
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


_NUMBER = rf"(?:\d{{1,3}}|{_either(TENS)}(?: {_either(_SMALL)})?|{_either(ONES)}|hundred)"
_PARTS = r"(?:in (?:morning|evening)|tomorrow|tonight|today)"
_HOUR = rf"(?:{_either(ONES)}|0?\d|1\d|2[0-4])"
_MINUTES = rf"(?:{_either(TENS)}(?: {_either(_SMALL)})?|{_either(ONES[10:])}|[0-5]\d)"
_DIGIT = rf"(?:{_either(ONES[:10])}|\d)"
#: Slots of the patterns below; each `<name>` becomes a group of that name.
_SLOTS: Mapping[str, str] = {
    "room": _either(_ROOMS),
    "switch": "on|off",
    "color": "red|blue|green|white",
    "n": _NUMBER,
    "unit": "minutes?|seconds?|hours?",
    "which": rf"(?:timer )?{_either(ORDINALS)}(?: timer| one)?|timer {_NUMBER}",
    "time": rf"{_HOUR}(?: ?{_MINUTES})?(?: {_PARTS})?",
    "part": _PARTS,
    "genre": "jazz|rock|classical",
    "way": "up|down",
    "act": "open|close|lock",
    "door": _either((*OUTSIDE, *_ROOMS)),
    "thing": "door|window",
    "state": "open|closed?|locked?",
    "name": "[a-z]+",
    "any": ".+",
    "digits": rf"{_DIGIT}(?: ?{_DIGIT}){{2,6}}",
}


#: The commands in their order, without idle words; the first that fits the whole is taken.
_COMMANDS: Sequence[tuple[str, Callable[[Home, Said], str]]] = (
    ("turn <switch> <room> lights?(?: at <time>)?", Home.switch),
    ("turn <room> lights? <switch>", Home.switch),
    ("turn <switch> lights? in <room>", Home.switch),
    ("turn (?:it|them) <switch>", Home.switch),
    ("(?:dim|set) <room> lights? (?:(?:to|at) )?<n> percent", Home.dim),
    ("(?:make|dim|set) it (?:(?:to|at) )?<n> percent", Home.dim),
    ("(?:make|turn) <room> lights? <color>", Home.paint),
    ("(?:make|turn) (?:it|them) <color>", Home.paint),
    ("(?:is|are) <room> lights? (?:<switch>|<color>)", Home.ask_light),
    ("(?:is|are) (?:it|they) <color>", Home.ask_light),
    ("what is <room> lights?", Home.ask_light),
    ("what color is <room> lights?", Home.ask_light),
    ("set timer for <n> <unit>(?: in <room>)?", Home.set_timer),
    ("set another timer for <n> <unit>(?: in <room>)?", Home.set_timer),
    ("(?:make|set) (?:it|that|timer) (?:to |for )?<n> <unit>", Home.change),
    ("(?:make|set) <which> (?:to |for )?<n> <unit>", Home.change),
    ("cancel <n> <unit> timer(?: in <room>)?", Home.cancel_by_length),
    ("(?:cancel|stop) <which>", Home.cancel_timer),
    ("(?:cancel|stop) timer", Home.cancel_timer),
    ("stop timer in <n> <unit>", Home.stop_timer),
    ("(?:what is|how long is) <which>", Home.ask_timer),
    ("(?:what is|what are|how long is) timers?", Home.ask_timers),
    ("is timer on", Home.ask_timers),
    ("wake me up at <time>", Home.set_alarm),
    ("set alarm (?:for|at) <time>", Home.set_alarm),
    ("make (?:it|that|alarm) <time>", Home.change_alarm),
    ("cancel alarm(?: (?:at|for) <time>)?", Home.cancel_alarm),
    ("(?:what|when) is alarm", Home.ask_alarm),
    ("is alarm on", Home.ask_alarm),
    ("play <genre> music(?: in <room>)?", Home.play),
    ("play <genre> music for <n> <unit>", Home.play),
    ("play <n> <genre> songs?(?: in <room>)?", Home.play),
    ("play next song(?: in <room>)?", Home.play_next),
    ("play it in <room>", Home.move_music),
    ("stop music(?: in <n> <unit>)?", Home.stop_music),
    ("what is music", Home.ask_music),
    ("what music is on", Home.ask_music),
    ("is music on", Home.ask_music),
    ("mute music(?: in <room>)?", Home.mute),
    ("mute music for <n> <unit>", Home.mute),
    ("turn volume <way>(?: to <n>(?: percent)?)?", Home.turn_volume),
    ("turn <way> volume(?: in <room>)?(?: at <time>)?", Home.turn_volume),
    ("turn it <way>", Home.turn_volume),
    ("set volume(?: in <room>)? to <n>(?: percent)?", Home.turn_volume),
    ("what is volume", Home.ask_volume),
    ("<act> <door> <thing>(?: at <time>)?", Home.move_door),
    ("<act> it", Home.move_door),
    ("is <door> <thing> <state>", Home.ask_door),
    ("what is <door> <thing>", Home.ask_door),
    ("is it <state>", Home.ask_door),
    ("cancel it", Home.cancel_it),
    ("what is it", Home.ask_it),
    ("is it on", Home.ask_it),
    ("what is weather <any>", Home.weather),
    ("what is weather", Home.weather),
    ("will it <any>", Home.weather),
    ("is it cold(?: <any>)?", Home.weather),
    ("call <name>(?: at <time>)?", Home.call),
    ("send message to <name>", Home.message),
    ("send <name> message(?: at <time>)?", Home.message),
    ("<digits>", Home.repeat),
)
_SLOT = re.compile(r"<(\w+)>")
_PATTERNS = [
    (re.compile(_SLOT.sub(lambda slot: f"(?P<{slot[1]}>{_SLOTS[slot[1]]})", command)), method)
    for command, method in _COMMANDS
]
_KNOWN = words_of([*_SLOTS.values(), *(command for command, _ in _COMMANDS)])


def respond(said: Sequence[str]) -> str:
    """The answer to the last of the user's turns, given all of them from the first.

    The home begins as it was built: lights off, doors closed, the volume at thirty percent.
    """
    home = Home()
    answer = _NOT_UNDERSTOOD
    for text in said:
        answer = _answer(home, text)
    return answer


def _answer(home: Home, text: str) -> str:
    """What is said to a turn of one or more commands joined by "and"."""
    answers = [_one(home, command) for command in commands(text)]
    return " ".join(dict.fromkeys(answers)) or _NOT_UNDERSTOOD


def _one(home: Home, command: str) -> str:
    for said in without_extra(command, _KNOWN):
        for pattern, method in _PATTERNS:
            match = pattern.fullmatch(said)
            if match is None:
                continue
            given = {name: value for name, value in match.groupdict().items() if value is not None}
            try:
                return method(home, given)
            except Unclear as unclear:
                return str(unclear) or _NOT_UNDERSTOOD
    return _NOT_UNDERSTOOD
