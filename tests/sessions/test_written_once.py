"""A session puts its scorecard into text once: the file, the page and the terminal share it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sessions import CONTESTANTS, prepare, shared_arguments

pytestmark = pytest.mark.slow

COUNTING = """
from reports.scorecard.scorecard import Scorecard

dumped = []
for name in ("model_dump", "model_dump_json"):
    def counted(self, *arguments, _dump=getattr(Scorecard, name), **options):
        dumped.append(1)
        return _dump(self, *arguments, **options)
    setattr(Scorecard, name, counted)

def pytest_unconfigure():
    print(f"dumped {len(dumped)} times")
"""


def test_the_scorecard_is_put_into_text_once(pytester: pytest.Pytester) -> None:
    folder: Path = prepare(pytester.path)
    (folder / "counting.py").write_text(COUNTING, encoding="utf-8")
    ran = pytester.runpytest_subprocess(
        "-pcounting", *shared_arguments(folder), "-masr and not latency", *CONTESTANTS, "--gate=off"
    )
    assert ran.ret == 0
    ran.stdout.fnmatch_lines(["Page: *scorecard.html", "dumped 1 times"])
