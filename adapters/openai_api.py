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
import ipaddress
import json
import logging
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    Reply,
    ReplyPiece,
    Transcript,
    Turn,
    Word,
)
from adapters.openai_key import key_in
from adapters.openai_options import ENGINE, check_options
from adapters.openai_sound import PcmDecoder, SoundDecoder, WavDecoder, wav_file

T = TypeVar("T")

_OPENAI = "https://api.openai.com/v1"
#: A key this long is no word of a transcript; placeholders such as "EMPTY" may well be.
_UNMISTAKABLE = 16
_QUOTED = 300  # characters of what a server says
_NAMED = 8  # models of the server's that an error names
#: Statuses of GET /models that mean that the server has no such list.
_NO_LIST = (404, 405, 501)
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
        check_options(options)

    @classmethod
    def secrets(cls, options: Options) -> Sequence[str]:
        named = {**cls.options, **options}["api_key_env"]
        return [named] if isinstance(named, str) else []

    def load(self, spec: LoadSpec) -> None:
        options = {**self.options, **spec.options}
        check_options(options)
        self._options = options
        self._model = spec.checkpoint
        self._seed = spec.seed
        self._url = (options["base_url"] or _OPENAI).rstrip("/")
        self._key = key_in(options["api_key_env"])
        self._refuse_recorded_key()
        if not self._model or self._model == "builtin":
            raise ModelError(f"{ENGINE}: the checkpoint must be the server's name of the model")
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
                    f"{ENGINE}: no voice option {name!r}; there are {', '.join(settings)}"
                )
            settings[name] = value
        check_options({**self._options, **settings})
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
            file=("audio.wav", wav_file(audio), "audio/wav"),
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

    def _decoder(self, form: str) -> SoundDecoder:
        return WavDecoder(self._url) if form == "wav" else PcmDecoder(self._url, self._options)

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
                raise ModelError(f"{ENGINE}: {name} holds the key, which would be recorded")


class _OutOfTime(BaseException):
    """Not an Exception, which the library would take for a fault of the network and try again."""


# Sound


# Requests


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are to be sent."""
    return {name: value for name, value in fields.items() if value is not None}


def _messages(turns: Sequence[Turn], system_prompt: str | None) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*messages, *map(_message, turns)]


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role not in ("system", "user", "assistant"):
        raise ModelError(f"{ENGINE}: a turn of {turn.role!r}; use system, user or assistant")
    if turn.role == "user" and turn.audio is not None:
        data = base64.b64encode(wav_file(turn.audio)).decode()
        sound = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        text = [{"type": "text", "text": turn.text}] if turn.text else []
        return {"role": "user", "content": [*text, sound]}
    if turn.text is None:
        raise ModelError(f"{ENGINE}: a {turn.role} turn without text: the API takes sound of users")
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


ADAPTER = OpenAIApi
