"""How long a model may take over one call: longer for long audio and long texts."""

from __future__ import annotations

#: `--time-limit` is for this much audio, heard or to be spoken. An hour has sixty times as long.
MINUTE = 60.0
#: Characters that are spoken in a minute by a slow reader.
_CHARACTERS = 600


def allowed(limit: float, audio_seconds: float) -> float:
    """Seconds that a call may take over audio of so many seconds, all of it together.

    limit: for a minute or less; longer audio has as many more as it is longer.
    """
    return limit * max(1.0, audio_seconds / MINUTE)


def spoken_seconds(text: str) -> float:
    """About how long a text is when it is spoken, rather too long than too short."""
    return len(text) * MINUTE / _CHARACTERS
