"""Japanese numbers in kanji; kana readings are other spellings, and are not known here."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_DIGITS = "〇一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "億", "兆")
_ZERO: Expression = ["ゼロ", "零", "〇"]


def cardinal(n: int) -> Expression:
    if n == 0:
        return _ZERO
    blocks: list[int] = []
    while n:
        n, block = divmod(n, 10_000)
        blocks.append(block)
    said: list[Expression] = []
    for place in range(len(blocks) - 1, -1, -1):
        if blocks[place]:
            said += [_block(blocks[place], place), _GROUPS[place]]
    return tuple(said)


def _block(n: int, group: int) -> Expression:
    digits = [int(d) for d in str(n)]
    said: list[Expression] = []
    for index, digit in enumerate(digits):
        place = len(digits) - index - 1
        if not digit:
            continue
        if digit == 1 and place:
            # A thousand before ten thousands has its one: 一千万.
            said.append(["千", "一千"] if place == 3 else _PLACES[place])
        else:
            said.append(_DIGITS[digit] + _PLACES[place])
    return tuple(said)


def _clock(hour: int, minute: int) -> Expression:
    here = (cardinal(hour), "時")
    near = (cardinal((hour - 1) % 12 + 1), "時")
    if not minute:
        return [here, (here, "ちょうど")]
    options: list[Expression] = [(here, cardinal(minute), [None, "分"])]
    if minute == 30:
        options.append(([here, near], "半"))
    return options


def _fraction(n: int, d: int) -> Expression:
    options: list[Expression] = [(cardinal(d), "分の", cardinal(n))]
    if (n, d) == (1, 2):
        options.append("半分")
    return options


GRAMMAR = Grammar(
    code="ja",
    cardinal=cardinal,
    ordinal=lambda n: ("第", cardinal(n)),
    digits=[["ゼロ", "零", "〇", "まる", "れい"], *_DIGITS[1:]],
    decimal=".",
    groups=",",
    point=["点", "てん"],
    minus=["マイナス"],
    plus=["プラス"],
    percent="パーセント",
    pairs=False,
    clock=_clock,
    currencies={
        "¥": ("円", None),
        "$": (["ドル"], ["セント"]),
        "€": (["ユーロ"], ["セント"]),
        "£": (["ポンド"], ["ペンス"]),
    },
    units={
        "°c": (["度", "摂氏"]),
        "°": "度",
        "km/h": ["キロ", "キロメートル毎時"],
        "km": ["キロメートル", "キロ"],
        "cm": ["センチメートル", "センチ"],
        "mm": ["ミリメートル", "ミリ"],
        "m": "メートル",
        "m²": ["平方メートル", "平米"],
        "kg": ["キログラム", "キロ"],
        "g": "グラム",
        "ml": ["ミリリットル"],
        "l": "リットル",
        "gb": ["ギガバイト", "ギガ"],
        "min": "分",
        "h": "時間",
    },
    symbols={
        "%": "パーセント",
        "&": ["アンド", "と"],
        "@": ["アットマーク"],
        "+": ["プラス", "足す", "たす"],
        "=": ["イコール", "は"],
        "<": ["小なり"],
        ">": ["大なり"],
        "×": ["かける"],
        "÷": ["割る"],
        "#": ["番号", "シャープ", "ナンバー"],
        "°": "度",
    },
    to=["から", "の", "ハイフン", "対"],
    fraction=_fraction,
    more_words="〇 零 一 二 三 四 五 六 七 八 九 十 百 千 万 億",
    ambiguous="一 千 万 第",
)
