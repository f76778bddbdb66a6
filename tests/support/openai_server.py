"""A small server with OpenAI's HTTP API on 127.0.0.1, for tests: it fails on demand, and keeps
what it was asked.

It hears what tests.support.toy_engine writes into sound, speaks in tones whose length is the text's and
whose pitch is the voice's, and converses by repeating. Every fault below is one that real
servers, gateways and networks have.
"""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import sys
import threading
import time
import urllib.parse
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np

from adapters.interface import Audio
from tests.support.toy_engine import text_of

RATE = 24_000
SECONDS_PER_CHARACTER = 0.02
#: Fault to the status of the JSON error that it is.
STATUSES = {
    "bad request": 400, "wrong key": 401, "forbidden": 403, "not there": 404, "too large": 413,
    "rate limit": 429, "broken": 500, "not built": 501, "overloaded": 503,
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request: `fields` of its form or JSON, `file` the sound that came with it."""

    path: str
    headers: Mapping[str, str]
    fields: Mapping[str, Any]
    file: bytes | None = None


@dataclass
class OpenAIServer:
    """Runs until its `with` block ends.

    key: what must come as "Authorization: Bearer KEY"; None: a request with a key is refused.
    faults: a path such as "/audio/speech", or words that are heard, to what goes wrong then; see
    `Handler`.
    times: how often a fault happens before all is well; None: always.
    answer: what it says in a conversation, of the request's messages; None: it repeats them.
    headers: in every answer. page: what the fault "page" shows. piece_seconds: between events.
    """

    key: str | None = None
    models: Sequence[str] = ("toy",)
    faults: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    answer: Callable[[Sequence[Mapping[str, Any]]], str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    page: str = ""
    piece_seconds: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        handler = type("BoundHandler", (Handler,), {"owner": self})
        self._http = _Quiet(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> OpenAIServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> OpenAIServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def last(self, path: str) -> Asked:
        return [asked for asked in self.asked if asked.path == path][-1]

    def fault(self, path: str, heard: str) -> str:
        fault = next((f for at, f in self.faults.items() if at == path or at in heard), "")
        if fault and self.times is not None:
            self.times -= 1
            if self.times < 0:
                return ""
        return fault


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may hang up
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    owner: OpenAIServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        fields, file = _form(body, kind) if "multipart" in kind else (json.loads(body), None)
        self._answer(fields, file)

    def _answer(self, fields: dict[str, Any], file: bytes | None = None) -> None:
        # As a proxy it would be asked for a whole address.
        path = urllib.parse.urlsplit(self.path).path.removeprefix("/v1")
        self.owner.asked.append(Asked(path, dict(self.headers), fields, file))
        came = self.headers.get("Authorization")
        if came != (f"Bearer {self.owner.key}" if self.owner.key else None):
            self._error(401, f"Incorrect API key provided: {came}")
            return
        fault = self.owner.fault(path, hear(file) if file else "")
        if not self._fail(fault, came):
            routes: Mapping[str, Callable[[dict[str, Any], bytes, str], None]] = {
                "/models": self._models,
                "/audio/transcriptions": self._transcribe,
                "/audio/speech": self._speak,
                "/chat/completions": self._chat,
            }
            routes[path](fields, file or b"", fault)

    def _fail(self, fault: str, came: str | None) -> bool:
        """The faults that all paths share; True where one was the answer."""
        if fault in STATUSES:
            self._error(STATUSES[fault], f"{fault}, you with {came}")
        elif fault == "error with 200":
            self._json({"error": {"message": f"no luck with {came}", "code": 17}})
        elif fault == "page":
            page = self.owner.page or f"<html>Welcome, {came}</html>"
            self._send(page.encode(), "text/html")
        elif fault == "no JSON":
            self._send(b'{"text": "turn on', "application/json")
        elif fault == "a list":
            self._send(b"[1, 2]", "application/json")
        elif fault == "other JSON":
            self._json({"greeting": f"hello {came}"})
        elif fault == "empty":
            self._send(b"", "application/octet-stream")
        elif fault == "redirect":
            self._error(307, "moved", {"Location": "https://elsewhere.invalid/v1"})
        elif fault == "hangs":
            self.owner.over.wait(60)
            self.close_connection = True
        elif fault == "hangs up":
            self.close_connection = True
        elif fault == "cut":
            self._head("application/json", {"Content-Length": "1000"})
            self.wfile.write(b'{"text": "turn on')
            self.close_connection = True
        elif fault == "dribbles":
            self._head("application/json", {"Content-Length": "1000"})
            while not self.owner.over.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break
            self.close_connection = True
        else:
            return False
        return True

    # What it can do

    def _models(self, fields: dict[str, Any], file: bytes, fault: str) -> None:
        rows = [{"id": name, "object": "model"} for name in self.owner.models]
        self._json({"object": "list", "data": rows})

    def _transcribe(self, fields: dict[str, Any], file: bytes, fault: str) -> None:
        heard = hear(file)
        said = f"{fields['prompt']} {heard}" if "prompt" in fields else heard
        if fault == "echo":
            said = f"{said} {self.headers['Authorization']}"
        if fields.get("stream") == "true" and fault != "whole":
            self._events(_TRANSCRIPT[fault if fault in _TRANSCRIPT else "OpenAI"](said), fault)
            return
        answer: dict[str, Any] = {"text": said}
        if fields["response_format"] == "verbose_json":
            answer |= {
                "language": fields.get("language", "english"),
                "duration": 1.0,
                "segments": [],
            }
            if fields.get("timestamp_granularities[]") == "word" and fault != "no words":
                words = enumerate(said.split())
                answer["words"] = [{"word": w, "start": n * 0.5, "end": n + 0.4} for n, w in words]
        self._json(answer)

    def _speak(self, fields: dict[str, Any], file: bytes, fault: str) -> None:
        sound = tone(fields["input"], fields["voice"], fields.get("speed", 1.0))
        form = fields["response_format"]
        content = wav(sound, fault) if form == "wav" or fault == "wav" else sound
        kinds = {
            "mp3": "audio/mpeg",
            "says wav": "audio/wav",
            "odd type": "application/octet-stream",
        }
        if fault == "odd":
            content = content[:-1]
        elif fault == "short":
            content = content[:-4000]
        elif fault == "no samples":
            content = content[:44] if form == "wav" else b""
        elif fault == "no sound":
            content = b"this is no sound at all" * 9
        # Pieces of an odd length: a sample may lie across two.
        pieces = [content[at : at + 4097] for at in range(0, len(content), 4097)]
        self._chunked(iter(pieces), kinds.get(fault, f"audio/{form}"), fault == "cut later")

    def _chat(self, fields: dict[str, Any], file: bytes, fault: str) -> None:
        if fault.startswith("refuses ") and (name := fault.removeprefix("refuses ")) in fields:
            self._error(400, f"Unknown parameter: {name!r}")
            return
        words = [message_text(m) for m in fields["messages"]]
        if self.owner.answer is not None:
            words = [self.owner.answer(fields["messages"])]
        said = " | ".join(words).split()[
            : fields.get("max_completion_tokens", fields.get("max_tokens"))
        ]
        if fault == "echo":
            said.append(self.headers["Authorization"])
        text = " ".join(said)
        sound = None
        if "audio" in fields.get("modalities", ()) and fault != "mute":
            sound = tone(text, fields["audio"]["voice"])
            sound = wav(sound) if fields["audio"]["format"] == "wav" else sound
        if fields.get("stream") and fault != "whole":
            self._events(_chat_chunks(text, sound, fault), fault)
            return
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if sound is not None:
            spoken = {"id": "a", "data": base64.b64encode(sound).decode(), "transcript": text}
            message = {"role": "assistant", "content": None, "audio": spoken}
        if fault == "refuses":
            message = {"role": "assistant", "content": None, "refusal": "I would rather not."}
        if fault == "says nothing":
            message = {"role": "assistant", "content": None}
        self._json({"object": "chat.completion", "choices": [{"index": 0, "message": message}]})

    # How it is sent

    def _events(self, rows: Iterator[object], fault: str) -> None:
        def lines() -> Iterator[bytes]:
            for row in rows:
                yield f"data: {row if isinstance(row, str) else json.dumps(row)}\n\n".encode()
                time.sleep(self.owner.piece_seconds)

        self._chunked(lines(), "text/event-stream; charset=utf-8", fault == "cut later")

    def _chunked(self, pieces: Iterator[bytes], kind: str, cut: bool) -> None:
        self._head(kind, {"Transfer-Encoding": "chunked"})
        for number, piece in enumerate(pieces):
            if cut and number == 2:
                self.close_connection = True
                return
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, kind: str, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in {**headers, **self.owner.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(
        self, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self._head(kind, {"Content-Length": str(len(body)), **(headers or {})}, status)
        self.wfile.write(body)

    def _json(self, answer: object) -> None:
        self._send(json.dumps(answer).encode(), "application/json")

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"error": {"message": message, "type": "toy", "code": None}}).encode()
        self._send(body, "application/json", status, headers)


def _openai_events(text: str) -> Iterator[object]:
    for piece in re.findall(r"\s*\S+", text):
        yield {"type": "transcript.text.delta", "delta": piece}
    yield {"type": "transcript.text.done", "text": text}


def _vllm_chunks(text: str) -> Iterator[object]:
    for piece in re.findall(r"\s*\S+", text):
        choice = {"delta": {"content": piece}, "finish_reason": None}
        yield {"object": "transcription.chunk", "choices": [choice]}
    yield {
        "object": "transcription.chunk",
        "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}],
    }
    yield "[DONE]"


def _speaches_rows(text: str) -> Iterator[object]:
    for piece in re.findall(r"\s*\S+(?:\s+\S+)?", text):
        yield {"text": piece}


def _only_done(text: str) -> Iterator[object]:
    yield {"type": "transcript.text.done", "text": text}


def _endless(text: str) -> Iterator[object]:
    yield {"type": "transcript.text.delta", "delta": text}


def _error_event(text: str) -> Iterator[object]:
    yield {"type": "transcript.text.delta", "delta": text[:3]}
    yield {"error": {"message": "the model fell over", "code": 500}}


def _broken_event(text: str) -> Iterator[object]:
    yield {"type": "transcript.text.delta", "delta": text[:3]}
    yield '{"type": "transcript.te'


_TRANSCRIPT: Mapping[str, Callable[[str], Iterator[object]]] = {
    "OpenAI": _openai_events, "vLLM": _vllm_chunks, "speaches": _speaches_rows,
    "only done": _only_done, "no end": _endless, "error event": _error_event,
    "broken event": _broken_event,
}  # fmt: skip


def _chat_chunks(text: str, sound: bytes | None, fault: str) -> Iterator[object]:
    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> object:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"object": "chat.completion.chunk", "choices": [choice]}

    yield chunk({"role": "assistant", "content": "" if sound is None else None})
    for number, piece in enumerate(re.findall(r"\s*\S+", text)):
        yield chunk(
            {"content": piece} if sound is None else {"audio": {"id": "a", "transcript": piece}}
        )
        if fault == "error event" and number == 1:
            yield {"error": {"message": "the model fell over", "code": 500}}
        if fault == "broken event" and number == 1:
            yield '{"object": "chat.com'
    for at in range(0, len(sound or b""), 4097):
        data = base64.b64encode((sound or b"")[at : at + 4097]).decode()
        yield chunk({"audio": {"data": "?" + data[1:] if fault == "no base64" else data}})
    if fault != "no end":
        yield chunk({}, "stop")
        yield {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 1}}
        yield "[DONE]"


# Toy hearing and speaking


def hear(file: bytes) -> str:
    """What toy_engine wrote; for other sound its length and loudness, for silence nothing."""
    audio = read_wav(file)
    if not np.any(audio.samples):
        return ""
    loudness = float(np.sqrt(np.mean(audio.samples**2)))
    return text_of(audio) or f"{audio.seconds:.2f} seconds of {loudness:.4f}"


def read_wav(file: bytes) -> Audio:
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        return Audio(samples.astype(np.float32) / np.float32(32768), sound.getframerate())


def tone(text: str, voice: str, speed: float = 1.0) -> bytes:
    """16-bit samples: as long as the text, as high as the voice's name is long."""
    seconds = len(text) * SECONDS_PER_CHARACTER / speed
    time_axis = np.arange(round(seconds * RATE)) / RATE
    return (20_000 * np.sin(2 * np.pi * 100 * len(voice) * time_axis)).astype("<i2").tobytes()


def wav(samples: bytes, variant: str = "") -> bytes:
    """A WAV file of them; `variant` says what is special about it."""
    if variant == "stereo":
        samples = np.repeat(np.frombuffer(samples, "<i2"), 2).tobytes()
    if variant in ("float", "not numbers"):
        values = np.frombuffer(samples, "<i2").astype("<f4") / 32768
        samples = (values * np.nan if variant == "not numbers" else values).tobytes()
    code, channels, size = 1, 1, 2
    if variant in ("float", "not numbers"):
        code, size = 3, 4
    if variant == "stereo":
        channels = 2
    if variant == "law":
        code, size = 7, 1
    form = struct.pack(
        "<HHIIHH", code, channels, RATE, RATE * size * channels, size * channels, 8 * size
    )
    if variant == "extensible":
        form = struct.pack("<H", 0xFFFE) + form[2:]
        form += (
            struct.pack("<HHIH", 22, 16, 4, code)
            + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x008\x9bq"
        )
    length = {"endless": 0xFFFFFFFF, "zero": 0}.get(variant, len(samples))
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    tags = b"LIST" + struct.pack("<I", 5) + b"hello\x00"
    if variant == "tags":
        chunks = tags + chunks
    after = tags if variant == "tags" else b""
    body = b"WAVE" + chunks + b"data" + struct.pack("<I", length) + samples + after
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def message_text(message: Mapping[str, Any]) -> str:
    """A message as text, its sound as what was heard."""
    content = message["content"]
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    words = [
        part["text"] if part["type"] == "text"
        else hear(base64.b64decode(part["input_audio"]["data"]))
        for part in parts
    ]  # fmt: skip
    return f"{message['role']}: {' '.join(words)}"


def _form(body: bytes, kind: str) -> tuple[dict[str, Any], bytes | None]:
    """The fields and the file of a multipart form."""
    boundary = kind.partition("boundary=")[2].strip('"')
    fields: dict[str, Any] = {}
    file = None
    for part in body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        found = re.search(rb'name="([^"]*)"', head)
        assert found is not None
        if b'filename="' in head:
            file = content
        else:
            fields[found[1].decode()] = content.decode()
    return fields, file
