"""A home as the assistant by rule keeps it: lights, timers, an alarm, music, doors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from adapters.engines.cascade.number_words import (
    digit_by_digit,
    place_of,
    spelled,
    time_in_words,
    value_of,
)

OUTSIDE = ("front", "back", "garage")
_FIRST_VOLUME, _VOLUME_STEP, _LOUDEST, _BRIGHTEST = 30, 10, 100, 100


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
        return f"{spelled(self.amount)} {unit}"


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
Said: TypeAlias = Mapping[str, str]


@dataclass(slots=True)
class Home:
    """The state of things; `it` is what was spoken of last."""

    lights: dict[str, _Light] = field(default_factory=dict)
    timers: list[_Timer] = field(default_factory=list)
    alarms: list[_Alarm] = field(default_factory=list)
    doors: dict[str, _Door] = field(default_factory=dict)
    music: _Music | None = None
    volume: int = _FIRST_VOLUME
    it: _It = None

    # Lights

    def switch(self, said: Said) -> str:
        light, on = self._light(said), said["switch"] == "on"
        if "time" in said:
            return f"{self._name(light)} will turn {said['switch']} at {_time(said['time'])}."
        light.on = on
        return self._light_is(light)

    def dim(self, said: Said) -> str:
        light = self._light(said)
        light.percent, light.on = min(_BRIGHTEST, value_of(said["n"])), True
        return self._light_is(light)

    def paint(self, said: Said) -> str:
        light = self._light(said)
        light.color, light.on = said["color"], True
        return self._light_is(light)

    def ask_light(self, said: Said) -> str:
        return self._light_is(self._light(said))

    def _light(self, said: Said) -> _Light:
        if "room" not in said:
            if not isinstance(self.it, _Light):
                raise Unclear
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
        percent = f" at {spelled(light.percent)} percent" if light.percent is not None else ""
        color = f" {light.color}" if light.color else "" if percent else " on"
        return f"{self._name(light)} is{color}{percent}."

    # Timers

    def set_timer(self, said: Said) -> str:
        timer = _length(said)
        timer.room = said.get("room")
        self.timers.append(timer)
        self.it = timer
        return f"{self._timer_is(timer)}."

    def change(self, said: Said) -> str:
        """ "make it ten minutes", of the timer meant or else the last one."""
        timer = self._timer(said)
        length = _length(said)
        timer.amount, timer.unit = length.amount, length.unit
        return f"{self._timer_is(timer)}."

    def cancel_by_length(self, said: Said) -> str:
        wanted, room = _length(said), said.get("room")
        for timer in self.timers:
            same = (timer.amount, timer.unit) == (wanted.amount, wanted.unit)
            if same and room in (None, timer.room):
                return self._cancel(timer)
        return f"There is no {spelled(wanted.amount)} {wanted.unit} timer."

    def cancel_timer(self, said: Said) -> str:
        if "which" not in said and len(self.timers) > 1:
            return f"Which one? {self.ask_timers(said)}"
        return self._cancel(self._timer(said)) if self.timers else "There is no timer."

    def stop_timer(self, said: Said) -> str:
        self._timer(said)
        return f"The timer will stop in {_length(said)}."

    def ask_timer(self, said: Said) -> str:
        return f"{self._timer_is(self._timer(said))}."

    def ask_timers(self, said: Said) -> str:
        if not self.timers:
            return "There is no timer."
        first, *others = [self._timer_is(timer) for timer in self.timers]
        return " and ".join([first, *(o[0].lower() + o[1:] for o in others)]) + "."

    def _timer(self, said: Said) -> _Timer:
        """The timer that is meant: by number, else `it`, else the last."""
        if "which" in said:
            place = place_of(said["which"])
            if not 0 <= place < len(self.timers):
                raise Unclear(f"There is no timer {spelled(place + 1)}.")
            self.it = self.timers[place]
        elif isinstance(self.it, _Timer) and self.it in self.timers:
            return self.it
        elif not self.timers:
            raise Unclear("There is no timer.")
        else:
            self.it = self.timers[-1]
        return self.it

    def _cancel(self, timer: _Timer) -> str:
        self.timers = [other for other in self.timers if other is not timer]
        self.it = self.timers[-1] if self.timers else None
        return f"The {spelled(timer.amount)} {timer.unit} timer is off."

    def _timer_is(self, timer: _Timer) -> str:
        name = f"{timer.room} timer" if timer.room else "timer"
        if len(self.timers) == 1:
            return f"The {name} is at {timer}"
        place = next(i for i, other in enumerate(self.timers) if other is timer)
        return f"{name.capitalize()} {spelled(place + 1)} is at {timer}"

    # Alarms

    def set_alarm(self, said: Said) -> str:
        alarm = _Alarm(_time(said["time"]))
        self.alarms.append(alarm)
        self.it = alarm
        return f"The alarm is at {alarm.time}."

    def change_alarm(self, said: Said) -> str:
        if not self.alarms:
            raise Unclear
        self.it = self.it if isinstance(self.it, _Alarm) else self.alarms[-1]
        self.it.time = _time(said["time"])
        return f"The alarm is at {self.it.time}."

    def cancel_alarm(self, said: Said) -> str:
        time = _time(said["time"]) if "time" in said else None
        for alarm in reversed(self.alarms):
            if time is None or alarm.time == time:
                self.alarms = [other for other in self.alarms if other is not alarm]
                self.it = self.alarms[-1] if self.alarms else None
                return f"The alarm at {alarm.time} is off."
        return f"There is no alarm at {time}." if time else "There is no alarm."

    def ask_alarm(self, said: Said) -> str:
        if not self.alarms:
            return "There is no alarm."
        self.it = self.alarms[-1]
        return f"The alarm is at {' and at '.join(alarm.time for alarm in self.alarms)}."

    # Music and its volume

    def play(self, said: Said) -> str:
        if "n" in said and "genre" in said and "unit" not in said:
            what = f"{spelled(value_of(said['n']))} {said['genre']} songs"
        else:
            what = f"{said['genre']} music"
        self.music = _Music(what, said.get("room"))
        self.it = self.music
        if "unit" in said:
            return f"{self._music_is()[:-1]} for {_length(said)}."
        return self._music_is()

    def play_next(self, said: Said) -> str:
        return f"The next song is on{_in(said.get('room'))}."

    def move_music(self, said: Said) -> str:
        if self.music is None:
            raise Unclear
        self.music.room = said["room"]
        self.it = self.music
        return self._music_is()

    def stop_music(self, said: Said) -> str:
        if "n" in said:
            return f"The music will stop in {_length(said)}."
        self.music = None
        return self._music_is()

    def ask_music(self, said: Said) -> str:
        self.it = self.music
        return self._music_is()

    def mute(self, said: Said) -> str:
        span = f" for {_length(said)}" if "n" in said else ""
        return f"The music is on mute{_in(said.get('room'))}{span}."

    def _music_is(self) -> str:
        if self.music is None:
            return "The music is off."
        verb = "are" if self.music.what.endswith("songs") else "is"
        return f"{self.music.what.capitalize()} {verb} on{_in(self.music.room)}."

    def turn_volume(self, said: Said) -> str:
        if "time" in said:
            return f"The volume will turn {said['way']} at {_time(said['time'])}."
        if "n" in said:
            self.volume = min(_LOUDEST, value_of(said["n"]))
        else:
            step = _VOLUME_STEP if said["way"] == "up" else -_VOLUME_STEP
            self.volume = min(_LOUDEST, max(0, self.volume + step))
        return self.ask_volume(said)

    def ask_volume(self, said: Said) -> str:
        return f"The volume{_in(said.get('room'))} is {spelled(self.volume)} percent."

    # Doors and windows

    def move_door(self, said: Said) -> str:
        door = self._door(said)
        place, _, thing = door.name.partition(" ")
        if said["act"] == "open" and place in OUTSIDE and thing == "door":
            return f"Sorry, I am not allowed to open the {door.name}."
        state = {"open": "open", "close": "closed", "lock": "locked"}[said["act"]]
        if "time" in said:
            return f"The {door.name} will {said['act']} at {_time(said['time'])}."
        door.state = state
        return f"The {door.name} is {state}."

    def ask_door(self, said: Said) -> str:
        door = self._door(said)
        return f"The {door.name} is {door.state}."

    def _door(self, said: Said) -> _Door:
        if "door" not in said:
            if not isinstance(self.it, _Door):
                raise Unclear
            return self.it
        name = f"{said['door']} {said['thing']}"
        door = self.doors.setdefault(name, _Door(name))
        self.it = door
        return door

    # "it", whatever that was

    def cancel_it(self, said: Said) -> str:
        if isinstance(self.it, _Alarm) and self.it in self.alarms:
            return self.cancel_alarm({"time": self.it.time})
        if isinstance(self.it, _Music):
            return self.stop_music({})
        return self.cancel_timer({"which": f"timer {self._number_of_it()}"})

    def ask_it(self, said: Said) -> str:
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
        raise Unclear

    # What it cannot do

    def weather(self, said: Said) -> str:
        return "Sorry, I cannot tell the weather."

    def call(self, said: Said) -> str:
        return f"Sorry, I cannot call {said['name'].capitalize()}."

    def message(self, said: Said) -> str:
        return f"Sorry, I cannot send a message to {said['name'].capitalize()}."

    def repeat(self, said: Said) -> str:
        return f"I heard {digit_by_digit(said['digits'])}."


class Unclear(Exception):
    """What is meant cannot be told; the message is what to say to that."""


def _length(said: Said) -> _Timer:
    """The length of time that is said."""
    return _Timer(value_of(said["n"]), said["unit"].rstrip("s"))


def _time(said: str) -> str:
    """A time in words, with the article that was taken for idle."""
    return re.sub(r"\bin (morning|evening)\b", r"in the \1", time_in_words(said))


def _in(room: str | None) -> str:
    return f" in the {room}" if room else ""
