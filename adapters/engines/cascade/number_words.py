"""Numbers and places in a row as people say them."""

from __future__ import annotations

import re

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = ("first", "second", "third", "fourth", "fifth")


def value_of(words: str) -> int:
    """The number that is said: digits, or words up to a hundred."""
    if words.isdecimal():
        return int(words)
    total = 0
    for word in words.split():
        if word == "hundred":
            total = 100
        elif word in TENS:
            total += 10 * (TENS.index(word) + 2)
        else:
            total += ONES.index(word)
    return total


def spelled(number: int) -> str:
    """The number as it is said, so that no synthesizer has to read digits."""
    if number < len(ONES):
        return ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")
    return "one hundred" if number == 100 else str(number)


def place_of(which: str) -> int:
    """The place, from 0, that "the second one", "the first timer" or "timer two" means."""
    words = which.split()
    for word in words:
        if word in ORDINALS:
            return ORDINALS.index(word)
    return value_of(" ".join(words[1:])) - 1


def time_in_words(said: str) -> str:
    """A time of day with its digits as they are said: "6 30", "630" and "six thirty" are one."""
    return re.sub(r"\b(\d{1,2}?)(?: ?(\d\d))?\b", _clock, said)


def _clock(time: re.Match[str]) -> str:
    minutes = int(time[2] or 0)
    return spelled(int(time[1])) + (f" {spelled(minutes)}" if minutes else "")


def digit_by_digit(said: str) -> str:
    """Digits in words, each by itself: "55 39" is "five five three nine"."""
    return " ".join(
        word
        for part in said.split()
        for word in ([ONES[int(digit)] for digit in part] if part.isdecimal() else [part])
    )
