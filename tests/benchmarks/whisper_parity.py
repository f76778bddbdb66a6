"""How far three engines agree on the same weights: the micro Whisper on `voice-commands`.

    uv run --all-extras python tests/benchmarks/whisper_parity.py

Prints, for audio as it is and padded with silence to 30 s, how many texts are those of
openai-whisper in float32 and how many are right, and every text that differs.
docs/whisper-parity.md explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.catalog.engine import EngineRef
from adapters.interface import Audio, LoadSpec
from adapters.worker.client import ModelProcess
from evals.models.corpus_synthesizer import synthesizer
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import DEFAULT, builtin_corpus
from fixtures.corpora.corpus import Corpus
from fixtures.fetch.cache import cache_dir
from fixtures.micro_whisper import expand

#: Engine to the format of its checkpoint.
FORMATS = {
    "openai_whisper": "openai",
    "transformers_asr": "transformers",
    "faster_whisper": "ctranslate2",
}
REFERENCE = "openai_whisper"
WINDOW = 30 * SAMPLE_RATE
_CUT = 1.5  # seconds: in the middle of a word, as a rule
#: Decoding as in the catalogue's entries of the micro models.
_OPTIONS = {"language": "en", "max_new_tokens": 60, "without_timestamps": True}


@dataclass(frozen=True)
class Way:
    """One way of hearing the corpus."""

    engine: str
    compute_type: str = "float32"
    padded: bool = True
    #: Only the first seconds of each utterance, so that speech ends abruptly.
    seconds: float | None = None

    def __str__(self) -> str:
        cut = f"first {self.seconds:g} s, " if self.seconds is not None else ""
        padding = "padded" if self.padded else "as it is"
        return f"{self.engine} {self.compute_type}, {cut}{padding}"


def corpus() -> Corpus:
    """The corpus that is compared on."""
    return builtin_corpus(DEFAULT, synthesizer)


def hear(way: Way, utterances: Corpus) -> list[str]:
    """The text of each utterance, from a worker process of its own on one thread."""
    checkpoint = str(expand(FORMATS[way.engine], cache_dir()))
    options = {
        **EngineRef(way.engine).adapter().options,
        **_OPTIONS,
        "compute_type": way.compute_type,
    }
    spec = LoadSpec(checkpoint, options=options)
    texts = []
    with TemporaryDirectory() as folder:
        process = ModelProcess(EngineRef(way.engine), spec, log=Path(folder) / "worker.log")
        process.load()
        try:
            for utterance in utterances:
                samples = utterance.load()
                if way.seconds is not None:
                    samples = samples[: round(way.seconds * SAMPLE_RATE)]
                if way.padded:
                    samples = np.pad(samples, (0, WINDOW - len(samples)))
                texts.append(process.transcribe(Audio(samples, SAMPLE_RATE)).result.text)
        finally:
            process.close()
    return texts


def hear_all(ways: Sequence[Way], utterances: Corpus) -> dict[Way, list[str]]:
    """All of them, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        heard = pool.map(lambda way: hear(way, utterances), ways)
        return dict(zip(ways, heard, strict=True))


def differing(texts: Iterable[str], others: Iterable[str]) -> list[int]:
    """The places of the utterances whose texts differ."""
    pairs = zip(texts, others, strict=True)
    return [place for place, (text, other) in enumerate(pairs) if text != other]


def main() -> None:
    """Print the table, then each difference."""
    utterances = corpus()
    said = [utterance.text for utterance in utterances]
    ways = [Way(engine, padded=padded) for padded in (True, False) for engine in FORMATS]
    ways += [Way("faster_whisper", "int8", padded) for padded in (True, False)]
    cut = [
        Way(engine, padded=padded, seconds=_CUT) for padded in (True, False) for engine in FORMATS
    ]
    heard = hear_all([*ways, *cut], utterances)
    width = max(len(str(way)) for way in heard) + 2
    print(f"{len(said)} utterances of {DEFAULT}; how many texts are")
    print(f"{'':{width}}{'as ' + REFERENCE:>18}{'as padded':>11}{'right':>7}")
    for way, texts in heard.items():
        same = differing(texts, heard[replace(way, engine=REFERENCE, compute_type="float32")])
        when_padded = differing(texts, heard[replace(way, padded=True)])
        wrong = differing(texts, said)
        counts = (len(said) - len(places) for places in (same, when_padded, wrong))
        print(f"{way!s:{width}}" + "{:>18}{:>11}{:>7}".format(*counts))
    for group in (ways, cut):
        _print_differences(utterances, {way: heard[way] for way in group}, width)


def _print_differences(utterances: Corpus, heard: dict[Way, list[str]], width: int) -> None:
    """Each text that is not the one of the first way."""
    (first, expected), *others = heard.items()
    for place, utterance in enumerate(utterances):
        apart = {way: texts[place] for way, texts in others if texts[place] != expected[place]}
        if apart:
            print(f"\n{utterance.id}: {utterance.text!r}")
            for way, text in {first: expected[place], **apart}.items():
                print(f"  {way!s:{width}}{text!r}")


if __name__ == "__main__":
    main()
