"""A voice assistant by rule: it understands the commands of voice-commands and keeps a home.

What it knows is derived from what was said so far, heard anew from the beginning for every
answer: no clock, no chance, nothing kept between calls. It answers in plain sentences, with the
commands' own words where it can, so that a recogniser that knows those can check its speech.
It declines what a home's assistant cannot do (weather, calls, messages) or must not
(opening the doors to the outside).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_SMALL = _ONES[1:10]
_ROOMS = ("kitchen", "bedroom", "bathroom", "office", "garden")
_OUTSIDE = ("front", "back", "garage")
#: Words that change nothing. Recognisers lose the articles first.
_IDLE = frozenset(["the", "a", "an", "some", "please", "no", "okay", "ok", "now", "actually"])
_FIRST_VOLUME, _VOLUME_STEP, _LOUDEST, _BRIGHTEST = 30, 10, 100, 100
_NOT_UNDERSTOOD = "Sorry, I did not understand."


def _either(words: Sequence[str]) -> str:
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


_NUMBER = rf"(?:\d{{1,3}}|{_either(_TENS)}(?: {_either(_SMALL)})?|{_either(_ONES)}|hundred)"
_PARTS = r"(?:in (?:morning|evening)|tomorrow|tonight|today)"
#: Slots of the patterns below; each `<name>` becomes a group of that name.
_SLOTS: Mapping[str, str] = {
    "room": _either(_ROOMS),
    "switch": "on|off",
    "color": "red|blue|green|white",
    "n": _NUMBER,
    "unit": "minutes?|seconds?|hours?",
    "which": rf"(?:timer )?{_either(_ORDINALS)}(?: timer| one)?|timer {_NUMBER}",
    "time": rf"{_either(_ONES)}(?: (?:{_either(_TENS)}|fifteen))?(?: {_PARTS})?",
    "part": _PARTS,
    "genre": "jazz|rock|classical",
    "way": "up|down",
    "act": "open|close|lock",
    "door": _either((*_OUTSIDE, *_ROOMS)),
    "thing": "door|window",
    "state": "open|closed?|locked?",
    "name": "[a-z]+",
    "any": ".+",
    "digits": rf"{_either(_ONES[:10])}(?: {_either(_ONES[:10])}){{2,6}}",
}


@dataclass(slots=True)
class _Light:
    on: bool = False
    color: str | None = None
    percent: int | None = None


@dataclass(slots=True)
class _Timer:
    amount: int
    unit: str
    room: str | None = None

    def __str__(self) -> str:
        unit = self.unit if self.amount == 1 else f"{self.unit}s"
        return f"{_spelled(self.amount)} {unit}"


@dataclass(slots=True)
class _Alarm:
    time: str


@dataclass(slots=True)
class _Door:
    name: str
    state: str = "closed"


@dataclass(slots=True)
class _Music:
    what: str
    room: str | None = None


_It: TypeAlias = _Light | _Timer | _Alarm | _Door | _Music | None
_Said: TypeAlias = Mapping[str, str]


@dataclass(slots=True)
class _Home:
    """The state of things; `it` is what was spoken of last."""

    lights: dict[str, _Light] = field(default_factory=dict)
    timers: list[_Timer] = field(default_factory=list)
    alarms: list[_Alarm] = field(default_factory=list)
    doors: dict[str, _Door] = field(default_factory=dict)
    music: _Music | None = None
    volume: int = _FIRST_VOLUME
    it: _It = None

    # Lights

    def switch(self, said: _Said) -> str:
        light, on = self._light(said), said["switch"] == "on"
        if "time" in said:
            return f"{self._name(light)} will turn {said['switch']} at {_time(said['time'])}."
        light.on = on
        return self._light_is(light)

    def dim(self, said: _Said) -> str:
        light = self._light(said)
        light.percent, light.on = min(_BRIGHTEST, _value(said["n"])), True
        return self._light_is(light)

    def paint(self, said: _Said) -> str:
        light = self._light(said)
        light.color, light.on = said["color"], True
        return self._light_is(light)

    def ask_light(self, said: _Said) -> str:
        return self._light_is(self._light(said))

    def _light(self, said: _Said) -> _Light:
        if "room" not in said:
            if not isinstance(self.it, _Light):
                raise _Unclear
            return self.it
        light = self.lights.setdefault(said["room"], _Light())
        self.it = light
        return light

    def _name(self, light: _Light) -> str:
        (room,) = (room for room, other in self.lights.items() if other is light)
        return f"The {room} light"

    def _light_is(self, light: _Light) -> str:
        if not light.on:
            return f"{self._name(light)} is off."
        percent = f" at {_spelled(light.percent)} percent" if light.percent is not None else ""
        color = f" {light.color}" if light.color else "" if percent else " on"
        return f"{self._name(light)} is{color}{percent}."

    # Timers

    def set_timer(self, said: _Said) -> str:
        timer = _length(said)
        timer.room = said.get("room")
        self.timers.append(timer)
        self.it = timer
        return f"{self._timer_is(timer)}."

    def change(self, said: _Said) -> str:
        """ "make it ten minutes", of the timer meant or else the last one."""
        timer = self._timer(said)
        length = _length(said)
        timer.amount, timer.unit = length.amount, length.unit
        return f"{self._timer_is(timer)}."

    def cancel_by_length(self, said: _Said) -> str:
        wanted, room = _length(said), said.get("room")
        for timer in self.timers:
            same = (timer.amount, timer.unit) == (wanted.amount, wanted.unit)
            if same and room in (None, timer.room):
                return self._cancel(timer)
        return f"There is no {_spelled(wanted.amount)} {wanted.unit} timer."

    def cancel_timer(self, said: _Said) -> str:
        if "which" not in said and len(self.timers) > 1:
            return f"Which one? {self.ask_timers(said)}"
        return self._cancel(self._timer(said)) if self.timers else "There is no timer."

    def stop_timer(self, said: _Said) -> str:
        self._timer(said)
        return f"The timer will stop in {_length(said)}."

    def ask_timer(self, said: _Said) -> str:
        return f"{self._timer_is(self._timer(said))}."

    def ask_timers(self, said: _Said) -> str:
        if not self.timers:
            return "There is no timer."
        first, *others = [self._timer_is(timer) for timer in self.timers]
        return " and ".join([first, *(o[0].lower() + o[1:] for o in others)]) + "."

    def _timer(self, said: _Said) -> _Timer:
        """The timer that is meant: by number, else `it`, else the last."""
        if "which" in said:
            place = _place(said["which"])
            if not 0 <= place < len(self.timers):
                raise _Unclear(f"There is no timer {_spelled(place + 1)}.")
            self.it = self.timers[place]
        elif isinstance(self.it, _Timer) and self.it in self.timers:
            return self.it
        elif not self.timers:
            raise _Unclear("There is no timer.")
        else:
            self.it = self.timers[-1]
        return self.it

    def _cancel(self, timer: _Timer) -> str:
        self.timers = [other for other in self.timers if other is not timer]
        self.it = self.timers[-1] if self.timers else None
        return f"The {_spelled(timer.amount)} {timer.unit} timer is off."

    def _timer_is(self, timer: _Timer) -> str:
        name = f"{timer.room} timer" if timer.room else "timer"
        if len(self.timers) == 1:
            return f"The {name} is at {timer}"
        place = next(i for i, other in enumerate(self.timers) if other is timer)
        return f"{name.capitalize()} {_spelled(place + 1)} is at {timer}"

    # Alarms

    def set_alarm(self, said: _Said) -> str:
        alarm = _Alarm(_time(said["time"]))
        self.alarms.append(alarm)
        self.it = alarm
        return f"The alarm is at {alarm.time}."

    def change_alarm(self, said: _Said) -> str:
        if not self.alarms:
            raise _Unclear
        self.it = self.it if isinstance(self.it, _Alarm) else self.alarms[-1]
        self.it.time = _time(said["time"])
        return f"The alarm is at {self.it.time}."

    def cancel_alarm(self, said: _Said) -> str:
        time = _time(said["time"]) if "time" in said else None
        for alarm in reversed(self.alarms):
            if time is None or alarm.time == time:
                self.alarms = [other for other in self.alarms if other is not alarm]
                self.it = self.alarms[-1] if self.alarms else None
                return f"The alarm at {alarm.time} is off."
        return f"There is no alarm at {time}." if time else "There is no alarm."

    def ask_alarm(self, said: _Said) -> str:
        if not self.alarms:
            return "There is no alarm."
        self.it = self.alarms[-1]
        return f"The alarm is at {' and at '.join(alarm.time for alarm in self.alarms)}."

    # Music and its volume

    def play(self, said: _Said) -> str:
        if "n" in said and "genre" in said and "unit" not in said:
            what = f"{_spelled(_value(said['n']))} {said['genre']} songs"
        else:
            what = f"{said['genre']} music"
        self.music = _Music(what, said.get("room"))
        self.it = self.music
        if "unit" in said:
            return f"{self._music_is()[:-1]} for {_length(said)}."
        return self._music_is()

    def play_next(self, said: _Said) -> str:
        return f"The next song is on{_in(said.get('room'))}."

    def move_music(self, said: _Said) -> str:
        if self.music is None:
            raise _Unclear
        self.music.room = said["room"]
        self.it = self.music
        return self._music_is()

    def stop_music(self, said: _Said) -> str:
        if "n" in said:
            return f"The music will stop in {_length(said)}."
        self.music = None
        return self._music_is()

    def ask_music(self, said: _Said) -> str:
        self.it = self.music
        return self._music_is()

    def mute(self, said: _Said) -> str:
        span = f" for {_length(said)}" if "n" in said else ""
        return f"The music is on mute{_in(said.get('room'))}{span}."

    def _music_is(self) -> str:
        if self.music is None:
            return "The music is off."
        verb = "are" if self.music.what.endswith("songs") else "is"
        return f"{self.music.what.capitalize()} {verb} on{_in(self.music.room)}."

    def turn_volume(self, said: _Said) -> str:
        if "time" in said:
            return f"The volume will turn {said['way']} at {_time(said['time'])}."
        if "n" in said:
            self.volume = min(_LOUDEST, _value(said["n"]))
        else:
            step = _VOLUME_STEP if said["way"] == "up" else -_VOLUME_STEP
            self.volume = min(_LOUDEST, max(0, self.volume + step))
        return self.ask_volume(said)

    def ask_volume(self, said: _Said) -> str:
        return f"The volume{_in(said.get('room'))} is {_spelled(self.volume)} percent."

    # Doors and windows

    def move_door(self, said: _Said) -> str:
        door = self._door(said)
        place, _, thing = door.name.partition(" ")
        if said["act"] == "open" and place in _OUTSIDE and thing == "door":
            return f"Sorry, I am not allowed to open the {door.name}."
        state = {"open": "open", "close": "closed", "lock": "locked"}[said["act"]]
        if "time" in said:
            return f"The {door.name} will {said['act']} at {_time(said['time'])}."
        door.state = state
        return f"The {door.name} is {state}."

    def ask_door(self, said: _Said) -> str:
        door = self._door(said)
        return f"The {door.name} is {door.state}."

    def _door(self, said: _Said) -> _Door:
        if "door" not in said:
            if not isinstance(self.it, _Door):
                raise _Unclear
            return self.it
        name = f"{said['door']} {said['thing']}"
        door = self.doors.setdefault(name, _Door(name))
        self.it = door
        return door

    # "it", whatever that was

    def cancel_it(self, said: _Said) -> str:
        if isinstance(self.it, _Alarm) and self.it in self.alarms:
            return self.cancel_alarm({"time": self.it.time})
        if isinstance(self.it, _Music):
            return self.stop_music({})
        return self.cancel_timer({"which": f"timer {self._number_of_it()}"})

    def ask_it(self, said: _Said) -> str:
        if isinstance(self.it, _Light):
            return self._light_is(self.it)
        if isinstance(self.it, _Door):
            return self.ask_door({})
        if isinstance(self.it, _Alarm):
            return self.ask_alarm({})
        if isinstance(self.it, _Music):
            return self.ask_music({})
        return self.ask_timer({"which": f"timer {self._number_of_it()}"})

    def _number_of_it(self) -> int:
        for place, timer in enumerate(self.timers):
            if timer is self.it:
                return place + 1
        raise _Unclear

    # What it cannot do

    def weather(self, said: _Said) -> str:
        return "Sorry, I cannot tell the weather."

    def call(self, said: _Said) -> str:
        return f"Sorry, I cannot call {said['name'].capitalize()}."

    def message(self, said: _Said) -> str:
        return f"Sorry, I cannot send a message to {said['name'].capitalize()}."

    def repeat(self, said: _Said) -> str:
        return f"I heard {said['digits']}."


class _Unclear(Exception):
    """What is meant cannot be told; the message is what to say to that."""


#: The commands in their order, without idle words; the first that fits the whole is taken.
_COMMANDS: Sequence[tuple[str, Callable[[_Home, _Said], str]]] = (
    ("turn <switch> <room> lights?(?: at <time>)?", _Home.switch),
    ("turn <room> lights? <switch>", _Home.switch),
    ("turn <switch> lights? in <room>", _Home.switch),
    ("turn (?:it|them) <switch>", _Home.switch),
    ("(?:dim|set) <room> lights? (?:to )?<n> percent", _Home.dim),
    ("(?:make|dim|set) it (?:to )?<n> percent", _Home.dim),
    ("(?:make|turn) <room> lights? <color>", _Home.paint),
    ("(?:make|turn) (?:it|them) <color>", _Home.paint),
    ("(?:is|are) <room> lights? (?:<switch>|<color>)", _Home.ask_light),
    ("(?:is|are) (?:it|they) <color>", _Home.ask_light),
    ("what is <room> lights?", _Home.ask_light),
    ("what color is <room> lights?", _Home.ask_light),
    ("set timer for <n> <unit>(?: in <room>)?", _Home.set_timer),
    ("set another timer for <n> <unit>(?: in <room>)?", _Home.set_timer),
    ("(?:make|set) (?:it|that|timer) (?:to |for )?<n> <unit>", _Home.change),
    ("(?:make|set) <which> (?:to |for )?<n> <unit>", _Home.change),
    ("cancel <n> <unit> timer(?: in <room>)?", _Home.cancel_by_length),
    ("(?:cancel|stop) <which>", _Home.cancel_timer),
    ("(?:cancel|stop) timer", _Home.cancel_timer),
    ("stop timer in <n> <unit>", _Home.stop_timer),
    ("(?:what is|how long is) <which>", _Home.ask_timer),
    ("(?:what is|what are|how long is) timers?", _Home.ask_timers),
    ("is timer on", _Home.ask_timers),
    ("wake me up at <time>", _Home.set_alarm),
    ("set alarm (?:for|at) <time>", _Home.set_alarm),
    ("make (?:it|that|alarm) <time>", _Home.change_alarm),
    ("cancel alarm(?: (?:at|for) <time>)?", _Home.cancel_alarm),
    ("(?:what|when) is alarm", _Home.ask_alarm),
    ("is alarm on", _Home.ask_alarm),
    ("play <genre> music(?: in <room>)?", _Home.play),
    ("play <genre> music for <n> <unit>", _Home.play),
    ("play <n> <genre> songs?(?: in <room>)?", _Home.play),
    ("play next song(?: in <room>)?", _Home.play_next),
    ("play it in <room>", _Home.move_music),
    ("stop music(?: in <n> <unit>)?", _Home.stop_music),
    ("what is music", _Home.ask_music),
    ("what music is on", _Home.ask_music),
    ("is music on", _Home.ask_music),
    ("mute music(?: in <room>)?", _Home.mute),
    ("mute music for <n> <unit>", _Home.mute),
    ("turn volume <way>(?: to <n>(?: percent)?)?", _Home.turn_volume),
    ("turn <way> volume(?: in <room>)?(?: at <time>)?", _Home.turn_volume),
    ("turn it <way>", _Home.turn_volume),
    ("set volume(?: in <room>)? to <n>(?: percent)?", _Home.turn_volume),
    ("what is volume", _Home.ask_volume),
    ("<act> <door> <thing>(?: at <time>)?", _Home.move_door),
    ("<act> it", _Home.move_door),
    ("is <door> <thing> <state>", _Home.ask_door),
    ("what is <door> <thing>", _Home.ask_door),
    ("is it <state>", _Home.ask_door),
    ("cancel it", _Home.cancel_it),
    ("what is it", _Home.ask_it),
    ("is it on", _Home.ask_it),
    ("what is weather <any>", _Home.weather),
    ("what is weather", _Home.weather),
    ("will it <any>", _Home.weather),
    ("is it cold(?: <any>)?", _Home.weather),
    ("call <name>(?: at <time>)?", _Home.call),
    ("send message to <name>", _Home.message),
    ("send <name> message(?: at <time>)?", _Home.message),
    ("<digits>", _Home.repeat),
)
_SLOT = re.compile(r"<(\w+)>")
_PATTERNS = [
    (re.compile(_SLOT.sub(lambda slot: f"(?P<{slot[1]}>{_SLOTS[slot[1]]})", command)), method)
    for command, method in _COMMANDS
]


def respond(said: Sequence[str]) -> str:
    """The answer to the last of the user's turns, given all of them from the first.

    The home begins as it was built: lights off, doors closed, the volume at thirty percent.
    """
    home = _Home()
    answer = _NOT_UNDERSTOOD
    for text in said:
        answer = _answer(home, text)
    return answer


def _answer(home: _Home, text: str) -> str:
    """What is said to a turn of one or more commands joined by "and"."""
    words = re.findall(r"[a-z]+|\d+", text.lower().replace("'", "").replace("%", " percent"))
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "and":
            commands.append([])
        elif word not in _IDLE:
            commands[-1].append(word)
    answers = [_one(home, " ".join(command)) for command in commands if command]
    return " ".join(dict.fromkeys(answers)) or _NOT_UNDERSTOOD


def _one(home: _Home, command: str) -> str:
    for pattern, method in _PATTERNS:
        match = pattern.fullmatch(command)
        if match is not None:
            given = {name: value for name, value in match.groupdict().items() if value is not None}
            try:
                return method(home, given)
            except _Unclear as unclear:
                return str(unclear) or _NOT_UNDERSTOOD
    return _NOT_UNDERSTOOD


def _value(words: str) -> int:
    """The number that is said: digits, or words up to a hundred."""
    if words.isdecimal():
        return int(words)
    total = 0
    for word in words.split():
        if word == "hundred":
            total = 100
        elif word in _TENS:
            total += 10 * (_TENS.index(word) + 2)
        else:
            total += _ONES.index(word)
    return total


def _spelled(number: int) -> str:
    """The number as it is said, so that no synthesizer has to read digits."""
    if number < len(_ONES):
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    return "one hundred" if number == 100 else str(number)


def _length(said: _Said) -> _Timer:
    """The length of time that is said."""
    return _Timer(_value(said["n"]), said["unit"].rstrip("s"))


def _place(which: str) -> int:
    """The place, from 0, that "the second one", "the first timer" or "timer two" means."""
    words = which.split()
    for word in words:
        if word in _ORDINALS:
            return _ORDINALS.index(word)
    return _value(" ".join(words[1:])) - 1


def _time(said: str) -> str:
    """A time as it was said, with the article that was taken for idle."""
    return re.sub(r"\bin (morning|evening)\b", r"in the \1", said)


def _in(room: str | None) -> str:
    return f" in the {room}" if room else ""
