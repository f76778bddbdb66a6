"""Models behind an OpenAI-compatible HTTP API: OpenAI's own, vLLM, speaches, LocalAI and others.

The server does the work, so times include the network and what else the server
is doing, and memory is this client's alone.

The key is read from the environment and goes into one request header. What a
server says is quoted only after the key was struck from it, and every
exception of the library ends in `_guard`, because its request holds the header.
"""

from __future__ import annotations

import base64
import difflib
import email.utils
import io
import ipaddress
import itertools
import json
import logging
import math
import os
import re
import socket
import ssl
import struct
import time
import urllib.parse
import urllib.request
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    Reply,
    ReplyPiece,
    Samples,
    Transcript,
    Turn,
    Word,
)

T = TypeVar("T")

_OPENAI = "https://api.openai.com/v1"
_ENGINE = "openai_api"
#: Upper case only, so that a key put there by mistake is hardly ever taken for a name.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
#: A key this long is no word of a transcript; placeholders such as "EMPTY" may well be.
_UNMISTAKABLE = 16
_QUOTED = 300  # characters of what a server says
_NAMED = 8  # models of the server's that an error names
#: Statuses of GET /models that mean that the server has no such list.
_NO_LIST = (404, 405, 501)
#: Sizes in a WAV header from here on mean "not known yet", as does 0.
_ENDLESS = 0x7FFF0000
_ANY_TYPES = ("application/octet-stream", "")
_PCM_TYPES = ("audio/pcm", "audio/l16", "audio/x-pcm", "audio/raw", *_ANY_TYPES)
_WAV_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", *_ANY_TYPES)


class OpenAIApi(Adapter):
    """`checkpoint` is the name by which the server knows the model.

    base_url: up to and including "/v1"; None is OpenAI's. timeout: seconds that one answer may
    take, from its first attempt to its last byte. retries: attempts beyond the first after
    network faults and the statuses 408, 409, 429 and 5xx; their time counts as the model's.
    api_key_env: the environment variable that holds the key; None for a server without keys.
    check_model: refuse a checkpoint that the server does not list, where it has a list.

    stream: answers as they come, where the server can. A server that answers whole all the same
    is taken at its word, without a first-token time; so are transcripts in verbose_json, which
    the API does not stream.
    word_timestamps: times of words, in verbose_json; response_format: "json" or "verbose_json".
    voice, speed, instructions: of speech; voice also of spoken chat answers. speech_format:
    "pcm" (16 bits, mono, at pcm_sample_rate Hz) or "wav".
    modality: "text" or "audio", what a chat answers in. max_new_tokens: of a chat answer, sent
    as token_limit_name ("max_tokens" for older servers). send_seed: chat requests carry the
    session's seed. What is None is not sent: the server's default holds.
    """

    extra = "openai-api"
    modules = ("openai",)
    devices = ("remote",)
    streams = ("asr", "tts", "chat")
    timestamps = "word"
    options: ClassVar[Options] = {
        "base_url": None,
        "api_key_env": "OPENAI_API_KEY",
        "timeout": 60.0,
        "retries": 2,
        "check_model": True,
        "stream": True,
        "language": None,
        "prompt": None,
        "temperature": 0.0,
        "response_format": "json",
        "word_timestamps": False,
        "voice": "alloy",
        "speed": None,
        "instructions": None,
        "speech_format": "pcm",
        "pcm_sample_rate": 24_000,
        "system_prompt": None,
        "modality": "text",
        "max_new_tokens": None,
        "token_limit_name": "max_completion_tokens",
        "send_seed": True,
    }

    @classmethod
    def check(cls, options: Options) -> None:
        _check_options(options)

    @classmethod
    def secrets(cls, options: Options) -> Sequence[str]:
        named = {**cls.options, **options}["api_key_env"]
        return [named] if isinstance(named, str) else []

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        _check_options(options)
        self._options = options
        self._model = spec.checkpoint
        self._seed = spec.seed
        self._url = (options["base_url"] or _OPENAI).rstrip("/")
        self._key = _key(options["api_key_env"])
        self._refuse_recorded_key()
        if not self._model or self._model == "builtin":
            raise ModelError(f"{_ENGINE}: the checkpoint must be the server's name of the model")
        self._client = self._guard(self._open)
        try:
            self._guard(self._check_server)
        except ModelError:
            self.close()
            raise

    def close(self) -> None:
        self._client.close()

    def transcribe(self, audio: Audio) -> Transcript | Iterator[str]:
        if len(audio.samples) == 0:
            return Transcript("")
        answer: Transcript | Iterator[str] = self._guard(lambda: self._transcription(audio))
        return answer if isinstance(answer, Transcript) else self._guarded(answer)

    def synthesize(self, text: str, voice: Options | None = None) -> Iterator[Audio]:
        settings = {name: self._options[name] for name in ("voice", "speed", "instructions")}
        for name, value in (voice or {}).items():
            if name not in settings:
                raise ModelError(
                    f"{_ENGINE}: no voice option {name!r}; there are {', '.join(settings)}"
                )
            settings[name] = value
        _check_options({**self._options, **settings})
        return self._guarded(self._speech(text, settings))

    def reply(self, turns: Sequence[Turn]) -> Reply | Iterator[ReplyPiece]:
        answer: Reply | Iterator[ReplyPiece] = self._guard(lambda: self._chat(turns))
        return answer if isinstance(answer, Reply) else self._guarded(answer)

    # Client and server

    def _open(self) -> Any:
        import httpx
        from openai import DefaultHttpxClient, OpenAI

        # OPENAI_LOG=debug would write requests and answers to the model's log.
        for name in ("openai", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        url = urllib.parse.urlsplit(self._url)
        settings: dict[str, Any] = {}
        if _is_local(url.hostname or ""):
            # HTTP_PROXY of a machine is about the world outside it. Only that is left out:
            # certificates that the environment names still count.
            settings["trust_env"] = False
            if url.scheme == "https":
                settings["verify"] = httpx.create_ssl_context()
        client = OpenAI(
            # Never None: the library would look for a key of its own accord.
            api_key=self._key.value or "none",
            base_url=self._url,
            max_retries=self._options["retries"],
            timeout=self._options["timeout"],
            http_client=DefaultHttpxClient(
                # A redirected POST would arrive as a GET, and the key somewhere else.
                follow_redirects=False,
                event_hooks={"request": [self._before], "response": [self._after]},
                **settings,
            ),
        )
        if self._url != _OPENAI:  # OPENAI_ORG_ID and OPENAI_PROJECT_ID are nobody else's business
            client.organization = client.project = None
        return client

    def _before(self, request: Any) -> None:
        """Each attempt gets the time that is left, and no header where there is no key."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _OutOfTime
        request.extensions = {
            **request.extensions,
            "timeout": dict.fromkeys(("connect", "read", "write", "pool"), left),
        }
        if not self._key.value:
            request.headers.pop("Authorization", None)

    def _after(self, response: Any) -> None:
        """A body that trickles in is bounded as well, and so is the wait for another attempt."""
        response.stream = _bounded(response.stream, self._deadline)
        wait = _retry_after(response.headers)
        late = wait is not None and time.monotonic() + wait > self._deadline
        if late or response.status_code == 501:
            response.headers["x-should-retry"] = "false"

    def _check_server(self) -> None:
        """Raise ModelError unless the server answers, takes the key and knows the model."""
        import openai

        self._start()
        try:
            answer = self._client.models.with_raw_response.list().http_response
        except openai.APIStatusError as error:
            if error.status_code in _NO_LIST:
                return
            raise
        listed = self._json(answer).get("data")
        names = [row["id"] for row in listed] if isinstance(listed, list) else []
        if self._options["check_model"] and names and self._model not in names:
            close = difflib.get_close_matches(self._model, names, n=_NAMED) or sorted(names)
            known = self._quote(", ".join(close[:_NAMED]))
            raise ModelError(
                f"{self._url} does not list a model {self._model!r}. It has {known}"
                f"{' and others' if len(names) > _NAMED else ''} (check_model: false tries it)"
            )

    # Speech recognition

    def _transcription(self, audio: Audio) -> Transcript | Iterator[str]:
        self._start()
        words = self._options["word_timestamps"]
        form = "verbose_json" if words else self._options["response_format"]
        request = _given(
            model=self._model,
            file=("audio.wav", _wav(audio), "audio/wav"),
            response_format=form,
            language=self._options["language"],
            prompt=self._options["prompt"],
            temperature=self._options["temperature"],
            timestamp_granularities=["word"] if words else None,
        )
        transcriptions = self._client.audio.transcriptions
        if self._options["stream"] and form == "json":
            events = transcriptions.create(**request, stream=True)
            if _type(events.response.headers) == "text/event-stream":
                return self._heard(events)
            answer = self._json(events.response)
        else:
            answer = self._json(transcriptions.with_raw_response.create(**request).http_response)
        return self._transcript(answer)

    def _transcript(self, answer: Mapping[str, Any]) -> Transcript:
        text, language = answer.get("text"), answer.get("language")
        if not isinstance(text, str):
            raise ModelError(f"{self._url}: an answer without a text: {self._quote(answer)}")
        if not (language is None or isinstance(language, str)):
            raise ModelError(f"{self._url}: a language is expected, not {self._quote(language)}")
        words = tuple(
            Word(word["word"].strip(), float(word["start"]), float(word["end"]))
            for word in answer.get("words") or ()
        )
        if self._options["word_timestamps"] and text.strip() and not words:
            raise ModelError(
                f"{self._url} gives no times of words for {self._model}: set word_timestamps: false"
            )
        for said in (text, language or "", " ".join(word.text for word in words)):
            self._refuse_echo(said)
        return Transcript(text.strip(), language, words)

    def _heard(self, events: Any) -> Iterator[str]:
        """A transcript's pieces, in OpenAI's events, vLLM's chunks or speaches' rows."""
        said, whole = "", False
        with events:
            for event in events:
                row = event.to_dict()
                kind = row.get("type")
                if kind == "transcript.text.done":
                    # What it repeats is known already, unless nothing else was sent.
                    piece, whole = "" if said else row["text"], True
                elif kind == "transcript.text.delta":
                    piece = row["delta"]
                elif kind is None and isinstance(row.get("text"), str):
                    piece, whole = row["text"], True
                else:
                    choice = (row.get("choices") or [{}])[0]
                    piece = (choice.get("delta") or {}).get("content") or ""
                    whole = whole or choice.get("finish_reason") is not None
                if not isinstance(piece, str):
                    raise ModelError(f"{self._url}: text is expected, not {self._quote(piece)}")
                said += piece
                self._refuse_echo(said)
                if piece:
                    yield piece
        if not whole:
            raise ModelError(f"{self._url}: the stream ended before the transcript did")

    # Speech synthesis

    def _speech(self, text: str, settings: Mapping[str, Any]) -> Iterator[Audio]:
        self._start()
        form = self._options["speech_format"]
        request = _given(model=self._model, input=text, response_format=form, **settings)
        with self._client.audio.speech.with_streaming_response.create(**request) as answer:
            kind = _type(answer.headers)
            if kind not in (_PCM_TYPES if form == "pcm" else _WAV_TYPES):
                raise ModelError(
                    f"{self._url}: {form} was asked for, and {kind} came: "
                    f"{self._quote(answer.read()) if _is_text(kind) else 'see speech_format'}"
                )
            decoder = self._decoder(form)
            for data in answer.iter_bytes():
                if piece := decoder.feed(data):
                    yield piece
            decoder.finish()

    def _decoder(self, form: str) -> _Decoder:
        return _Wav(self._url) if form == "wav" else _Pcm(self._url, self._options)

    # Conversation

    def _chat(self, turns: Sequence[Turn]) -> Reply | Iterator[ReplyPiece]:
        self._start()
        options = self._options
        stream, spoken = options["stream"], options["modality"] == "audio"
        # The only format that is streamed; whole answers say their sample rate themselves.
        form = "pcm16" if stream else "wav"
        request = _given(
            model=self._model,
            messages=_messages(turns, options["system_prompt"]),
            temperature=options["temperature"],
            seed=self._seed if options["send_seed"] else None,
            modalities=["text", "audio"] if spoken else None,
            audio={"voice": options["voice"], "format": form} if spoken else None,
        )
        if options["max_new_tokens"] is not None:
            request[options["token_limit_name"]] = options["max_new_tokens"]
        completions = self._client.chat.completions
        if stream:
            chunks = completions.create(**request, stream=True)
            if _type(chunks.response.headers) == "text/event-stream":
                return self._said(chunks)
            return self._whole_reply(self._json(chunks.response), form)
        answer = completions.with_raw_response.create(**request).http_response
        return self._whole_reply(self._json(answer), form)

    def _whole_reply(self, answer: Mapping[str, Any], form: str) -> Reply:
        message = answer["choices"][0]["message"]
        audio = message.get("audio") or {}
        text = message.get("content") or audio.get("transcript") or message.get("refusal")
        if text is None and (message.get("content") == "" or audio.get("data")):
            text = ""  # nothing said is an answer, and sound without a transcript is one too
        if not isinstance(text, str):
            raise ModelError(f"{self._url}: an answer without a text: {self._quote(message)}")
        self._refuse_echo(text)
        if self._options["modality"] == "text":
            return Reply(text.strip())
        if not audio.get("data"):
            raise ModelError(self._mute)
        decoder = self._decoder(form)
        sound = decoder.feed(base64.b64decode(audio["data"], validate=True))
        decoder.finish()
        return Reply(text.strip(), sound)

    def _said(self, chunks: Any) -> Iterator[ReplyPiece]:
        said, finished, spoken = "", False, self._options["modality"] == "audio"
        decoder = self._decoder("pcm16")
        with chunks:
            for chunk in chunks:
                for choice in chunk.to_dict().get("choices") or ():
                    finished = finished or choice.get("finish_reason") is not None
                    delta = choice.get("delta") or {}
                    audio = delta.get("audio") or {}
                    text = delta.get("content") or audio.get("transcript") or delta.get("refusal")
                    said += text or ""
                    self._refuse_echo(said)
                    data = audio.get("data") if spoken else None
                    sound = decoder.feed(base64.b64decode(data, validate=True)) if data else None
                    if text or sound:
                        yield ReplyPiece(text or None, sound)
        if not finished:
            raise ModelError(f"{self._url}: the stream ended before the answer did")
        if spoken:
            if not decoder.fed:
                raise ModelError(self._mute)
            decoder.finish()

    @property
    def _mute(self) -> str:
        return f"{self._url}: {self._model} answered without audio: set modality: text"

    # Answers and errors

    def _start(self) -> None:
        self._deadline = time.monotonic() + self._options["timeout"]

    def _json(self, response: Any) -> dict[str, Any]:
        """The object that a whole answer holds. Raises ModelError where it is none."""
        content = response.read()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            error = answer.get("error")
            if not error:
                return answer
            raise ModelError(f"{self._url}: the server reports: {self._quote(error)}")
        missing = "" if self._url.endswith("/v1") else ' (is "/v1" missing in base_url?)'
        what = self._quote(content) or "nothing"
        raise ModelError(f"{self._url}: a JSON object is expected{missing}, and this came: {what}")

    def _guard(self, step: Callable[[], T]) -> T:
        """What `step` gives; whatever it raises is told in one ModelError without the key."""
        try:
            return step()
        except (Exception, _OutOfTime) as error:
            problem = self._explain(error)
        # Out here, so that no exception that holds the request is kept along.
        raise ModelError(problem)

    def _guarded(self, pieces: Iterator[T]) -> Iterator[T]:
        while (piece := self._guard(lambda: next(pieces, None))) is not None:
            yield piece

    def _explain(self, error: BaseException) -> str:
        import httpx
        import openai

        if isinstance(error, ModelError):
            return str(error)
        if isinstance(error, (_OutOfTime, httpx.TimeoutException, openai.APITimeoutError)):
            return f"{self._url}: no answer within {self._options['timeout']:g} s (option timeout)"
        if isinstance(error, openai.APIStatusError):
            return self._refusal(error)
        if isinstance(error, (openai.APIConnectionError, httpx.TransportError)):
            return self._broken_connection(error)
        if isinstance(error, openai.APIError):  # in the middle of a stream
            return f"{self._url}: the server reports: {self._quote(error.body or error.message)}"
        what = self._quote(f"{type(error).__name__}: {error}")
        if isinstance(error, ImportError):  # a SOCKS proxy without the package that speaks it
            return f"{self._url}: the client cannot start ({what})"
        return f"{self._url}: an answer that is not as the API has it ({what})"

    def _refusal(self, error: Any) -> str:
        status, said = error.status_code, self._quote(error.body)
        variable = self._options["api_key_env"]
        if status == 401:  # without a quotation: it tends to be about the key
            if variable is None:
                return (
                    f"{self._url} wants a key (401): name its environment variable in api_key_env"
                )
            return f"{self._url} does not accept the key in the variable {variable} (401)"
        if status == 429:
            wait = _retry_after(error.response.headers)
            again = f", again in {wait:g} s" if wait is not None else ""
            return f"{self._url} takes no more requests now (429{again}; option retries): {said}"
        if 300 <= status < 400:
            place = self._quote(error.response.headers.get("location", "somewhere else"))
            return f"{self._url} redirects to {place}: give the final address as base_url"
        if status == 413:
            return f"{self._url}: larger than the server takes (413), split the utterance: {said}"
        if status >= 500:
            return f"{self._url} failed ({status}): {said}"
        hint = " (no such model, or a base_url without its /v1?)" if status == 404 else ""
        return f"{self._url} refuses the request ({status}){hint}: {said}"

    def _broken_connection(self, error: BaseException) -> str:
        host = urllib.parse.urlsplit(self._url).hostname
        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(cause)
        if any(isinstance(cause, socket.gaierror) for cause in chain):
            through = " and the environment's proxy" if _proxied(self._url) else ""
            return f"{self._url}: no host is called {host!r}: check base_url{through}"
        if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
            through = " or the environment's proxy" if _proxied(self._url) else ""
            return f"{self._url}: connection refused: is the server{through} running?"
        for cause in chain:
            if isinstance(cause, ssl.SSLError):
                return (
                    f"{self._url}: no TLS connection ({self._quote(cause)}): check the server's "
                    "certificate (SSL_CERT_FILE names others), or whether base_url should be http"
                )
        what = self._quote(chain[-1]) or type(chain[-1]).__name__
        return f"{self._url}: the connection broke off: {what}"

    def _quote(self, said: object) -> str:
        """What a server or library said, in one line of bounded length and without the key."""
        if isinstance(said, Mapping):
            told = next((said[k] for k in ("message", "detail", "error") if said.get(k)), said)
            said = told if isinstance(told, str) else json.dumps(told, default=str)
        elif isinstance(said, bytes):
            said = said[: 10 * _QUOTED].decode("utf-8", "replace")
        text = " ".join(str(said if said is not None else "").split())
        text = self._key.strike(text)  # first: half a key would not be recognized
        return text if len(text) <= _QUOTED else text[:_QUOTED] + "..."

    def _refuse_echo(self, text: str) -> None:
        key = self._key.value
        if len(key) >= _UNMISTAKABLE and key in text:
            raise ModelError(f"{self._url}: the server sends the key back in its answer")

    def _refuse_recorded_key(self) -> None:
        """Options and checkpoint end in the scorecard, so the key must not be in them."""
        key = self._key.value
        if len(key) < _UNMISTAKABLE:
            return
        for name, value in {**self._options, "checkpoint": self._model}.items():
            if isinstance(value, str) and key in value:
                raise ModelError(f"{_ENGINE}: {name} holds the key, which would be recorded")


class _OutOfTime(BaseException):
    """Not an Exception, which the library would take for a fault of the network and try again."""


class _Key:
    """The key, shown by no repr."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "_Key(...)"

    def strike(self, text: str) -> str:
        """Replace the key, and any eight characters of it in a row: servers shorten and cut."""
        key = self.value.lower()
        if not key:
            return text
        width = min(8, len(key))
        hidden = [False] * len(text)
        for start in range(len(text) - width + 1):
            if text[start : start + width].lower() in key:
                hidden[start : start + width] = [True] * width
        runs = itertools.groupby(zip(hidden, text, strict=True), key=lambda pair: pair[0])
        return "".join("[key]" if hide else "".join(c for _, c in run) for hide, run in runs)


def _key(variable: str | None) -> _Key:
    """The key in an environment variable; empty for a server without keys. Raises ModelError."""
    if variable is None:
        return _Key("")
    value = os.environ.get(variable, "")
    if not value:
        raise ModelError(
            f"{_ENGINE}: the environment variable {variable} is not set: put the key there, or "
            "set api_key_env: null for a server without keys"
        )
    if not all("!" <= character <= "~" for character in value):
        raise ModelError(
            f"{_ENGINE}: the environment variable {variable} holds what no key does "
            "(a blank, a line break or a character beyond ASCII)"
        )
    return _Key(value)


# Sound


class _Decoder(Protocol):
    """Bytes as they arrive to audio."""

    @property
    def fed(self) -> bool: ...
    def feed(self, data: bytes) -> Audio | None:
        """What can be played now; None where that is less than one sample."""
        ...

    def finish(self) -> None:
        """Raise ModelError where the sound is not whole."""
        ...


class _Pcm:
    """Samples without a header: 16 bits, little-endian, mono unless told otherwise."""

    def __init__(
        self, url: str, options: Options, *, dtype: str = "<i2", channels: int = 1
    ) -> None:
        self._url = url
        self._rate = int(options["pcm_sample_rate"])
        self._dtype = np.dtype(dtype)
        self._channels = channels
        self._rest = b""
        self._begun = False
        self.fed = False

    def feed(self, data: bytes) -> Audio | None:
        data = self._rest + data
        if not self._begun and len(data) >= 4:
            self._begun = True
            if data[:4] == b"RIFF":
                raise ModelError(f"{self._url}: pcm was asked for, and wav came: see speech_format")
        frame = self._dtype.itemsize * self._channels
        whole = len(data) - len(data) % frame
        self._rest = data[whole:]
        if not whole:
            return None
        self.fed = True
        samples = np.frombuffer(data[:whole], self._dtype).astype(np.float32)
        if self._dtype.kind == "i":
            samples /= 32768
        elif not np.isfinite(samples).all():
            raise ModelError(f"{self._url}: the speech holds samples that are no numbers")
        mono: Samples = samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        return Audio(np.clip(mono, -1.0, 1.0), self._rate)

    def finish(self) -> None:
        if self._rest:
            raise ModelError(f"{self._url}: the speech ends in the middle of a sample")
        if not self.fed:
            raise ModelError(f"{self._url}: the server sent no audio at all")


class _Wav:
    """A WAV file whose sizes may still be unknown when its header is written."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._header = b""
        self._format: tuple[str, int, int] | None = None  # dtype, channels, sample rate
        self._samples: _Pcm | None = None
        self._left: int | None = None  # bytes of samples to come; None: until the end

    @property
    def fed(self) -> bool:
        return self._samples is not None and self._samples.fed

    def feed(self, data: bytes) -> Audio | None:
        if self._samples is None:
            self._header += data
            data = self._parse()
        if self._samples is None:
            return None
        if self._left is not None:
            data = data[: self._left]  # tags may follow the samples
            self._left -= len(data)
        return self._samples.feed(data)

    def _parse(self) -> bytes:
        """Go through the chunks before the samples; returns the first bytes of those, if there."""
        header = self._header
        if header and not (b"RIFF" + header[4:8] + b"WAVE").startswith(header[:12]):
            raise ModelError(f"{self._url}: wav was asked for, and something else came")
        at = 12
        while len(header) >= at + 8:
            name, size = struct.unpack_from("<4sI", header, at)
            at += 8
            if name == b"data":
                if self._format is None:
                    raise ModelError(f"{self._url}: a WAV file without a format")
                dtype, channels, rate = self._format
                options = {"pcm_sample_rate": rate}
                self._samples = _Pcm(self._url, options, dtype=dtype, channels=channels)
                self._samples._begun = True
                self._left = None if size == 0 or size >= _ENDLESS else size
                return header[at:]
            if len(header) < at + size:
                break
            if name == b"fmt ":
                self._format = self._read_format(header[at : at + size])
            at += size + size % 2
        return b""

    def _read_format(self, chunk: bytes) -> tuple[str, int, int]:
        if len(chunk) < 16:
            raise ModelError(f"{self._url}: a WAV file with a broken format")
        code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if code == 0xFFFE and len(chunk) >= 26:  # extensible: the code is further back
            (code,) = struct.unpack_from("<H", chunk, 24)
        dtype = {(1, 16): "<i2", (3, 32): "<f4"}.get((code, bits))
        if dtype is None or not channels or not rate:
            raise ModelError(
                f"{self._url}: a WAV file of format {code} with {bits} bits; 16-bit samples or "
                "32-bit floating point are expected"
            )
        return dtype, channels, rate

    def finish(self) -> None:
        if self._samples is None:
            what = "breaks off in its header" if self._header else "is empty"
            raise ModelError(f"{self._url}: the WAV file {what}")
        if self._left:
            raise ModelError(f"{self._url}: the WAV file lacks its last {self._left} bytes")
        self._samples.finish()


def _wav(audio: Audio) -> bytes:
    """A WAV file of 16-bit samples; 16-bit audio comes back as it was."""
    samples = audio.samples * np.float32(32768)
    np.clip(np.round(samples, out=samples), -32768, 32767, out=samples)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(audio.sample_rate)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


# Requests


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are to be sent."""
    return {name: value for name, value in fields.items() if value is not None}


def _messages(turns: Sequence[Turn], system_prompt: str | None) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*messages, *map(_message, turns)]


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role not in ("system", "user", "assistant"):
        raise ModelError(f"{_ENGINE}: a turn of {turn.role!r}; use system, user or assistant")
    if turn.role == "user" and turn.audio is not None:
        data = base64.b64encode(_wav(turn.audio)).decode()
        sound = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        text = [{"type": "text", "text": turn.text}] if turn.text else []
        return {"role": "user", "content": [*text, sound]}
    if turn.text is None:
        raise ModelError(
            f"{_ENGINE}: a {turn.role} turn without text: the API takes sound of users"
        )
    return {"role": turn.role, "content": turn.text}


def _type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind.endswith(("json", "xml"))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait: given as such, or as a date."""
    value = headers.get("retry-after", "")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _proxied(address: str) -> bool:
    """Whether HTTP_PROXY and the like send requests for an address elsewhere."""
    url = urllib.parse.urlsplit(address)
    host = url.hostname or ""
    proxies = urllib.request.getproxies()
    named = url.scheme in proxies or "all" in proxies
    return named and not _is_local(host) and not urllib.request.proxy_bypass(host)


def _bounded(stream: Any, deadline: float) -> Any:
    """The bytes of an answer, until its time is up. `stream` is an httpx.SyncByteStream."""
    import httpx

    class Bounded(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for data in stream:
                if time.monotonic() > deadline:
                    raise _OutOfTime
                yield data

        def close(self) -> None:
            stream.close()

    return Bounded()


# Options


def _text(value: Any) -> bool:
    return value is None or (isinstance(value, str) and bool(value.strip()))


def _number(low: float, high: float) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and low <= value <= high

    return fits


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _one_of(*values: Any) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in values and type(value) in map(type, values)), " or ".join(
        json.dumps(value) for value in values
    )


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_url(value: Any) -> bool:
    """An address that may be recorded: no name, password or query in it."""
    if value is None:
        return True
    try:
        url = urllib.parse.urlsplit(value)
        known = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except (ValueError, AttributeError, TypeError):
        return False
    return known and "@" not in url.netloc and not url.query and not url.fragment


_SWITCH = _one_of(True, False)
_SOME_TEXT = (_text, "a text that is not empty, or null")
#: Option to what its values are like, in code and in words.
_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "base_url": (_is_url, "an http:// or https:// address with a host, no password and no query"),
    "api_key_env": (
        _or_none(lambda value: isinstance(value, str) and bool(_VARIABLE.fullmatch(value))),
        "the name of an environment variable in upper case, never the key itself",
    ),
    "timeout": (_number(0.001, 86_400), "seconds from 0.001 to 86400"),
    "retries": (_whole(0, 100), "a whole number from 0 to 100"),
    "check_model": _SWITCH,
    "stream": _SWITCH,
    "language": _SOME_TEXT,
    "prompt": _SOME_TEXT,
    "temperature": (_or_none(_number(0.0, 2.0)), "a number from 0 to 2, or null"),
    "response_format": _one_of("json", "verbose_json"),
    "word_timestamps": _SWITCH,
    "voice": (lambda value: value is not None and _text(value), "the name of a voice"),
    "speed": (_or_none(_number(0.25, 4.0)), "a number from 0.25 to 4, or null"),
    "instructions": _SOME_TEXT,
    "speech_format": _one_of("pcm", "wav"),
    "pcm_sample_rate": (_whole(4_000, 192_000), "Hz from 4000 to 192000"),
    "system_prompt": _SOME_TEXT,
    "modality": _one_of("text", "audio"),
    "max_new_tokens": (_or_none(_whole(1, 1_000_000)), "a whole number from 1, or null"),
    "token_limit_name": _one_of("max_completion_tokens", "max_tokens"),
    "send_seed": _SWITCH,
}
#: Where a secret may stand by mistake: not repeated in an error.
_NOT_SHOWN = ("api_key_env", "base_url")


def _check_options(options: Options) -> None:
    for name, value in options.items():
        if name not in _VALUES:
            raise ModelError(f"{_ENGINE}: no option {name!r}; there are {', '.join(_VALUES)}")
        fits, words = _VALUES[name]
        if not fits(value):
            shown = "" if name in _NOT_SHOWN else f", not {value!r}"
            raise ModelError(f"{_ENGINE}: option {name} must be {words}{shown}")


ADAPTER = OpenAIApi
