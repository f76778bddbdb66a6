"""Training data: espeak-ng speech as raw log-mel frames with word times, cached on disk."""

from __future__ import annotations

import json
import multiprocessing
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.builtin import voice_commands

SAMPLE_RATE = 16000
FRAMES_PER_SECOND = 100
FLOOR = -10.0  # log10 of the smallest mel power Whisper tells from nothing
_NO_SPEECH_SHARE = 0.03
_TAIL = 400  # samples of silence, so that the last frames fade out as they do before padding
_DATA_VERSION = 2

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """One utterance: raw log10 mel power (frames, 80), and its words with times in seconds."""

    mel: NDArray[np.float16]
    words: NDArray[np.int16]
    starts: Floats
    ends: Floats


class Dataset:
    """Shards written by `synthesize`, read through memory maps."""

    def __init__(self, folders: list[Path]) -> None:
        self._shards: list[tuple[Any, dict[str, NDArray[Any]]]] = []
        self._index: list[tuple[int, int]] = []
        lengths: list[NDArray[np.int64]] = []
        for number, folder in enumerate(folders):
            with np.load(folder / "rows.npz", allow_pickle=False) as rows:
                table = {name: rows[name] for name in rows.files}
            self._shards.append((np.load(folder / "mels.npy", mmap_mode="r"), table))
            lengths.append(np.diff(table["frames"]))
            self._index += [(number, row) for row in range(len(lengths[-1]))]
        self.lengths = np.concatenate(lengths)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Example:
        shard, row = self._index[index]
        mels, table = self._shards[shard]
        begin, end = table["frames"][row : row + 2]
        first, last = table["words"][row : row + 2]
        return Example(
            mels[begin:end],
            table["ids"][first:last],
            table["starts"][first:last],
            table["ends"][first:last],
        )


def raw_log_mel(samples: Floats) -> Floats:
    """log10 mel power (frames, 80) of 16 kHz audio, before Whisper's clamp and scaling."""
    import torch
    from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

    window = torch.hann_window(N_FFT)
    stft = torch.stft(
        torch.from_numpy(samples), N_FFT, HOP_LENGTH, window=window, return_complex=True
    )
    power = mel_filters("cpu", 80) @ (stft[:, :-1].abs() ** 2)
    mel: Floats = torch.clamp(power, min=1e-10).log10().T.contiguous().numpy()
    return mel


def no_speech(generator: np.random.Generator) -> Floats:
    """Silence, noise, tones, chords, hum or clicks: 0.3 to 6 s of what must give no words."""
    count = int(generator.uniform(0.3, 6.0) * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    kind = generator.choice(["silence", "noise", "tone", "chord", "hum", "clicks"])
    sound = np.zeros(count)
    if kind == "noise":
        spectrum = np.fft.rfft(generator.standard_normal(count))
        slope = generator.uniform(0.0, 1.0)
        spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** slope
        sound = np.fft.irfft(spectrum, count)
    elif kind == "tone":
        sound = np.sin(2 * np.pi * generator.uniform(60, 6000) * time)
    elif kind == "chord":
        # Notes change every 0.2 to 0.6 s, each with a few decaying harmonics.
        begin = 0
        while begin < count:
            end = min(count, begin + int(generator.uniform(0.2, 0.6) * SAMPLE_RATE))
            local = time[: end - begin]
            root = generator.uniform(110, 880)
            for ratio in generator.choice([1.0, 1.26, 1.5, 2.0, 0.5], size=3, replace=False):
                for harmonic in range(1, 4):
                    wave = np.sin(2 * np.pi * root * ratio * harmonic * local)
                    sound[begin:end] += wave * np.exp(-3 * local) / harmonic
            begin = end
    elif kind == "hum":
        for harmonic in range(1, 8):
            frequency = generator.choice([50.0, 60.0]) * harmonic
            sound += np.sin(2 * np.pi * frequency * time) * generator.uniform(0, 1) / harmonic
    elif kind == "clicks":
        places = generator.integers(0, count, size=int(generator.integers(1, 12)))
        sound[places] = generator.uniform(-1, 1, size=len(places))
        sound = np.convolve(sound, np.exp(-np.arange(80) / generator.uniform(2, 30)), "same")
    peak = float(np.abs(sound).max())
    if peak > 0:
        sound = sound / peak * 10 ** (generator.uniform(-45, -2) / 20)
    if generator.random() < 0.5 and kind != "silence":
        sound += generator.standard_normal(count) * 10 ** (generator.uniform(-80, -45) / 20)
    return sound.astype(np.float32)


def speak(engine: Any, text: str, voice: str, rate: int, pitch: int) -> tuple[Floats, Any]:
    """16 kHz samples of `text` and the word times that espeak-ng reports."""
    import soxr

    speech = engine.synthesize(text, {"voice": voice, "rate": rate, "pitch": pitch})
    samples = soxr.resample(
        speech.audio.samples, speech.audio.sample_rate, SAMPLE_RATE, quality="HQ"
    )
    return np.asarray(samples, np.float32), speech.words


def synthesize(folder: Path, utterances: int, seed: int, processes: int = 2) -> Dataset:
    """The training set of `utterances` rows, made by `processes` or read from `folder`."""
    jobs = []
    for part in range(processes):
        name = f"v{_DATA_VERSION}-seed{seed}-n{utterances}-{part}of{processes}"
        jobs.append((folder / name, range(part, utterances, processes), seed))
    missing = [job for job in jobs if not (job[0] / "done.json").exists()]
    if missing:
        # spawn: the library's state must be fresh in each process
        with multiprocessing.get_context("spawn").Pool(len(missing)) as pool:
            pool.starmap(_write_shard, missing, chunksize=1)
    return Dataset([job[0] for job in jobs])


def _write_shard(folder: Path, indices: range, seed: int) -> None:
    import torch

    from adapters.engines.espeak import Espeak
    from adapters.interface import LoadSpec

    torch.set_num_threads(1)
    engine = Espeak()
    engine.load(LoadSpec("espeak-ng"))
    folder.mkdir(parents=True, exist_ok=True)
    ids = {word: number for number, word in enumerate(voice_commands.words())}
    mels: list[NDArray[np.float16]] = []
    rows: list[tuple[list[int], list[float], list[float]]] = []
    for index in indices:
        rng = random.Random(f"{seed}-{index}")
        words: list[int] = []
        starts: list[float] = []
        ends: list[float] = []
        if rng.random() < _NO_SPEECH_SHARE:
            samples = no_speech(np.random.default_rng([seed, index]))
        else:
            text = voice_commands.training_sentence(rng)
            samples, times = speak(engine, text, *voice_commands.training_voice(rng))
            for time in times:
                words.append(ids[time.text])
                starts.append(time.start)
                ends.append(time.end)
            samples = np.pad(samples, (0, _TAIL))
        mels.append(raw_log_mel(samples).astype(np.float16))
        rows.append((words, starts, ends))
    np.save(folder / "mels.npy", np.concatenate(mels))
    np.savez(
        folder / "rows.npz",
        frames=np.cumsum([0, *(len(mel) for mel in mels)]),
        words=np.cumsum([0, *(len(row[0]) for row in rows)]),
        ids=np.array([word for row in rows for word in row[0]], np.int16),
        starts=np.array([time for row in rows for time in row[1]], np.float32),
        ends=np.array([time for row in rows for time in row[2]], np.float32),
    )
    (folder / "done.json").write_text(json.dumps({"rows": len(rows)}))
