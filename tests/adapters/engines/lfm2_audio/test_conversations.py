"""LFM2-Audio's voices, history and decode options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from adapters.engines.lfm2_audio.options import VOICES
from adapters.interface import Audio, ModelError, Turn
from tests.adapters.engines.lfm2_audio.shared import Recorded, loaded_from, noise_of, text_of
from tests.support import lfm_checkpoint

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("voice", VOICES)
def test_voices(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None], voice: str
) -> None:
    setting(max_new_tokens=2)
    list(adapter.synthesize("hi", {"voice": voice}))
    assert f"Use the {voice} voice." in recorded.prompt()
    setting(voice=voice)
    list(adapter.synthesize("hi"))
    assert recorded.prompt(0) == recorded.prompt(1)


@pytest.mark.parametrize(
    ("voice", "says"),
    [
        ({"voice": "AU male"}, "no voice 'AU male'. Voices: US male, US female"),
        ({"voice": None}, "no voice None"),
        ({"rate": 3}, "no voice option 'rate'"),
    ],
)
def test_unknown_voices(adapter: Lfm2Audio, voice: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(adapter.synthesize("hi", voice))


def test_prompt_without_a_voice(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    setting(tts_prompt="Perform TTS in japanese.", max_new_tokens=2)
    list(adapter.synthesize("hi"))
    assert "system\nPerform TTS in japanese.<|im_end|>" in recorded.prompt()
    with pytest.raises(ModelError, match=r"tts_prompt has no \{voice\}"):
        list(adapter.synthesize("hi", {"voice": "US male"}))


def test_history(adapter: Lfm2Audio, recorded: Recorded) -> None:
    turns = [
        Turn("system", text="Be short."),
        Turn("user", audio=noise_of(1.0)),
        Turn("assistant", text="Yes?", audio=noise_of(1.0, 24_000)),
        Turn("user", text="And this:", audio=noise_of(0.5)),
        Turn("assistant", text="No."),
        Turn("user", text="Why?"),
    ]
    pieces = list(adapter.reply(turns))
    assert recorded.prompt() == (
        "<|startoftext|><|im_start|>system\nBe short.<|im_end|>\n"
        "<|im_start|>user\n{audio}<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"
        "<|im_start|>user\n{audio}And this:<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>\n"
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert recorded.calls[0]["audio_in_lens"].tolist() == [101, 51]
    assert text_of(pieces)
    shorter = list(adapter.reply([turns[0], turns[1]]))
    assert text_of(shorter) != text_of(pieces)


@pytest.mark.parametrize("sound", [None, 0.5], ids=["nothing", "sound alone"])
def test_an_answer_without_text_is_history_too(
    adapter: Lfm2Audio, recorded: Recorded, sound: float | None
) -> None:
    """Such an answer is the model's own doing, and the next turn is asked all the same."""
    said = Turn("assistant", text="", audio=noise_of(sound, 24_000) if sound else None)
    pieces = list(adapter.reply([Turn("user", text="a"), said, Turn("user", text="b")]))
    assert recorded.prompt().endswith(
        "user\na<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"
        "<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n"
    )
    assert any(p.audio for p in pieces)


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([], "last turn of a conversation must be the user's"),
        ([Turn("system", text="Be short.")], "last turn of a conversation must be the user's"),
        ([Turn("user", text="hi"), Turn("assistant", text="ho")], "must be the user's"),
        ([Turn("user")], "neither text nor audio"),
        ([Turn("user", text="")], "neither text nor audio"),
        ([Turn("assistant"), Turn("user", text="hi")], "the assistant has neither text nor audio"),
        ([Turn("robot", text="hi"), Turn("user", text="hi")], "role 'robot'"),
        ([Turn("system", audio=Audio(np.zeros(9, np.float32), 16_000)), Turn("user", text="a")], "is written"),
        (
            [Turn("assistant", audio=Audio(np.zeros(9, np.float32), 16_000)), Turn("user", text="a")],
            "set spoken_history to true",
        ),
        ([Turn("user", audio=Audio(np.zeros(121 * 16_000, np.float32), 16_000))], "121.0 s"),
    ],
)  # fmt: skip
def test_turns_refused(adapter: Lfm2Audio, turns: list[Turn], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(adapter.reply(turns))


def test_decode_options_reach_the_library(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    names = ["max_new_tokens", "text_temperature", "text_top_k", "audio_temperature", "audio_top_k"]

    def passed() -> dict[str, Any]:
        list(adapter.transcribe(noise_of(1.0)))
        return {name: recorded.calls[-1][name] for name in names}

    assert passed() == dict(zip(names, [40, None, None, None, None], strict=True))
    values = dict(zip(names, [7, 1, 5, 0.5, 9], strict=True))
    setting(**values)
    assert passed() == values
    assert len(recorded.tokens) == 40 + 7
    setting(text_top_k=10**9, audio_top_k=10**9)  # more than there are would raise in torch
    assert passed()["text_top_k"] == lfm_checkpoint.VOCABULARY
    assert recorded.calls[-1]["audio_top_k"] == 2049


def test_sampling_follows_the_seed(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    def answers() -> list[list[list[int]]]:
        """The tokens of one answer of each task."""
        given = []
        for pieces in (
            adapter.transcribe(noise_of(1.0)),
            adapter.synthesize("hi"),
            adapter.reply([Turn("user", text="hi")]),
        ):
            recorded.tokens.clear()
            list(pieces)
            given.append([token.tolist() for token in recorded.tokens])
        return given

    setting(max_new_tokens=15)
    greedy = answers()
    setting(text_temperature=5.0, audio_temperature=1.0, audio_top_k=50)
    sampled = answers()
    assert answers() == sampled
    setting(seed=1)
    other = answers()
    for one, two, three in zip(greedy, sampled, other, strict=True):
        assert one != two
        assert two != three
        assert one != three


def test_prompts_are_options(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    setting(asr_prompt="Listen.", chat_prompt="Talk.", max_new_tokens=1)
    list(adapter.transcribe(noise_of(1.0)))
    list(adapter.reply([Turn("user", text="hi")]))
    assert "system\nListen.<|im_end|>" in recorded.prompt(0)
    assert "system\nTalk.<|im_end|>" in recorded.prompt(1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0; a whole number from 1"),
        ({"max_new_tokens": None}, "max_new_tokens is None"),
        ({"chunk_frames": True}, "chunk_frames is True"),
        ({"text_temperature": -1}, "text_temperature is -1; a number from 0"),
        ({"audio_temperature": float("nan")}, "audio_temperature is nan"),
        ({"audio_temperature": "hot"}, "audio_temperature is 'hot'"),
        ({"text_top_k": 0}, "text_top_k is 0"),
        ({"audio_top_k": 2.0}, "audio_top_k is 2.0"),
        ({"voice": "male"}, "no voice 'male'"),
        ({"asr_prompt": ""}, "asr_prompt is ''; some text"),
        ({"dtype": "int8"}, "dtype is 'int8'; one of auto, float32, bfloat16"),
        ({"audio_decoder": "vocos"}, "audio_decoder is 'vocos'"),
        ({"spoken_history": "yes"}, "spoken_history is 'yes'"),
    ],
)
def test_options_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        loaded_from(tmp_path, **options)
