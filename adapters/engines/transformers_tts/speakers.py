"""The kinds of text to speech that transformers has here: VITS, SpeechT5 and Bark."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.engines.transformers_tts.bark import Bark
from adapters.engines.transformers_tts.speaker import (
    Speaker,
)
from adapters.engines.transformers_tts.speecht5 import SpeechT5
from adapters.engines.transformers_tts.vits import Vits

SPEAKERS: Mapping[str, type[Speaker]] = {
    speaker.kind: speaker for speaker in (Vits, SpeechT5, Bark)
}
