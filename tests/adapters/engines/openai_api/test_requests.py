"""What is sent to an OpenAI-compatible server, and what comes back."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from adapters.engines.openai_api.adapter import OpenAIApi
from adapters.interface import Audio, Turn
from adapters.worker.results import WorkerError
from tests.adapters.engines.openai_api.shared import (
    ASR,
    CHAT,
    TEXT,
    TTS,
    Start,
    adapter_of,
    ask,
    refused,
    sound,
)
from tests.support.openai_server import RATE, OpenAIServer, hear, read_wav, tone

pytestmark = pytest.mark.engine

#: Option: a value, the path whose request shows it, what that request must then hold, and the
#: other options that it takes.
SENT: dict[str, tuple[Any, str, dict[str, Any], dict[str, Any]]] = {
    "language": ("en", ASR, {"language": "en"}, {}),
    "prompt": ("Lights, doors.", ASR, {"prompt": "Lights, doors."}, {}),
    "temperature": (0.25, ASR, {"temperature": "0.25"}, {}),
    "response_format": (
        "verbose_json",
        ASR,
        {"response_format": "verbose_json", "stream": None},
        {},
    ),
    "word_timestamps": (
        True,
        ASR,
        {"response_format": "verbose_json", "timestamp_granularities[]": "word", "stream": None},
        {},
    ),
    "stream": (False, CHAT, {"stream": None}, {}),
    "voice": ("onyx", TTS, {"voice": "onyx"}, {}),
    "speed": (1.5, TTS, {"speed": 1.5}, {}),
    "instructions": ("Whisper.", TTS, {"instructions": "Whisper."}, {}),
    "speech_format": ("wav", TTS, {"response_format": "wav"}, {}),
    "system_prompt": (
        "Be brief.",
        CHAT,
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": TEXT},
            ]
        },
        {},
    ),
    "modality": (
        "audio",
        CHAT,
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}},
        {},
    ),
    "max_new_tokens": (7, CHAT, {"max_completion_tokens": 7, "max_tokens": None}, {}),
    "token_limit_name": (
        "max_tokens",
        CHAT,
        {"max_tokens": 7, "max_completion_tokens": None},
        {"max_new_tokens": 7},
    ),
    "send_seed": (False, CHAT, {"seed": None}, {}),
}
#: Those that no request shows; each has a test of its own below.
NOT_SENT = {"base_url", "api_key_env", "timeout", "retries", "check_model", "pcm_sample_rate"}


def test_no_option_is_forgotten() -> None:
    assert set(SENT) | NOT_SENT == set(OpenAIApi.options)


@pytest.mark.parametrize("option", SENT)
def test_option_arrives(start: Start, server: OpenAIServer, option: str) -> None:
    value, path, expected, others = SENT[option]
    ask(start(**others), path)
    before = server.last(path).fields
    assert {name: before.get(name) for name in expected} != expected
    ask(start(**{option: value}, **others), path)
    fields = server.last(path).fields
    assert {name: fields.get(name) for name in expected} == expected


def test_defaults_and_seed_arrive(start: Start, server: OpenAIServer) -> None:
    process = start(seed=42)
    for path in (ASR, TTS, CHAT):
        ask(process, path)
    assert server.last(ASR).fields == {
        "model": "toy", "response_format": "json", "temperature": "0.0", "stream": "true",
    }  # fmt: skip
    assert server.last(TTS).fields == {
        "model": "toy", "input": TEXT, "voice": "alloy", "response_format": "pcm",
    }  # fmt: skip
    assert server.last(CHAT).fields == {
        "model": "toy", "messages": [{"role": "user", "content": TEXT}],
        "temperature": 0.0, "seed": 42, "stream": True,
    }  # fmt: skip


def test_null_temperature_is_not_sent(start: Start, server: OpenAIServer) -> None:
    """Some models refuse any."""
    process = start(temperature=None)
    ask(process, ASR)
    ask(process, CHAT)
    assert "temperature" not in server.last(ASR).fields
    assert "temperature" not in server.last(CHAT).fields


def test_whole_spoken_answers_come_as_wav(start: Start, server: OpenAIServer) -> None:
    ask(start(stream=False, modality="audio", voice="onyx"), CHAT)
    assert server.last(CHAT).fields["audio"] == {"voice": "onyx", "format": "wav"}


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_sound_arrives_as_it_is(start: Start, server: OpenAIServer, rate: int) -> None:
    steps = np.array([-32768, -1, 0, 1, 32767], np.float32) / np.float32(32768)
    beyond = np.array([-1.5, 1.0, 1.5], np.float32)
    start().transcribe(Audio(np.concatenate([steps, beyond]), rate))
    arrived = read_wav(server.last(ASR).file or b"")
    assert arrived.sample_rate == rate
    limits = np.array([-1.0, 32767 / 32768, 32767 / 32768], np.float32)
    np.testing.assert_array_equal(arrived.samples, np.concatenate([steps, limits]))


def test_audio_is_left_alone(start: Start) -> None:
    audio = sound()
    before = audio.samples.copy()
    start().transcribe(audio)
    np.testing.assert_array_equal(audio.samples, before)


def test_no_sound_is_no_request(start: Start, server: OpenAIServer) -> None:
    assert start().transcribe(Audio(np.zeros(0, np.float32), 16_000)).result.text == ""
    assert ASR not in {asked.path for asked in server.asked}


@pytest.mark.parametrize("dialect", ["", "vLLM", "speaches", "only done"])
def test_streamed_transcript(start: Start, server: OpenAIServer, dialect: str) -> None:
    server.faults, server.piece_seconds = {ASR: dialect}, 0.02
    timed = start().transcribe(sound())
    assert timed.result.text == TEXT
    assert timed.first_token_seconds is not None
    if dialect != "only done":  # the pieces after the first took their time
        assert timed.first_token_seconds < timed.seconds - 0.03


def test_server_that_does_not_stream_is_taken_at_its_word(
    start: Start, server: OpenAIServer
) -> None:
    server.faults = {ASR: "whole", CHAT: "whole"}
    process = start()
    for path in (ASR, CHAT):
        timed = ask(process, path)
        assert TEXT in timed.result.text
        assert timed.first_token_seconds is None


def test_times_of_words(start: Start) -> None:
    heard = start(word_timestamps=True, language="en").transcribe(sound()).result
    assert heard.text == TEXT
    assert heard.language == "en"
    assert [word.text for word in heard.words] == TEXT.split()
    assert (heard.words[2].start, heard.words[2].end) == (1.0, 2.4)


def test_words_without_times_are_refused(start: Start, server: OpenAIServer, key: str) -> None:
    server.faults = {ASR: "no words"}
    process = start(word_timestamps=True)
    assert "set word_timestamps: false" in refused(process, ASR, key)
    silence = Audio(np.zeros(1600, np.float32), 16_000)
    assert process.transcribe(silence).result.text == ""  # nothing to have times


def expected_tone(voice: str = "alloy", speed: float = 1.0) -> np.ndarray[Any, Any]:
    return np.frombuffer(tone(TEXT, voice, speed), "<i2").astype(np.float32) / np.float32(32768)


@pytest.mark.parametrize("form", ["pcm", "wav"])
def test_speech_is_as_sent(start: Start, form: str) -> None:
    timed = start(speech_format=form).synthesize(TEXT)
    assert timed.result.audio.sample_rate == RATE
    np.testing.assert_array_equal(timed.result.audio.samples, expected_tone())
    assert timed.first_audio_seconds is not None
    assert 0 < timed.first_audio_seconds < timed.seconds


@pytest.mark.parametrize("variant", ["endless", "zero", "tags", "stereo", "float", "extensible"])
def test_kinds_of_wav(start: Start, server: OpenAIServer, variant: str) -> None:
    server.faults = {TTS: variant}
    audio = start(speech_format="wav").synthesize(TEXT).result.audio
    assert audio.sample_rate == RATE
    np.testing.assert_array_equal(audio.samples, expected_tone())


def test_speech_is_played_as_it_comes(start: Start) -> None:
    pieces = list(adapter_of(start()).synthesize(TEXT))
    assert len(pieces) > 3
    assert all(len(piece.samples) for piece in pieces)


def test_speech_of_a_server_without_types(start: Start, server: OpenAIServer) -> None:
    server.faults = {TTS: "odd type"}
    np.testing.assert_array_equal(start().synthesize(TEXT).result.audio.samples, expected_tone())


def test_pcm_has_the_rate_that_it_is_said_to_have(start: Start) -> None:
    assert start(pcm_sample_rate=16_000).synthesize(TEXT).result.audio.sample_rate == 16_000


def test_voice_of_one_utterance(start: Start, server: OpenAIServer, key: str) -> None:
    process = start(speed=1.0, instructions="Calmly.")
    audio = process.synthesize(TEXT, {"voice": "onyx", "speed": 2.0}).result.audio
    np.testing.assert_array_equal(audio.samples, expected_tone("onyx", 2.0))
    assert server.last(TTS).fields["instructions"] == "Calmly."
    process.synthesize(TEXT)
    assert server.last(TTS).fields["voice"] == "alloy"
    for voice in ({"pitch": 3}, {"speed": 9.0}, {"voice": ""}):
        with pytest.raises(WorkerError, match=r"option 'pitch'|option speed|option voice"):
            process.synthesize(TEXT, voice)


@pytest.mark.parametrize("stream", [True, False])
def test_conversation(start: Start, server: OpenAIServer, stream: bool) -> None:
    server.piece_seconds = 0.02
    turns = [
        Turn("system", "Be kind."),
        Turn("user", "Hello.", sound("over there")),
        Turn("assistant", "Good day."),
        Turn("user", audio=sound()),
    ]
    timed = start(stream=stream).reply(turns)
    expected = f"system: Be kind. | user: Hello. over there | assistant: Good day. | user: {TEXT}"
    assert timed.result.text == expected
    assert timed.result.audio is None
    if stream:
        assert timed.first_token_seconds is not None
        assert timed.first_token_seconds < timed.seconds - 0.1
    else:
        assert timed.first_token_seconds is None
    first = server.last(CHAT).fields["messages"][1]["content"]
    assert [part["type"] for part in first] == ["text", "input_audio"]
    assert first[1]["input_audio"]["format"] == "wav"
    assert hear(base64.b64decode(first[1]["input_audio"]["data"])) == "over there"


@pytest.mark.parametrize("stream", [True, False])
def test_spoken_answer(start: Start, server: OpenAIServer, stream: bool) -> None:
    server.piece_seconds = 0.005
    timed = start(stream=stream, modality="audio").reply([Turn("user", TEXT)])
    said = f"user: {TEXT}"
    assert timed.result.text == said
    assert timed.result.audio is not None
    samples = np.frombuffer(tone(said, "alloy"), "<i2").astype(np.float32) / np.float32(32768)
    np.testing.assert_array_equal(timed.result.audio.samples, samples)
    assert timed.result.audio.sample_rate == RATE
    if stream:
        assert timed.first_token_seconds is not None
        assert timed.first_audio_seconds is not None
        assert timed.first_token_seconds < timed.first_audio_seconds < timed.seconds


def test_a_refusal_is_an_answer(start: Start, server: OpenAIServer) -> None:
    server.faults = {CHAT: "refuses"}
    assert ask(start(stream=False), CHAT).result.text == "I would rather not."


def test_limit_of_tokens_is_honoured(start: Start) -> None:
    assert ask(start(max_new_tokens=3), CHAT).result.text == "user: turn on"


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        (Turn("robot", "Hello."), "a turn of 'robot'"),
        (Turn("user"), "user turn without text"),
        (Turn("assistant", audio=sound()), "assistant turn without text"),
    ],
)
def test_turns_that_cannot_be_sent(start: Start, key: str, turn: Turn, says: str) -> None:
    with pytest.raises(WorkerError, match=says):
        start().reply([turn])
