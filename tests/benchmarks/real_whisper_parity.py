"""Whisper tiny.en through three engines on human speech: where the texts differ, and by what.

    uv run --all-extras python tests/benchmarks/real_whisper_parity.py [--corpus MANIFEST]... [--kept FILE]

Hears each corpus as the catalogue decodes it, then with one difference between the engines taken
away after another: the temperature fallback with its thresholds, the timestamps, the padding.
Prints for each step the WER of each engine and how many texts are those of openai-whisper, then
every text that still differs in the last. Without --corpus: the speech in moonshine-voice's
wheel, in clauses. --kept: texts are kept in this file, and what is in it is not heard again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import jiwer

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.measures.text.normalizers import normalizer
from fixtures.corpora.corpus import Corpus, read_manifest
from tests.support.real_speech import write_clauses
from tests.support.real_whispers import ENTRIES, STEPS, entry, texts

#: Step to engine to the texts.
Heard: TypeAlias = dict[str, dict[str, list[str]]]
REFERENCE = next(iter(ENTRIES))


def hear(corpus: Corpus, kept: Heard) -> Heard:
    """What each engine hears in each step; `kept` is filled up with it."""
    sounds = [utterance.load() for utterance in corpus]
    for name, way in STEPS.items():
        for engine in ENTRIES:
            if engine not in kept.setdefault(name, {}):
                padded = [way.sound(samples) for samples in sounds]
                kept[name][engine] = texts(entry(engine), way.options(), padded)
    return kept


def apart(heard: Heard, step: str) -> dict[str, list[int]]:
    """Of each other engine, the places whose text is not the reference's."""
    expected = heard[step][REFERENCE]
    return {
        engine: [p for p, text in enumerate(own) if text != expected[p]]
        for engine, own in heard[step].items()
        if engine != REFERENCE
    }


def causes(heard: Heard) -> dict[str, Counter[str]]:
    """Of each other engine, how many differences go for good with which step.

    Those that the last step leaves are under "none".
    """
    names = [*STEPS]
    found: dict[str, Counter[str]] = {}
    for engine, places in apart(heard, names[0]).items():
        found[engine] = Counter()
        for place in places:
            still = [n for n in names if place in apart(heard, n)[engine]]
            after = names.index(still[-1]) + 1
            found[engine][names[after] if after < len(names) else "none"] += 1
    return found


def wer(corpus: Corpus, heard: Sequence[str]) -> float:
    """jiwer's, both sides normalized as OpenAI does for English."""
    normalize = normalizer("whisper-english")
    references = [normalize(utterance.text) for utterance in corpus]
    return float(jiwer.wer(references, [normalize(text) for text in heard]))


def report(corpus: Corpus, heard: Heard) -> None:
    """Print the tables of a corpus."""
    n = len(corpus)
    print(f"\n{corpus.name}: {n} utterances")
    print(f"{'':24}" + "".join(f"{engine:>18}" for engine in ENTRIES) + "   WER, same text")
    for step in STEPS:
        others = apart(heard, step)
        cells = []
        for engine in ENTRIES:
            same = f"{n - len(others[engine])}" if engine in others else "-"
            cells.append(f"{wer(corpus, heard[step][engine]):>10.1%} {same:>7}")
        print(f"{step:24}" + "".join(cells))
    for engine, counts in causes(heard).items():
        gone = ", ".join(f"{step}: {count}" for step, count in counts.items()) or "none"
        print(f"{engine}: differences that go with {gone}")
    last = [*STEPS][-1]
    places = sorted({place for found in apart(heard, last).values() for place in found})
    print(f"{last}: {n - len(places)} of {n} texts are the same in all engines")
    for place in places:
        print(f"  {corpus.utterances[place].id}: {corpus.utterances[place].text!r}")
        for engine in ENTRIES:
            print(f"    {engine:18}{heard[last][engine][place]!r}")


def main() -> None:
    """The tables of each corpus."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", action="append", type=Path)
    parser.add_argument("--kept", type=Path)
    arguments = parser.parse_args()
    kept = {}
    if arguments.kept is not None and arguments.kept.is_file():
        kept = json.loads(arguments.kept.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        for manifest in arguments.corpus or [write_clauses(Path(folder, "wheel"))]:
            corpus = read_manifest(manifest)
            own = kept.setdefault(corpus.name, {})
            hear(corpus, own)
            if arguments.kept is not None:
                arguments.kept.write_text(json.dumps(kept), encoding="utf-8")
            report(corpus, own)


if __name__ == "__main__":
    main()
