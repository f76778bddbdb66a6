"""The table of cases in docs/text-scoring.md is the one that the tests hold.

    uv run python -m tests.evals.measures.text.test_scoring_docs

writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[4] / "docs" / "text-scoring.md"
BEGIN, END = "<!-- cases -->\n", "<!-- end of the cases -->\n"


def table() -> str:
    lines = (Path(__file__).parent / "cases.jsonl").read_text("utf-8").splitlines()
    rows = ["| language | reference | hypothesis | errors |", "| --- | --- | --- | --- |"]
    for case in map(json.loads, lines):
        heard = case["hyp"] + (" nine" * 3 + " ... (200 times)" if "then" in case else "")
        rows.append(
            f"| {case['lang']} | {_cell(case['ref'])} | {_cell(heard)} | {case['errors']} |"
        )
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    """Characters that cannot be seen are named by their code points."""
    shown: list[Any] = [c if c.isprintable() else f"[U+{ord(c):04X}]" for c in text]
    return "".join(shown).replace("|", "\\|").replace("<", "&lt;")


def test_the_table_is_the_cases() -> None:
    _, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    assert rest.partition(END)[0] == table()


if __name__ == "__main__":
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2], "utf-8")
