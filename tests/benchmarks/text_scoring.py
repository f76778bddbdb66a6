"""How long the default scoring takes beside Whisper's normalizer and jiwer alone.

    uv run python tests/benchmarks/text_scoring.py [utterances]

Prints the seconds of the CPU for the same made-up English utterances, of which one in twelve
holds a number in digits and half were heard right, and their ratio; it is to stay below 1.3.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from evals.measures.text.scoring import Scoring

_COMMON = (
    "the of and to a in is you that it he was for on are with as his they at be this have from or "
    "one had by word but not what all were we when your can said there use an each which she do "
    "how their if will up other about out many then them these so some her would make like him "
    "into time has look two more write go see number no way could people my than first water"
)
COMMON = _COMMON.split()
RARE = [f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(8000)]


def utterances(count: int, chance: random.Random) -> list[tuple[str, str]]:
    """References as people write them, and hypotheses in lower case without marks."""
    pairs = []
    for _ in range(count):
        words = [
            chance.choice(COMMON) if chance.random() < 0.6 else chance.choice(RARE)
            for _ in range(chance.randrange(4, 22))
        ]
        if chance.random() < 1 / 12:
            words[-1] = str(chance.randrange(3000))
        if chance.random() < 0.1:
            words.insert(1, chance.choice(["don't", "it's", "we're"]))
        said = " ".join(words)
        if chance.random() < 0.5:
            words[chance.randrange(len(words))] = chance.choice(RARE)
            if chance.random() < 0.3:
                words.pop(chance.randrange(len(words)))
        pairs.append((said[0].upper() + said[1:] + ".", " ".join(words)))
    return pairs


def seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    pairs = utterances(count, random.Random(0))
    normalize = EnglishTextNormalizer()
    scoring = Scoring("en")
    scoring.score("five", "5")

    def alone() -> None:
        said = [normalize(a) or "-" for a, _ in pairs]
        jiwer.process_words(said, [normalize(b) or "-" for _, b in pairs])

    def ours() -> None:
        for said, heard in pairs:
            scored = scoring.score(said, heard)
            _ = scored.hits, scored.errors, scored.characters

    theirs, own = seconds(alone), seconds(ours)
    print(f"{count} utterances: whisper-normalizer and jiwer {theirs:.1f} s, default {own:.1f} s")
    print(f"ratio {own / theirs:.2f}")


if __name__ == "__main__":
    main()
