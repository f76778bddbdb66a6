"""Proxies, keys and what is struck from errors; bad options; a session from outside."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.engines.openai_api.http import _is_local
from adapters.engines.openai_api.key import Key
from adapters.interface import ModelError, Turn
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
from tests.support.sessions import card_of, row_of, shared_arguments
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.engine


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


def test_errors_hold_no_request(start: Start, server: OpenAIServer, key: str) -> None:
    """Whoever logs an exception with its causes, or shows an adapter, shows no key."""
    adapter = adapter_of(start())
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
