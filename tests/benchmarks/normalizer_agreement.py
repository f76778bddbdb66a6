"""`whisper-english` against OpenAI's own normalizer, on sentences made to tempt them apart.

    uv run --extra whisper python tests/benchmarks/normalizer_agreement.py [--n N] [--seed SEED]

Ours is that of the package whisper-normalizer, which needs no torch; published word
error rates are of the one in openai-whisper. Prints how many sentences of each kind
there were, on how many the two differ, and each difference. Spaces around a text
are not a difference: OpenAI's leaves them, no score sees them.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.measures.text.normalizers import Normalizer, normalizer

N = 1_000
SEED = 4
#: Words that one of them expands and the other leaves alone: none since evals.measures.text.normalizers takes
#: out the four that whisper-normalizer 0.1.15 has beyond openai-whisper 20250625.
KNOWN: frozenset[str] = frozenset()


def _words(text: str) -> list[str]:
    return text.split()


_ONES = _words("one two three four five six seven eight nine")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = _words("first second third fourth fifth eighth ninth twelfth twentieth thirtieth")
_MONTHS = _words("January February March April May June July August October December")
_NAMES = _words("Smith O'Neill García Müller Jones D'Arcy MacDonald Nguyễn Łukasz Zoë")
_BRITISH = _words(
    "accessorise amphitheatres catalogued chequebooks colourfully counsellor favourite grey "
    "honours manoeuvre moulds odourless ploughs pyjamas realise storeys sulphide theatre tyres"
)
_TITLES = _words(
    "Mr. Mrs. Ms. Dr. Prof. Capt. Gov. Gen. Sen. Rep. Pres. Rev. Hon. Asst. Lt. Col. St. mr dr st"
)
_CONTRACTIONS = _words(
    "won't can't let's ain't y'all wanna gotta gonna i'ma imma woulda coulda shoulda ma'am "
    "don't isn't we're it's he'd they'll y'know I've I'm 'tis o'clock that'd she's rock'n'roll"
)
_SHORT = _words("etc. e.g. i.e. vs. a.m. P.M. U.S.A. Ph.D. Inc. Ltd. Ave. approx. No. Jr. Sr. Esq.")
_COLLOQUIAL = _words("kinda sorta dunno cause 'cause because lemme gimme outta lotta cuz till")
_UNITS = _words("dollars dollar cents pounds pound euros euro pence yen rupees")
_FILLERS = _words("hmm mm mhm mmm uh um er ah Uh-huh Um, Hmm... uhm")


@dataclass(frozen=True)
class Sentence:
    """What is tried, and the kind of trouble it was made of."""

    of: str
    text: str


@dataclass(frozen=True)
class Difference:
    """A sentence that the two normalize to different texts."""

    sentence: Sentence
    ours: str
    theirs: str

    @property
    def is_unknown(self) -> bool:
        return kind(self.sentence) not in KNOWN


def _below_thousand(rng: random.Random) -> str:
    tens = rng.choice(["", *_TEENS, *(f"{t}{s}{o}" for t in _TENS for s in " -" for o in _ONES)])
    hundred = f"{rng.choice([*_ONES, 'a'])} hundred{rng.choice(['', ' and'])}"
    return rng.choice([tens or rng.choice(_ONES), f"{hundred} {tens}".strip(), hundred])


def _spelled(rng: random.Random) -> str:
    big = rng.choice(["thousand", "million", "billion"])
    pair = f"{rng.choice(_TENS)} {rng.choice(_ONES)}"
    return rng.choice(
        [
            _below_thousand(rng),
            f"{_below_thousand(rng)} {big} {_below_thousand(rng)}",
            f"{rng.choice(_ONES)} point {rng.choice(_ONES)} {rng.choice(_ONES)}",
            f"{rng.choice(['minus', 'negative', 'plus', ''])} {pair}",
            f"{rng.choice(['double', 'triple'])} {rng.choice([*_ONES, 'oh', 'zero'])} {rng.choice(_ONES)}",
            f"{rng.choice(_TEENS)} {rng.choice([pair, 'oh ' + rng.choice(_ONES), 'hundred'])}",
            f"{rng.choice(_ONES)} oh {rng.choice(_ONES)}",
            f"{rng.choice(_ONES)} and a half",
            f"{rng.randrange(1, 99)} {big}",
            f"a {rng.choice(['dozen', 'couple of', 'thousand', 'few hundred'])}",
        ]
    )


def _digits(rng: random.Random) -> str:
    n = rng.choice([rng.randrange(10), rng.randrange(1000), rng.randrange(10**7)])
    return rng.choice(
        [str(n), f"{n:,}", f"{n / 100:.2f}", f"{n:,}.5", f"-{n}", f"0{n}", f"{n}.", f"{n}s"]
    )


def _money(rng: random.Random) -> str:
    n, word = _digits(rng), _spelled(rng)
    unit = rng.choice(_UNITS)
    return rng.choice(
        [
            f"{rng.choice('$£€¢¥')}{n}",
            f"{n} {unit}",
            f"{word} {unit}",
            f"{word} {unit} and {_below_thousand(rng)} cents",
            f"{rng.choice('$£€')}{rng.randrange(1, 90)} {rng.choice(['million', 'thousand', 'bn', 'k'])}",
            f"{n}{rng.choice('¢€$')}",
            f"${rng.randrange(99)} and {rng.randrange(99)} cents",
        ]
    )


def _percentage(rng: random.Random) -> str:
    return rng.choice(
        [
            f"{_digits(rng)}%",
            f"{_spelled(rng)} {rng.choice(['percent', 'per cent', '%'])}",
            f"{_digits(rng)} percent",
        ]
    )


def _ordinal(rng: random.Random) -> str:
    n = rng.randrange(1, 1000)
    return rng.choice(
        [
            rng.choice(_ORDINALS),
            f"{rng.choice(_TENS)}-{rng.choice(_ORDINALS[:6])}",
            f"{rng.choice(_TENS)} {rng.choice(_ORDINALS[:6])}",
            f"{n}{rng.choice(['st', 'nd', 'rd', 'th'])}",
            f"{rng.choice(_ONES)} hundred and {rng.choice(_ORDINALS)}",
            f"{rng.choice(_ORDINALS)}s",
        ]
    )


def _fraction(rng: random.Random) -> str:
    low = rng.choice(["half", "thirds", "quarter", "quarters", "fifths", "tenths", "hundredths"])
    return rng.choice(
        [
            f"{rng.choice(_ONES)} {low}",
            f"a {low}",
            f"{rng.randrange(9)}/{rng.randrange(1, 9)}",
            f"{rng.randrange(9)} {rng.choice('½¼¾⅓⅔')}",
            f"{rng.choice(_ONES)} and {rng.choice(_ONES)} {low}",
            f"{rng.randrange(99)} and a half",
        ]
    )


def _time(rng: random.Random) -> str:
    hour, minute = rng.randrange(24), rng.randrange(60)
    return rng.choice(
        [
            f"{hour}:{minute:02}",
            f"{hour}.{minute:02} {rng.choice(['am', 'a.m.', 'PM', 'p.m.'])}",
            f"{rng.choice(_ONES)} {rng.choice(_TENS[:4])} {rng.choice(['am', 'p.m.'])}",
            f"{rng.choice(_ONES)} o'clock",
            f"half past {rng.choice(_ONES)}",
            f"a quarter to {rng.choice(_ONES)}",
            f"{rng.choice(_ONES)} oh {rng.choice(_ONES)}",
        ]
    )


def _date(rng: random.Random) -> str:
    month, day, year = rng.choice(_MONTHS), rng.randrange(1, 32), rng.randrange(1700, 2040)
    return rng.choice(
        [
            f"{month} {day}, {year}",
            f"the {day}{rng.choice(['st', 'nd', 'rd', 'th'])} of {month}",
            f"{day}/{rng.randrange(1, 13)}/{year}",
            f"{year}-{rng.randrange(1, 13):02}-{day:02}",
            f"{month} {_ordinal(rng)}, {rng.choice(['nineteen', 'twenty'])} {rng.choice(_TENS)} {rng.choice(_ONES)}",
            f"two thousand and {rng.choice(_ONES)}",
            f"the {rng.choice(['1990s', 'nineties', 'twenties', '90s', 'nineteen sixties'])}",
        ]
    )


def _marked(rng: random.Random) -> str:
    inside = rng.choice(["laughs", "noise 5", "they don't", "two"])
    return rng.choice(
        [f"[{inside}]", f"({inside})", f"<{inside}>", f"({inside}", f"{inside}]", f"[({inside})]"]
    )


_KINDS: Mapping[str, Callable[[random.Random], str]] = {
    "numbers in words": _spelled,
    "numbers in digits": _digits,
    "currency": _money,
    "percentages": _percentage,
    "ordinals": _ordinal,
    "fractions": _fraction,
    "times": _time,
    "dates": _date,
    "contractions": lambda rng: rng.choice(_CONTRACTIONS),
    "perfect tenses": lambda rng: (
        f"{rng.choice(_NAMES)}'{rng.choice(['d', 's'])} {rng.choice(['been', 'gone', 'done', 'got'])}"
    ),
    "abbreviations": lambda rng: rng.choice(_SHORT),
    "titles": lambda rng: f"{rng.choice(_TITLES)} {rng.choice(_NAMES)}",
    "British spellings": lambda rng: rng.choice(_BRITISH),
    "colloquial": lambda rng: rng.choice(_COLLOQUIAL),
    "fillers": lambda rng: rng.choice(_FILLERS),
    "brackets": _marked,
}
_FRAMES = (
    "{} is what {} said about {}.",
    "Well, {}: {}, and {}!",
    "{}, {} - {}",
    "Is it {} or {}, or {}?",
    "the {} of the {} cost {}",
    "“{}” {} '{}'",
    "{} {} {}",
)


def sentences(n: int = N, seed: int = SEED) -> Sequence[Sentence]:
    """n sentences, each kind as often as the others and beside two more of any kind."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        of = [*_KINDS][i % len(_KINDS)]
        parts = [_KINDS[of](rng), *(_KINDS[rng.choice([*_KINDS])](rng) for _ in range(2))]
        rng.shuffle(parts)
        text = rng.choice(_FRAMES).format(*parts)
        made.append(Sentence(of, rng.choice([text, text, text.upper(), text.capitalize()])))
    return made


def differences(tried: Sequence[Sentence]) -> Sequence[Difference]:
    """Those on which the two do not agree."""
    ours, theirs = normalizer("whisper-english"), openai()
    pairs = ((s, ours(s.text), theirs(s.text)) for s in tried)
    return [Difference(s, own, other) for s, own, other in pairs if own != other]


def kind(sentence: Sentence) -> str:
    """The known word that is all that keeps the two apart, else the sentence itself.

    Of several known words in a sentence the first.
    """
    if not KNOWN:
        return sentence.text
    words: list[str] = re.findall(
        r"\b(?:" + "|".join(sorted(KNOWN)) + r")\b", sentence.text.lower()
    )
    without = re.sub("|".join(sorted(KNOWN)), "plum", sentence.text, flags=re.IGNORECASE)
    if words and not differences([Sentence(sentence.of, without)]):
        return words[0]
    return sentence.text


@cache
def openai() -> Normalizer:
    """OpenAI's own, without the spaces that it may leave around a text.

    Loaded without the package around it, which imports torch.
    """
    package = importlib.util.find_spec("whisper")
    if package is None or package.origin is None:
        raise SystemExit("openai-whisper is not installed. Run: uv run --extra whisper ...")
    source = Path(package.origin).with_name("normalizers") / "__init__.py"
    spec = importlib.util.spec_from_file_location("openais_normalizers", source)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["openais_normalizers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    normalize: Normalizer = module.EnglishTextNormalizer()
    return lambda text: normalize(text).strip()


def main() -> None:
    """Print the table, then each difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=N)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    tried = sentences(arguments.n, arguments.seed)
    found = differences(tried)
    counts, apart = Counter(s.of for s in tried), Counter(d.sentence.of for d in found)
    print(f"{'made of':20}{'sentences':>10}{'differ':>8}")
    for of, count in counts.items():
        print(f"{of:20}{count:>10,}{apart[of]:>8,}")
    print(f"{'all':20}{len(tried):>10,}{len(found):>8,}")
    changed = sum(openai()(s.text) != s.text for s in tried)
    print(f"{changed:,} of {len(tried):,} are not already as OpenAI's normalizer leaves them")
    for name, count in Counter(kind(d.sentence) for d in found).most_common():
        print(f"  {count:4,}  {'by the word ' + repr(name) if name in KNOWN else name}")
    for difference in found:
        print(f"\n{difference.sentence.text!r}")
        print(f"  whisper-english  {difference.ours!r}")
        print(f"  openai-whisper   {difference.theirs!r}")


if __name__ == "__main__":
    main()
