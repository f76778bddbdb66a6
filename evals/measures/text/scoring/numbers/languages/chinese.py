"""Chinese numbers, in simplified and traditional characters."""

from __future__ import annotations

from evals.measures.text.scoring.lattices.lattice import Expression
from evals.measures.text.scoring.numbers.grammar import Grammar

_DIGITS = "零一二三四五六七八九"
_ZERO: Expression = ["零", "〇"]
_TWO: Expression = ["二", "两", "兩"]
_PLACES = ("", "十", "百", "千")
_GROUPS: tuple[Expression, ...] = (None, ["万", "萬"], ["亿", "億"], "兆")


def cardinal(n: int) -> Expression:
    if n == 0:
        return _ZERO
    blocks: list[int] = []
    while n:
        n, block = divmod(n, 10_000)
        blocks.append(block)
    said: list[Expression] = []
    gap = False
    for place in range(len(blocks) - 1, -1, -1):
        block = blocks[place]
        if not block:
            gap = gap or bool(said)
            continue
        if said and (gap or block < 1000):
            said.append(_ZERO)
        said += [_block(block, first=not said), _GROUPS[place]]
        gap = False
    return tuple(said)


def _block(n: int, *, first: bool) -> Expression:
    """A number of up to four digits."""
    digits = [int(d) for d in str(n)]
    said: list[Expression] = []
    gap = False
    for index, digit in enumerate(digits):
        place = len(digits) - index - 1
        if not digit:
            gap = bool(said)
            continue
        if gap:
            said.append(_ZERO)
            gap = False
        if digit == 1 and place == 1 and not said:
            said.append("十" if first else ["一十", "十"])
        elif digit == 2 and place != 1:
            said += [_TWO, _PLACES[place] or None]
        else:
            said.append(_DIGITS[digit] + _PLACES[place])
    return tuple(said)


def _clock(hour: int, minute: int) -> Expression:
    sign: Expression = ["点", "點", "时", "時"]
    here = (cardinal(hour), sign)
    near = (cardinal((hour - 1) % 12 + 1), sign)
    if not minute:
        return [here, (here, ["整", "钟", "鐘"])]
    minutes: Expression = cardinal(minute)
    if minute < 10:
        minutes = [(_ZERO, minutes), minutes]
    options: list[Expression] = [(here, minutes, [None, "分"])]
    if minute == 30:
        options.append(([here, near], "半"))
    elif minute in (15, 45):
        options.append(([here, near], "一刻" if minute == 15 else "三刻"))
    return options


def _fraction(n: int, d: int) -> Expression:
    options: list[Expression] = [(cardinal(d), "分之", cardinal(n))]
    if (n, d) == (1, 2):
        options += ["一半", "半"]
    return options


GRAMMAR = Grammar(
    code="zh",
    cardinal=cardinal,
    ordinal=lambda n: ("第", cardinal(n)),
    digits=[["零", "〇", "洞"], ["一", "幺"], _TWO, *_DIGITS[3:]],
    decimal=".",
    groups=",",
    point=["点", "點"],
    minus=["负", "負", "零下", "减", "減"],
    plus=["加", "正"],
    percent=["百分之"],
    percent_first=True,
    pairs=False,
    clock=_clock,
    currencies={
        "¥": (["元", "块", "塊", "块钱", "塊錢", "圆", "人民币", "元人民币"], None),
        "$": (["美元", "美金", "块", "元"], ["美分", "分"]),
        "€": (["欧元", "歐元"], None),
        "£": (["英镑", "英鎊"], None),
    },
    units={
        "°c": (["摄氏度", "攝氏度", "度"]),
        "°": "度",
        "km/h": ["公里每小时", "千米每小时", "公里每小時"],
        "km": ["公里", "千米"],
        "cm": ["厘米", "公分"],
        "mm": "毫米",
        "m": ["米", "公尺"],
        "m²": ["平方米", "平米"],
        "kg": ["公斤", "千克"],
        "g": "克",
        "ml": "毫升",
        "l": "升",
        "gb": ["吉字节", "g"],
        "min": ["分钟", "分鐘"],
        "h": ["小时", "小時"],
    },
    symbols={
        "%": ["百分之", "百分号"],
        "&": ["和", "与", "and"],
        "@": ["艾特", "at"],
        "+": ["加"],
        "=": ["等于", "等於"],
        "<": ["小于", "小於"],
        ">": ["大于", "大於"],
        "×": ["乘", "乘以"],
        "÷": ["除以"],
        "#": ["号", "井号"],
        "°": "度",
    },
    to=["到", "至", "杠", "减"],
    date=None,
    fraction=_fraction,
    more_words="零 〇 一 二 两 兩 三 四 五 六 七 八 九 十 百 千 万 萬 亿 億 幺 负 負",
    ambiguous="一 千 万 萬 第",
)
