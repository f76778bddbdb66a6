"""Sound as FFmpeg writes it, through PyAV."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000


class Pipe(io.RawIOBase):
    """What can be written to, and not gone back in."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += bytes(data)
        return len(data)


def encoded(
    samples: NDArray[np.float32],
    form: str,
    codec: str,
    rate: int = RATE,
    *,
    into: Pipe | Path | None = None,
) -> bytes:
    """The samples, shape (n, channels) at 16 kHz, in a format and codec of FFmpeg at that rate.

    into: a pipe, or a file, into which it writes its table first; None for neither.
    """
    import av

    out = into if isinstance(into, Pipe) else io.BytesIO()
    target: Any = str(into) if isinstance(into, Path) else out
    options = {"movflags": "faststart"} if isinstance(into, Path) else {}
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(target, "w", format=form, options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layout)
        planes = np.ascontiguousarray(samples.T)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = RATE, 0
        context = stream.codec_context
        context.open()
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    if isinstance(into, Path):
        return into.read_bytes()
    return bytes(out.content if isinstance(out, Pipe) else out.getvalue())
