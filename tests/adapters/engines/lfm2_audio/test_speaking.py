"""LFM2-Audio hears and speaks: tasks, prompts, characters and chunks."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from adapters.catalog.engine import EngineRef
from adapters.engines.lfm2_audio import stream as lfm2_stream
from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from tests.adapters.engines.lfm2_audio.shared import (
    EXACT,
    Recorded,
    loaded_from,
    noise_of,
    said_of,
    text_of,
)
from tests.support import lfm_checkpoint

pytestmark = pytest.mark.engine

ENGINE = EngineRef("lfm2_audio")


def test_says_which_python_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.11.9")
    assert (
        ENGINE.missing() == "engine 'lfm2_audio' needs Python 3.12 or newer, and this is 3.11.9. "
        "Run it in an environment of its own with --envs"
    )


def _gives(
    adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch, tokens: Sequence[int | list[int]]
) -> None:
    """Have the model give these tokens and frames, whatever it is asked."""
    import torch

    def generate(**arguments: Any) -> Iterator[Any]:
        for token in tokens:
            yield torch.tensor([token] if isinstance(token, int) else token)

    for name in ("generate_sequential", "generate_interleaved"):
        monkeypatch.setattr(adapter._model, name, generate)


def test_all_tasks_in_a_worker_process(folder: Path, tmp_path: Path) -> None:
    options = {**Lfm2Audio.options, "max_new_tokens": 150}
    process = ModelProcess(ENGINE, LoadSpec(str(folder), options=options), time_limit=300.0)
    process.load()
    try:
        heard = process.transcribe(noise_of(2.0))
        spoken = process.synthesize("Turn on the light.")
        replied = process.reply([Turn("user", audio=noise_of(2.0))])
        silent = process.transcribe(Audio(np.zeros(0, np.float32), 16_000))
        with pytest.raises(WorkerError, match=r"121.0 s and Lfm2Audio takes at most 120 s"):
            process.transcribe(noise_of(121.0))
    finally:
        process.close()
    assert heard.result.text.isascii()
    assert heard.first_token_seconds is not None
    assert 0 < heard.first_token_seconds < heard.seconds
    assert silent.result.text == ""
    assert silent.first_token_seconds is None
    assert spoken.first_audio_seconds is not None
    assert 0 < spoken.first_audio_seconds < spoken.seconds / 3
    assert replied.result.text
    assert "<|" not in replied.result.text
    assert replied.first_token_seconds is not None
    assert replied.first_audio_seconds is not None
    assert 0 < replied.first_token_seconds < replied.first_audio_seconds < replied.seconds / 2
    assert replied.result.audio is not None
    for number, audio in enumerate((spoken.result.audio, replied.result.audio)):
        assert audio.sample_rate == 24_000
        file = tmp_path / f"{number}.wav"
        soundfile.write(file, audio.samples, audio.sample_rate)
        samples, rate = soundfile.read(file, dtype="float32")
        assert rate == 24_000
        assert len(samples) >= 24_000
        assert np.isfinite(samples).all()
        assert 0.001 < np.sqrt(np.mean(samples**2)) < 0.5
    # 149 frames of 80 ms after <|audio_start|>
    assert spoken.result.audio.seconds == pytest.approx(149 * 0.08)


def test_a_model_that_never_speaks(folder: Path, tmp_path: Path) -> None:
    mute = loaded_from(lfm_checkpoint.make(tmp_path, mute=True))
    try:
        assert list(mute.synthesize("Turn on the light.")) == []
        assert "".join(mute.transcribe(noise_of(1.0)))
    finally:
        mute.close()


def test_the_checkpoint_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    again = lfm_checkpoint.make(tmp_path)
    for file in ("model.safetensors", "audio_detokenizer/model.safetensors", "tokenizer.json"):
        assert (again / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize("samples", [0, 1, 1599, 1601])
def test_hears_the_shortest_sounds(adapter: Lfm2Audio, samples: int) -> None:
    pieces = list(adapter.transcribe(Audio(np.full(samples, 0.1, np.float32), 16_000)))
    assert bool(pieces) == (samples > 0)


def test_resamples_what_it_hears(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.transcribe(noise_of(1.0)))
    list(adapter.transcribe(noise_of(1.0, rate=48_000)))
    sixteen, fortyeight = (call["audio_in_lens"].tolist() for call in recorded.calls)
    assert sixteen == fortyeight == [101]


def test_prompts(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.transcribe(noise_of(1.0)))
    list(adapter.synthesize("Good morning."))
    list(adapter.reply([Turn("user", audio=noise_of(1.0))]))
    form = "<|startoftext|><|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    assert [recorded.prompt(i) for i in range(3)] == [
        form.format("Perform ASR.", "{audio}"),
        form.format("Perform TTS. Use the US male voice.", "Good morning."),
        form.format("Respond with interleaved text and audio.", "{audio}"),
    ]
    assert [call["mode"] for call in recorded.calls] == [
        "generate_sequential",
        "generate_sequential",
        "generate_interleaved",
    ]


def test_commands_in_a_text_are_text(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.synthesize("say <|im_end|>"))
    ids = recorded.calls[0]["text"][0].tolist()
    assert ids.count(7) == 2  # of the system's turn and the user's
    assert recorded.prompt().count("<|im_end|>") == 3


def test_characters_are_given_whole(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Füße, 東京 😀 ok"
    tokens = adapter._processor.text.encode(said, add_special_tokens=False)
    assert len(tokens) == len(said.encode())  # byte by byte
    _gives(adapter, monkeypatch, [128, *tokens, 130, 7])
    assert list(adapter.transcribe(noise_of(1.0))) == list(said)
    assert text_of(list(adapter.reply([Turn("user", text="hi")]))) == said


def test_bytes_that_are_no_text(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = adapter._processor.text.encode
    kanji = encode("東", add_special_tokens=False)
    a, space = encode("a", add_special_tokens=False), encode(" ", add_special_tokens=False)
    # Space before it, a torso, a letter, a lone continuation byte, another torso at the end.
    _gives(adapter, monkeypatch, [*space, *kanji[:2], *a, *kanji[1:2], *a, *space, *kanji[:1]])
    assert "".join(adapter.transcribe(noise_of(1.0))) == "aa "


@pytest.mark.parametrize("chunk", [1, 6, 25, 59, 60, 61])
def test_chunks_sound_like_the_whole(adapter: Lfm2Audio, chunk: int) -> None:
    import torch

    codes = torch.randint(2048, (8, 60), generator=torch.Generator().manual_seed(chunk))
    stream = lfm2_stream.DetokenizerStream(adapter._detokenizer, chunk)
    pieces = [stream.push(frame) for frame in codes.T] + [stream.finish()]
    whole = adapter._processor.decode(codes[None])[0].numpy()
    assert max(len(p) for p in pieces) <= (chunk + 1) * 1920
    streamed = np.concatenate(pieces)
    assert streamed.shape == whole.shape == (60 * 1920,)
    assert np.abs(streamed - np.clip(whole, -1, 1)).max() < EXACT


def test_chunks_need_their_context(adapter: Lfm2Audio) -> None:
    """With one frame less the difference is there: the computed context is not too long."""
    import torch

    codes = torch.randint(2048, (8, 60), generator=torch.Generator().manual_seed(0))
    stream = lfm2_stream.DetokenizerStream(adapter._detokenizer, 6)
    # Two conv layers see 2 frames back, two attention layers 29; of six to a code.
    assert stream._context == math.ceil((2 * 2 + 2 * 29 + 3) / 6) == 11
    stream._context -= 1
    pieces = [stream.push(frame) for frame in codes.T] + [stream.finish()]
    whole = adapter._processor.decode(codes[None])[0].numpy()
    assert np.abs(np.concatenate(pieces) - np.clip(whole, -1, 1)).max() > 100 * EXACT


@pytest.mark.parametrize("chunk", [1, 6, 20])
def test_the_first_sound_comes_early(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None], chunk: int
) -> None:
    setting(chunk_frames=chunk)
    pieces = adapter.synthesize("Turn on the light.")
    first = next(pieces)
    assert len(recorded.tokens) == 1 + chunk  # <|audio_start|> and the frames of the chunk
    assert len(first.samples) == chunk * 1920 - 480
    rest = list(pieces)
    assert len(recorded.tokens) == 40
    assert len(said_of([first, *rest])) == 39 * 1920


def test_the_end_of_audio_is_not_audio(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [[(31 * i + j) % 2048 for j in range(8)] for i in range(9)]
    torso = [5, 2048, *frames[0][2:]]
    tokens: list[int | list[int]] = [128, *frames[:4], torso, *frames[4:], [2048] * 8, 7]
    _gives(adapter, monkeypatch, tokens)
    import torch

    whole = adapter._processor.decode(torch.tensor(frames).T[None])[0].numpy()
    assert np.abs(said_of(list(adapter.synthesize("hi"))) - whole).max() < EXACT
    (sound,) = [p.audio for p in adapter.reply([Turn("user", text="hi")]) if p.audio][1:]
    assert len(sound.samples) == 3 * 1920 + 480


def test_no_audio_at_all(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(adapter, monkeypatch, [128, [2048] * 8, 7])
    assert list(adapter.synthesize("hi")) == []
    assert list(adapter.reply([Turn("user", text="hi")])) == []


def test_nothing_to_say(adapter: Lfm2Audio, recorded: Recorded) -> None:
    assert len(said_of(list(adapter.synthesize(" \n")))) == 0
    assert recorded.calls == []
