"""What the packed micro Whisper hears of the built-in corpus, and of what is no speech.

python -m tools.micro_whisper.evaluation --cache .cache/micro-whisper
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fixtures import micro_whisper
from fixtures.builtin import voice_commands
from fixtures.builtin.voice_commands import PlannedUtterance
from tools.micro_whisper.synthesis import SAMPLE_RATE, Floats, no_speech, speak

_ACCENTS = ("en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us+Annie", "en-us+Michael")
_WINDOW = 30 * SAMPLE_RATE
Hear = Callable[[Floats], str]


def evaluate(weights: Path, cache: Path, utterances: int = 240) -> dict[str, Any]:
    """Figures of the packed weights on `plan(utterances)`, by engine.

    Rates are corpus rates in [0, 1]. `same_text` counts utterances on which two engines
    give equal raw texts when the waveform is padded to 30 s.
    """
    rows = voice_commands.plan(utterances)
    audio = corpus_audio(rows)
    padded = [_padded(samples) for samples in audio]
    float32 = faster_whisper(weights, cache, "float32")
    engines = {
        "faster-whisper float32": (float32, audio),
        "faster-whisper float32, padded": (float32, padded),
        "faster-whisper int8, padded": (faster_whisper(weights, cache, "int8"), padded),
        "openai-whisper, padded": (openai_whisper(weights, cache), padded),
        "faster-whisper float32, noise at 20 dB": (float32, _noisy(audio, 20.0)),
    }
    result: dict[str, Any] = {"utterances": utterances}
    heard: dict[str, list[str]] = {}
    seconds = sum(map(len, audio)) / SAMPLE_RATE
    for name, (hear, clips) in engines.items():
        began = time.perf_counter()
        heard[name] = [hear(samples) for samples in clips]
        took = time.perf_counter() - began
        result[name] = {**rates(rows, heard[name]), "rtf": round(took / seconds, 4)}
    reference = heard["openai-whisper, padded"]
    result["same_text"] = {
        name: sum(a == b for a, b in zip(reference, texts, strict=True))
        for name, texts in heard.items()
        if name.endswith("padded")
    }
    for name, others in (("random words", _random_words(rows)), ("other accents", _accents(rows))):
        texts = [float32(samples) for samples in corpus_audio(others)]
        result[f"faster-whisper float32, {name}"] = {"wer": rates(others, texts)["wer"]}
    rest = [no_speech(np.random.default_rng([987, index])) for index in range(60)]
    texts = [float32(samples) for samples in rest]
    result["no_speech"] = {
        "clips": len(rest),
        "empty": texts.count(""),
        "heard": sorted(set(texts)),
    }
    return result


def corpus_audio(rows: list[PlannedUtterance]) -> list[Floats]:
    """The corpus spoken, 16 kHz."""
    from adapters.engines.espeak import Espeak
    from adapters.interface import LoadSpec

    engine = Espeak()
    engine.load(LoadSpec("espeak-ng"))
    return [speak(engine, row.text, row.voice, row.rate, row.pitch)[0] for row in rows]


def faster_whisper(weights: Path, cache: Path, compute_type: str) -> Hear:
    """faster-whisper with bounded greedy decoding, one thread."""
    from faster_whisper import WhisperModel

    folder = micro_whisper.expand("ctranslate2", cache, weights)
    model = WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=1)

    def hear(samples: Floats) -> str:
        segments, _ = model.transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            suppress_blank=False,
            max_new_tokens=60,
        )
        return "".join(segment.text for segment in segments).strip()

    return hear


def openai_whisper(weights: Path, cache: Path) -> Hear:
    """openai-whisper with the same decoding."""
    import whisper

    model = whisper.load_model(str(micro_whisper.expand("openai", cache, weights)), device="cpu")

    def hear(samples: Floats) -> str:
        result = model.transcribe(
            samples,
            language="en",
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            suppress_blank=False,
            sample_len=60,
            fp16=False,
        )
        return str(result["text"]).strip()

    return hear


def rates(rows: list[PlannedUtterance], heard: list[str]) -> dict[str, Any]:
    """Corpus WER, raw (lower case) and normalized as Whisper does, and WER by category."""
    import jiwer
    from whisper.normalizers import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
    references = [row.text.lower() for row in rows]
    texts = [text.lower() for text in heard]
    by_category = {}
    for category in sorted({row.category for row in rows}):
        places = [place for place, row in enumerate(rows) if row.category == category]
        chosen = ([references[place] for place in places], [texts[place] for place in places])
        by_category[category] = round(float(jiwer.wer(*chosen)), 4)
    normalized = ([normalize(text) for text in references], [normalize(text) for text in texts])
    return {
        "wer": round(float(jiwer.wer(references, texts)), 4),
        "wer_normalized": round(float(jiwer.wer(*normalized)), 4),
        "wrong_utterances": sum(a != b for a, b in zip(references, texts, strict=True)),
        "wer_by_category": by_category,
    }


def _random_words(rows: list[PlannedUtterance]) -> list[PlannedUtterance]:
    """The same voices, saying three to eight random words: no grammar helps."""
    rng = random.Random(11)
    drawable = [word for word in voice_commands.words() if word not in ("to", "for")]
    texts = [" ".join(rng.choices(drawable, k=rng.randint(3, 8))) for _ in rows]
    return [
        replace(row, text=text, category="random") for row, text in zip(rows, texts, strict=True)
    ]


def _accents(rows: list[PlannedUtterance]) -> list[PlannedUtterance]:
    """The same sentences in voices of other kinds than the trained ones."""
    return [replace(row, voice=_ACCENTS[place % len(_ACCENTS)]) for place, row in enumerate(rows)]


def _padded(samples: Floats) -> Floats:
    return np.pad(samples, (0, _WINDOW - len(samples)))


def _noisy(clips: list[Floats], decibels: float) -> list[Floats]:
    generator = np.random.default_rng(20)
    noisy = []
    for samples in clips:
        level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-decibels / 20)
        noise = generator.standard_normal(len(samples)).astype(np.float32) * np.float32(level)
        noisy.append(samples + noise)
    return noisy


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate the packed micro Whisper.")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--utterances", type=int, default=240)
    parser.add_argument("--weights", type=Path, default=micro_whisper.WEIGHTS)
    options = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    print(json.dumps(evaluate(options.weights, options.cache, options.utterances), indent=1))


if __name__ == "__main__":
    main()
