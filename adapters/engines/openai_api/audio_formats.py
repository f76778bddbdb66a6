"""Sound as OpenAI-compatible servers send and take it: PCM and WAV, piece by piece."""

from __future__ import annotations

import io
import struct
import wave
from typing import Protocol

import numpy as np

from adapters.interface import Audio, ModelError, Options, Samples

#: Sizes in a WAV header from here on mean "not known yet", as does 0.
_ENDLESS = 0x7FFF0000


class SoundDecoder(Protocol):
    """Bytes as they arrive to audio."""

    @property
    def fed(self) -> bool: ...
    def feed(self, data: bytes) -> Audio | None:
        """What can be played now; None where that is less than one sample."""
        ...

    def finish(self) -> None:
        """Raise ModelError where the sound is not whole."""
        ...


class PcmDecoder:
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


class WavDecoder:
    """A WAV file whose sizes may still be unknown when its header is written."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._header = b""
        self._format: tuple[str, int, int] | None = None  # dtype, channels, sample rate
        self._samples: PcmDecoder | None = None
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
                self._samples = PcmDecoder(self._url, options, dtype=dtype, channels=channels)
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


def wav_file(audio: Audio) -> bytes:
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
