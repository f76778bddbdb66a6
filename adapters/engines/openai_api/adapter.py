"""Models behind an OpenAI-compatible HTTP API: OpenAI's own, vLLM, speaches, LocalAI and others.

The server does the work, so times include the network and what else the server
is doing, and memory is this client's alone.

The key is read from the environment and goes into one request header. What a
server says is quoted only after the key was struck from it, and every
exception of the library ends in `_guard`, because its request holds the header.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from adapters.engines.openai_api.audio_formats import PcmDecoder, SoundDecoder, WavDecoder, wav_file
from adapters.engines.openai_api.http import OPENAI, HttpClient
from adapters.engines.openai_api.key import key_in
from adapters.engines.openai_api.options import ENGINE, check_options
from adapters.engines.shared.languages import language_for
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

_ANY_TYPES = ("application/octet-stream", "")
_PCM_TYPES = ("audio/pcm", "audio/l16", "audio/x-pcm", "audio/raw", *_ANY_TYPES)
_WAV_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", *_ANY_TYPES)


class OpenAIApi(HttpClient, Adapter):
    """`checkpoint` is the name by which the server knows the model; `--model` also takes NAME@URL.

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
    def named(cls, checkpoint: str) -> tuple[str, Options]:
        """NAME@URL: the model NAME of the server at URL, which gets no key unless one is named."""
        name, at, url = checkpoint.partition("@http")
        return (name, {"base_url": f"http{url}", "api_key_env": None}) if at else (checkpoint, {})

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
        self._url = (options["base_url"] or OPENAI).rstrip("/")
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

    # Speech recognition

    def _transcription(self, audio: Audio) -> Transcript | Iterator[str]:
        self._start()
        words = self._options["word_timestamps"]
        form = "verbose_json" if words else self._options["response_format"]
        request = _given(
            model=self._model,
            file=("audio.wav", wav_file(audio), "audio/wav"),
            response_format=form,
            language=language_for(self._options["language"], audio, None),
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


ADAPTER = OpenAIApi
