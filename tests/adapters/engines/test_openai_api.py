"""The client of OpenAI-compatible servers: what arrives there, what it makes of every fault, and
that the key goes nowhere else.

Most tests run the worker in this process, since the library takes seconds to import.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef
from adapters.engines.openai_api.adapter import OpenAIApi
from adapters.engines.openai_api.http import _is_local
from adapters.engines.openai_api.key import Key
from adapters.interface import Audio, LoadSpec, ModelError, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import Timed, WorkerError
from tests.contract.installed import need
from tests.support.openai_server import RATE, OpenAIServer, hear, read_wav, tone
from tests.support.sessions import card_of, row_of, shared_arguments
from tests.support.toy_engine import samples_of, toy_corpus

pytestmark = pytest.mark.engine

VARIABLE = "MODEL_LAB_TEST_KEY"
TEXT = "turn on the light in the hall"
ASR, TTS, CHAT, MODELS = "/audio/transcriptions", "/audio/speech", "/chat/completions", "/models"

Start = Callable[..., ModelProcess]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("openai_api")


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of its own for each test, in the environment; and no proxies there."""
    key = "sk-" + secrets.token_urlsafe(30)
    monkeypatch.setenv(VARIABLE, key)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    return key


@pytest.fixture
def server(key: str) -> Iterator[OpenAIServer]:
    with OpenAIServer(key=key) as server:
        yield server


def model(
    server: OpenAIServer, seed: int = 0, checkpoint: str = "toy", **options: Any
) -> ModelProcess:
    """The adapter in a worker of this process, not loaded yet."""
    common = {"base_url": server.base_url, "api_key_env": VARIABLE, "retries": 0}
    spec = LoadSpec(checkpoint, seed=seed, options={**common, **options})
    return ModelProcess(EngineRef("openai_api"), spec, isolated=False)


@pytest.fixture
def start(server: OpenAIServer) -> Iterator[Start]:
    """Loads a model with those options; closed after the test."""
    running: list[ModelProcess] = []

    def start(**options: Any) -> ModelProcess:
        running.append(model(server, **options))
        running[-1].load()
        return running[-1]

    yield start
    for process in running:
        process.close()


def sound(text: str = TEXT) -> Audio:
    return Audio(samples_of(text).astype(np.float32) / np.float32(32768), 16_000)


def ask(process: ModelProcess, path: str) -> Timed[Any]:
    if path == ASR:
        return process.transcribe(sound())
    if path == TTS:
        return process.synthesize(TEXT)
    return process.reply([Turn("user", TEXT)])


def refused(process: ModelProcess, path: str, key: str) -> str:
    """The error of one answer (of loading, for MODELS): one line, without the key."""
    with pytest.raises(WorkerError) as caught:
        process.load() if path == MODELS else ask(process, path)
    said = str(caught.value)
    assert caught.value.kind == "refused", said
    assert "\n" not in said
    assert len(said) < 700
    assert key not in "".join(traceback.format_exception(caught.value))
    assert key[:12] not in said
    return said


# Every option arrives

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


# Speech recognition


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


# Speech synthesis


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
    pieces = list(_adapter(start()).synthesize(TEXT))
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


# Conversation


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


# Faults of one answer

FAULTS: list[tuple[str, str, dict[str, Any], str]] = [
    (ASR, "bad request", {}, r"refuses the request \(400\): bad request, you with Bearer \[key\]"),
    (ASR, "wrong key", {}, rf"does not accept the key in the variable {VARIABLE} \(401\)"),
    (ASR, "forbidden", {}, r"refuses the request \(403\): forbidden"),
    (ASR, "not there", {}, r"\(404\) \(no such model, or a base_url without its /v1\?\)"),
    (ASR, "too large", {}, r"larger than the server takes \(413\), split the utterance"),
    (ASR, "rate limit", {}, r"takes no more requests now \(429; option retries\): rate limit"),
    (ASR, "broken", {}, r"failed \(500\): broken"),
    (ASR, "redirect", {}, "redirects to https://elsewhere.invalid/v1: give the final address"),
    (ASR, "error with 200", {}, r"the server reports: no luck with Bearer \[key\]"),
    (ASR, "page", {}, r"a JSON object is expected, and this came: <html>Welcome, Bearer \[key\]"),
    (ASR, "no JSON", {}, 'a JSON object is expected, and this came: {"text": "turn on'),
    (ASR, "a list", {}, r"a JSON object is expected, and this came: \[1, 2\]"),
    (ASR, "other JSON", {}, r'an answer without a text: {"greeting": "hello Bearer \[key\]"}'),
    (ASR, "empty", {}, "a JSON object is expected, and this came: nothing"),
    (ASR, "hangs up", {}, "the connection broke off"),
    (ASR, "cut", {}, "the connection broke off"),
    (ASR, "cut", {"stream": False}, "the connection broke off"),
    (ASR, "cut later", {}, "the connection broke off"),
    (ASR, "no end", {}, "the stream ended before the transcript did"),
    (ASR, "error event", {}, "the server reports: the model fell over"),
    (ASR, "broken event", {}, r"an answer that is not as the API has it \(JSONDecodeError"),
    (ASR, "echo", {}, "the server sends the key back in its answer"),
    (ASR, "echo", {"stream": False}, "the server sends the key back in its answer"),
    (ASR, "echo", {"word_timestamps": True}, "the server sends the key back in its answer"),
    (TTS, "broken", {}, r"failed \(500\): broken"),
    (TTS, "error with 200", {}, r"pcm was asked for, and application/json came: .*\[key\]"),
    (TTS, "page", {}, r"pcm was asked for, and text/html came: <html>Welcome, Bearer \[key\]"),
    (TTS, "mp3", {}, "pcm was asked for, and audio/mpeg came: see speech_format"),
    (TTS, "says wav", {}, "pcm was asked for, and audio/wav came: see speech_format"),
    (TTS, "wav", {}, "pcm was asked for, and wav came: see speech_format"),
    (TTS, "odd", {}, "the speech ends in the middle of a sample"),
    (TTS, "empty", {}, "the server sent no audio at all"),
    (TTS, "cut later", {}, "the connection broke off"),
    (TTS, "short", {"speech_format": "wav"}, "the WAV file lacks its last 4000 bytes"),
    (TTS, "no samples", {"speech_format": "wav"}, "the WAV file lacks its last"),
    (TTS, "no sound", {"speech_format": "wav"}, "wav was asked for, and something else came"),
    (TTS, "empty", {"speech_format": "wav"}, "the WAV file is empty"),
    (TTS, "law", {"speech_format": "wav"}, "a WAV file of format 7 with 8 bits"),
    (TTS, "not numbers", {"speech_format": "wav"}, "samples that are no numbers"),
    (CHAT, "broken", {}, r"failed \(500\): broken"),
    (CHAT, "no JSON", {}, "a JSON object is expected, and this came"),
    (CHAT, "other JSON", {}, r"an answer that is not as the API has it \(KeyError: 'choices'\)"),
    (CHAT, "says nothing", {"stream": False}, "an answer without a text"),
    (CHAT, "cut later", {}, "the connection broke off"),
    (CHAT, "no end", {}, "the stream ended before the answer did"),
    (CHAT, "error event", {}, "the server reports: the model fell over"),
    (CHAT, "broken event", {}, r"an answer that is not as the API has it \(JSONDecodeError"),
    (CHAT, "echo", {}, "the server sends the key back in its answer"),
    (CHAT, "echo", {"stream": False}, "the server sends the key back in its answer"),
    (CHAT, "mute", {"modality": "audio"}, "toy answered without audio: set modality: text"),
    (CHAT, "mute", {"modality": "audio", "stream": False}, "answered without audio"),
    (CHAT, "no base64", {"modality": "audio"}, "an answer that is not as the API has it"),
]


@pytest.mark.parametrize(
    ("path", "fault", "options", "says"),
    FAULTS,
    ids=[
        " ".join([p.split("/")[2], f, *(f"{k}={v}" for k, v in o.items())]) for p, f, o, _ in FAULTS
    ],
)
def test_fault(
    start: Start,
    server: OpenAIServer,
    key: str,
    path: str,
    fault: str,
    options: dict[str, Any],
    says: str,
) -> None:
    """One clear line, after which the next answer is as good as ever."""
    process = start(**options)
    server.faults = {path: fault}
    said = refused(process, path, key)
    assert pytest.RaisesExc(Exception, match=says).matches(Exception(said)), said
    assert server.base_url in said
    server.faults = {}
    assert ask(process, path).seconds > 0


@pytest.mark.parametrize("path", [ASR, TTS, CHAT])
@pytest.mark.parametrize("fault", ["hangs", "dribbles"])
def test_time_is_bounded(
    start: Start, server: OpenAIServer, key: str, path: str, fault: str
) -> None:
    """Though something may come every now and then, and retries are allowed."""
    process = start(retries=5)
    _adapter(process)._options["timeout"] = 0.3  # loading had the usual time
    server.faults = {path: fault}
    begun = time.monotonic()
    said = refused(process, path, key)
    assert time.monotonic() - begun < 5
    if (path, fault) == (TTS, "dribbles"):  # known by its type, before its time is up
        assert "application/json came" in said or "no answer within 0.3 s" in said
    else:
        assert "no answer within 0.3 s (option timeout)" in said


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
def test_retries(start: Start, server: OpenAIServer, key: str, retries: int, attempts: int) -> None:
    process = start(retries=retries)
    server.faults, server.headers = {ASR: "overloaded"}, {"Retry-After": "0.02"}
    assert "failed (503)" in refused(process, ASR, key)
    assert [asked.path for asked in server.asked].count(ASR) == attempts


def test_retried_request_is_whole_and_its_wait_counts(start: Start, server: OpenAIServer) -> None:
    process = start(retries=1)
    server.faults, server.headers, server.times = {ASR: "rate limit"}, {"Retry-After": "0.2"}, 1
    timed = process.transcribe(sound())
    assert timed.result.text == TEXT
    assert timed.seconds > 0.2
    first, second = (asked for asked in server.asked if asked.path == ASR)
    assert first.file == second.file
    assert first.fields == second.fields


@pytest.mark.parametrize("wait", ["60", "Thu, 01 Jan 2150 00:00:00 GMT"])
def test_no_wait_beyond_the_time_limit(
    start: Start, server: OpenAIServer, key: str, wait: str
) -> None:
    process = start(retries=3, timeout=30.0)
    server.faults, server.headers = {ASR: "rate limit"}, {"Retry-After": wait}
    begun = time.monotonic()
    assert "takes no more requests now (429, again in " in refused(process, ASR, key)
    assert time.monotonic() - begun < 5


# Loading

UNLOADABLE = {
    "wrong key": rf"does not accept the key in the variable {VARIABLE} \(401\)",
    "forbidden": r"refuses the request \(403\)",
    "rate limit": r"\(429",
    "broken": r"failed \(500\)",
    "page": "a JSON object is expected, and this came: <html>",
    "empty": "a JSON object is expected, and this came: nothing",
    "redirect": "redirects to https://elsewhere.invalid/v1",
    "hangs up": "the connection broke off",
    "hangs": r"no answer within 0.3 s \(option timeout\)",
    "dribbles": r"no answer within 0.3 s \(option timeout\)",
}


@pytest.mark.parametrize("fault", UNLOADABLE)
def test_load_fault(server: OpenAIServer, key: str, fault: str) -> None:
    server.faults = {MODELS: fault}
    timeout = 0.3 if fault in ("hangs", "dribbles") else 30.0
    said = refused(model(server, timeout=timeout), MODELS, key)
    assert pytest.RaisesExc(Exception, match=UNLOADABLE[fault]).matches(Exception(said)), said
    assert server.base_url in said


@pytest.mark.parametrize("fault", ["not there", "not built", "other JSON"])
def test_server_without_a_list_of_models(start: Start, server: OpenAIServer, fault: str) -> None:
    server.faults = {MODELS: fault}
    assert ask(start(retries=5, checkpoint="unlisted"), ASR).result.text == TEXT
    assert len([asked for asked in server.asked if asked.path == MODELS]) == 1


def test_unknown_model(server: OpenAIServer, key: str) -> None:
    server.models = ["whisper-large", *(f"other-{number}" for number in range(20))]
    said = refused(model(server, checkpoint="whisper-lrage"), MODELS, key)
    assert "does not list a model 'whisper-lrage'. It has whisper-large and others" in said
    said = refused(model(server, checkpoint="nothing like it"), MODELS, key)
    assert "It has other-0, " in said
    process = model(server, checkpoint="whisper-lrage", check_model=False)
    process.load()
    assert ask(process, ASR).result.text == TEXT
    process.close()


@pytest.mark.parametrize("checkpoint", ["", "builtin"])
def test_no_model(server: OpenAIServer, key: str, checkpoint: str) -> None:
    said = refused(model(server, checkpoint=checkpoint), MODELS, key)
    assert "the checkpoint must be the server's name of the model" in said


def test_nothing_listens(server: OpenAIServer, key: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        said = refused(model(server, base_url=url), MODELS, key)
    assert said == f"{url}: connection refused: is the server running?"


def test_no_such_host(server: OpenAIServer, key: str) -> None:
    url = "http://no-such-host.invalid/v1"
    said = refused(model(server, base_url=url), MODELS, key)
    assert said == f"{url}: no host is called 'no-such-host.invalid': check base_url"


def test_no_tls(server: OpenAIServer, key: str) -> None:
    url = server.base_url.replace("http:", "https:")
    said = refused(model(server, base_url=url), MODELS, key)
    assert f"{url}: no TLS connection" in said
    assert "whether base_url should be http" in said


def test_forgotten_v1(server: OpenAIServer, key: str) -> None:
    server.faults = {MODELS: "page"}
    url = server.base_url.removesuffix("/v1")
    said = refused(model(server, base_url=url), MODELS, key)
    assert 'is "/v1" missing in base_url?' in said


# The environment


def test_no_proxy_for_local_servers(
    start: Start, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # A kind that needs a package which is not there: not even to be set up.
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert ask(start(), ASR).result.text == TEXT
    url = server.base_url.replace("127.0.0.1", "localhost")
    assert ask(start(base_url=url), ASR).result.text == TEXT


def test_proxy_for_all_others(
    server: OpenAIServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    process = model(server, base_url="http://models.invalid/v1")
    process.load()
    process.close()
    assert server.last(MODELS).headers["Host"] == "models.invalid"
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    said = refused(model(server, base_url="http://models.invalid/v1"), MODELS, key)
    assert "is the server or the environment's proxy running?" in said
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    said = refused(model(server, base_url="http://models.invalid/v1"), MODELS, key)
    assert "the client cannot start (ImportError: Using SOCKS proxy" in said


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", True), ("api.localhost", True), ("192.168.1.2", False),
        ("localhost.example.com", False), ("api.openai.com", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_local(host: str, local: bool) -> None:
    assert _is_local(host) == local


def test_openai_is_the_default_whatever_the_environment_says(
    server: OpenAIServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where requests go is an option, which is recorded."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing leaves this machine
    said = refused(model(server, base_url=None), MODELS, key)
    assert said.startswith("https://api.openai.com/v1: connection refused")
    assert not server.asked


def test_server_without_a_key(
    start: Start, server: OpenAIServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets neither the key of another one nor whose it is."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, key)
    server.key = None
    process = start(api_key_env=None)
    for path in (ASR, TTS, CHAT):
        ask(process, path)
        assert key not in str(server.last(path))
    server.key = "wanted"
    said = refused(process, ASR, key)
    assert "wants a key (401): name its environment variable in api_key_env" in said


def test_no_key_at_all(start: Start, server: OpenAIServer) -> None:
    server.key = None
    assert ask(start(api_key_env=None), ASR).result.text == TEXT


# The key


@pytest.mark.parametrize("value", [None, ""])
def test_variable_that_is_not_set(
    server: OpenAIServer, key: str, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv(VARIABLE)
    else:
        monkeypatch.setenv(VARIABLE, value)
    said = refused(model(server), MODELS, key)
    assert f"the environment variable {VARIABLE} is not set" in said
    assert not server.asked


@pytest.mark.parametrize("flaw", ["\n", " x", "é", "\x7f"])
def test_key_that_is_none(
    server: OpenAIServer, key: str, monkeypatch: pytest.MonkeyPatch, flaw: str
) -> None:
    monkeypatch.setenv(VARIABLE, key + flaw)
    assert f"variable {VARIABLE} holds what no key does" in refused(model(server), MODELS, key)


def test_key_where_it_would_be_recorded(server: OpenAIServer, key: str) -> None:
    assert "option api_key_env must be" in refused(model(server, api_key_env=key), MODELS, key)
    assert "no option 'api_key'" in refused(model(server, api_key=key), MODELS, key)
    url = f"http://user:{key}@127.0.0.1:1/v1"
    assert "option base_url must be" in refused(model(server, base_url=url), MODELS, key)
    url = f"{server.base_url}?key={key}"
    assert "option base_url must be" in refused(model(server, base_url=url), MODELS, key)
    said = refused(model(server, base_url=f"http://127.0.0.1:1/{key}"), MODELS, key)
    assert "base_url holds the key, which would be recorded" in said
    assert "prompt holds the key" in refused(model(server, prompt=f"a {key}"), MODELS, key)
    assert "checkpoint holds the key" in refused(model(server, checkpoint=key), MODELS, key)
    assert not server.asked


@pytest.mark.parametrize(
    ("said", "struck"),
    [
        ("Bearer sk-0123456789abcdef!", "Bearer [key]!"),
        ("SK-0123456789ABCDEF", "[key]"),
        ("wrong key sk-01234567...", "wrong key [key]..."),
        ("so it ends in 89abcdef", "so it ends in [key]"),
        ("sk-0123", "sk-0123"),  # seven characters do not give it away
        ("İ sk-0123456789abcdef İ", "İ [key] İ"),
        ("nothing of the sort", "nothing of the sort"),
        ("", ""),
    ],
)
def test_striking_the_key(said: str, struck: str) -> None:
    assert Key("sk-0123456789abcdef").strike(said) == struck


def test_striking_short_keys_and_none() -> None:
    assert Key("abc").strike("an abc and ABC") == "an [key] and [key]"
    assert Key("").strike("said") == "said"


def test_placeholder_keys_may_be_words_of_a_transcript(
    start: Start, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "light"
    monkeypatch.setenv(VARIABLE, "light")
    assert ask(start(prompt="The light:"), ASR).result.text == f"The light: {TEXT}"


def test_long_errors_are_cut_after_striking(start: Start, server: OpenAIServer, key: str) -> None:
    """Else half of the key would be left, at any place where the cut may fall."""
    process = start()
    server.faults = {ASR: "page"}
    for width in range(250, 300, 7):
        server.page = "x" * width + key
        said = refused(process, ASR, key)
        assert not [at for at in range(len(key) - 8) if key[at : at + 9] in said]


def _adapter(process: ModelProcess) -> Any:
    return process._transport._worker._adapter  # type: ignore[union-attr]


def test_errors_hold_no_request(start: Start, server: OpenAIServer, key: str) -> None:
    """Whoever logs an exception with its causes, or shows an adapter, shows no key."""
    adapter = _adapter(start())
    assert key not in repr(adapter) + repr(vars(adapter))
    steps: dict[str, Callable[[], object]] = {
        ASR: lambda: list(adapter.transcribe(sound())),
        TTS: lambda: list(adapter.synthesize(TEXT)),
        CHAT: lambda: list(adapter.reply([Turn("user", TEXT)])),
    }
    for path, step in steps.items():
        for fault in ("broken", "wrong key", "cut later", "hangs up", "echo", "page"):
            server.faults = {path: fault}
            if (path, fault) == (TTS, "echo"):
                continue
            with pytest.raises(ModelError) as caught:
                step()
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
            assert key not in "".join(traceback.format_exception(caught.value))


# Options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("base_url", "127.0.0.1:8000/v1"), ("base_url", "ftp://host/v1"), ("base_url", "http:///v1"),
        ("base_url", 5), ("base_url", "http://host:99999/v1"), ("base_url", "http://[host/v1"),
        ("api_key_env", "lower_case"), ("api_key_env", ""), ("api_key_env", 3),
        ("timeout", 0), ("timeout", "60"), ("timeout", True), ("timeout", float("inf")), ("timeout", None),
        ("retries", -1), ("retries", 1.5), ("retries", True),
        ("check_model", 1), ("stream", "yes"), ("word_timestamps", 0), ("send_seed", None),
        ("language", ""), ("language", 7), ("prompt", ["a"]), ("temperature", 2.1),
        ("temperature", float("nan")), ("response_format", "srt"), ("response_format", None),
        ("voice", None), ("voice", " "), ("speed", 0.2), ("speed", "fast"), ("instructions", 1),
        ("speech_format", "mp3"), ("pcm_sample_rate", 24_000.0), ("pcm_sample_rate", 1),
        ("system_prompt", {}), ("modality", "video"), ("max_new_tokens", 0),
        ("token_limit_name", "max"), ("surprise", 1),
    ],
)  # fmt: skip
def test_bad_option(server: OpenAIServer, key: str, option: str, value: Any) -> None:
    said = refused(model(server, **{option: value}), MODELS, key)
    assert f"option {option} must be " in said or f"no option {option!r}" in said
    assert not server.asked


# In a process of its own, and in a whole session


def test_a_session_from_outside(key: str, tmp_path: Path) -> None:
    """The key reaches the workers through the environment; all that the run writes is without it."""
    texts = [f"turn on light {letter} please" for letter in "abcdefgh"]
    toy_corpus(tmp_path / "toy", texts)
    faults = {"light b": "page", "light c": "echo", "light d": "broken", "light e": "error event"}
    with OpenAIServer(key=key, faults=faults) as server:
        options = {"base_url": server.base_url, "api_key_env": VARIABLE, "retries": 0}
        entry = {"engine": "openai_api", "checkpoint": "toy", "tasks": ["asr"], "options": options}
        keyless = {**entry, "options": {**options, "api_key_env": "SURELY_NOT_SET"}}
        catalog = {"schema_version": 1, "models": {"remote": entry, "keyless": keyless}}
        (tmp_path / "catalog.yaml").write_text(json.dumps(catalog), encoding="utf-8")
        arguments = ["-m", "asr and not latency", "--model=remote", "--model=keyless"]
        arguments += ["-rA", "--showlocals", "-vv"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *shared_arguments(tmp_path), *arguments],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_LOG": "debug"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        asked = [a for a in server.asked if a.path == ASR]
    said = done.stdout + done.stderr
    assert done.returncode == 1, said  # the faults broke its gate
    assert len(asked) == 1 + len(texts)  # the warm-up
    assert all(a.headers["Authorization"] == f"Bearer {key}" for a in asked)
    assert "the environment variable SURELY_NOT_SET is not set" in said

    lines = (tmp_path / "runs" / "latest" / "remote" / "asr" / "toy.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    good = [rows[0], *rows[5:]]
    assert [row["hypothesis"] for row in good] == [texts[0], *texts[5:]]
    assert all(0 < row["first_token_seconds"] <= row["processing_seconds"] for row in good)
    errors = ["Welcome, Bearer [key]", "sends the key back", "failed (500)", "the model fell over"]
    for row, error in zip(rows[1:5], errors, strict=True):
        assert error in row["error"]
        assert row["hypothesis"] == ""
    card = card_of(tmp_path)
    assert row_of(card, "remote", "wer")["value"] == pytest.approx(4 / 8)
    assert row_of(card, "keyless", "wer")["verdict"] == "error"

    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "worker.log" for file in files)
    assert any(file.name == "scorecard.json" for file in files)
    for file in files:
        content = file.read_bytes()
        assert key.encode() not in content, file
        assert base64.b64encode(key.encode())[:20] not in content, file
        assert key[3:15].encode() not in content, file
    assert key[3:15] not in said
