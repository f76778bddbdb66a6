"""What the tests of openai_whisper share."""

from __future__ import annotations

from collections.abc import Callable

from adapters.engines.openai_whisper import OpenAIWhisper

Load = Callable[..., OpenAIWhisper]
