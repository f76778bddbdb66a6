"""Which options PocketSphinx hears commands best with, on speech that no corpus of ours has.

    uv run python -m tools.pocketsphinx_options

speaks training sentences of `voice-commands` in training voices, and prints the WER and the RTF
under each choice. The catalogue's `pocketsphinx-commands` has the one with the fewest errors.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Mapping
from typing import Any

import jiwer

from adapters.engines.espeak import Espeak
from adapters.engines.pocketsphinx.adapter import PocketSphinx
from adapters.interface import Audio, LoadSpec
from fixtures.builtin import voice_commands
from tools.micro_whisper.synthesis import SAMPLE_RATE, speak

CHOICES: Mapping[str, Mapping[str, Any]] = {
    "the library's own": {},
    "no bestpath": {"bestpath": False},
    "no bestpath, wide beams": {"bestpath": False, "beam": 1e-60, "wbeam": 1e-40},
    "no bestpath, wide beams, 2 Gaussians": {
        "bestpath": False,
        "beam": 1e-60,
        "wbeam": 1e-40,
        "topn": 2,
    },
}


def main() -> None:
    """Print a line for each choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--utterances", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    texts, audios = _training_speech(options.utterances, options.seed)
    seconds = sum(audio.seconds for audio in audios)
    for name, choice in CHOICES.items():
        engine = PocketSphinx()
        engine.load(LoadSpec("builtin", options={"grammar": voice_commands.jsgf(), **choice}))
        start = time.process_time()
        heard = [engine.transcribe(audio).text for audio in audios]
        rtf = (time.process_time() - start) / seconds
        print(f"{name}: WER {100 * jiwer.wer(texts, heard):.2f} %, RTF {rtf:.3f}")


def _training_speech(count: int, seed: int) -> tuple[list[str], list[Audio]]:
    """Different sentences, categories in turn, each in a voice of its own."""
    rng = random.Random(seed)
    espeak = Espeak()
    espeak.load(LoadSpec("espeak-ng"))
    found: dict[str, Audio] = {}
    while len(found) < count:
        category = voice_commands.CATEGORIES[len(found) % len(voice_commands.CATEGORIES)]
        text = voice_commands.sentence(category, rng)
        if not voice_commands.is_trainable(text) or text.lower() in found:
            continue
        samples, _ = speak(espeak, text, *voice_commands.training_voice(rng))
        found[text.lower()] = Audio(samples, SAMPLE_RATE)
    return list(found), list(found.values())


if __name__ == "__main__":
    main()
