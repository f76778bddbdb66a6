"""Servers that fail: answers, times, models and connections."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from tests.adapters.engines.openai_api.shared import (
    ASR,
    CHAT,
    MODELS,
    TEXT,
    TTS,
    VARIABLE,
    Start,
    adapter_of,
    ask,
    model,
    refused,
    sound,
)
from tests.support.openai_server import OpenAIServer

pytestmark = pytest.mark.engine

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
    adapter_of(process)._options["timeout"] = 0.3  # loading had the usual time
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
