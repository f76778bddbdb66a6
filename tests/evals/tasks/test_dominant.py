"""One utterance with most of a corpus's errors is named, and no utterance that is no news."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gate import thresholds
from evals.measures.text.alignment import align
from evals.records.predictions import Prediction
from evals.tasks.asr.dominant import FEWEST_ERRORS, Dominant, dominant
from evals.tasks.robustness.scores import CLEAN, drifts
from reports.ci.markdown import summary
from reports.page.scorecard_page import render
from reports.scorecard import scorecard
from reports.scorecard.scorecard import DominantUtterance
from reports.text.findings.dominant import dominant_line
from tests.support.sessions import (
    ROOT,
    SELECT,
    as_written,
    card_of,
    check_rescored,
    run_toys,
    write_toys,
)
from tests.support.toy_engine import LOOP_WORDS, LOOPS, toy_corpus

pytestmark = pytest.mark.slow

ROW = DominantUtterance(
    model="one", task="asr", corpus="commands", slice="all", id="u7", errors=399, insertions=399,
    words=1, all_errors=405, share=399 / 405, wer=405 / 12, wer_without=6 / 11, answered=True,
)  # fmt: skip


def of(*said: tuple[int, int]) -> Dominant | None:
    """The dominant one of utterances u0, u1, ... with so many words and so many errors each.

    Errors beyond the words are insertions.
    """
    rows = []
    for number, (words, errors) in enumerate(said):
        reference = ["word"] * words
        wrong = min(words, errors)
        heard = ["other"] * wrong + reference[wrong:] + ["more"] * (errors - wrong)
        rows.append(Prediction(f"u{number}", " ".join(reference), " ".join(heard), 1.0, 0.1))
    return dominant(align(rows, "none"))


def test_a_loop_among_one_word_utterances_is_all_of_the_wer() -> None:
    rows = [Prediction(f"u{n}", "yes", "yes", 1.0, 0.1) for n in range(12)]
    rows[7] = Prediction("u7", "yes", "yes" + " yes" * 399, 1.0, 0.1)
    rows[2] = Prediction("u2", "yes", "no", 1.0, 0.1)
    found = dominant(align(rows, "none"))
    assert found is not None
    assert (found.id, found.errors, found.insertions, found.words) == ("u7", 399, 399, 1)
    assert (found.all_errors, found.share) == (400, 399 / 400)
    assert (found.wer, found.wer_without) == (400 / 12, 1 / 11)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([(4, 0)] * 198 + [(4, 1), (4, 1)], "one of two errors"),
        ([(4, 0)] * 199 + [(4, 1)], "the only error"),
        ([(4, 0)] * 198 + [(4, 3), (4, 1)], "fewer errors than matter"),
        ([(10, 5), (10, 3), (10, 2), *[(10, 0)] * 40], "half is not most"),
        ([(600, 90), (200, 30), (200, 30)], "the longest of three recordings"),
        ([(600, 90)], "a corpus of one utterance"),
        ([(4, 0)] * 20, "no error at all"),
        ([(0, 9), (0, 1)], "references without words"),
    ],
)
def test_what_is_no_news_is_not_named(said: Sequence[tuple[int, int]], why: str) -> None:
    assert of(*said) is None, why


def test_the_bounds_of_the_rule() -> None:
    others = [(10, 0)] * 40
    few = (10, FEWEST_ERRORS - 1)
    assert of(*others, (10, FEWEST_ERRORS), few) is not None
    assert of(*others, few, (10, 1)) is None
    # Twice the share of the words, and just less than that.
    assert of((100, 60), (100, 0), (100, 0)) is not None
    assert of((100, 79), (100, 21)) is None


def test_one_that_was_not_answered_is_told_apart() -> None:
    rows = [Prediction(f"u{n}", "turn on the light", "turn on the light", 1.0, 0.1) for n in "abc"]
    rows.append(Prediction("ud", "one two three four five", "", 1.0, None, error="it hung"))
    found = dominant(align(rows, "none"))
    assert found is not None
    assert (found.id, found.answered) == ("ud", False)
    assert (found.wer, found.wer_without) == (5 / 17, 0.0)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), min_size=1, max_size=30))
def test_it_has_more_than_all_others_and_leaving_it_out_lowers_the_wer(
    said: list[tuple[int, int]],
) -> None:
    found = of(*said)
    if found is None:
        return
    others = [errors for number, (_, errors) in enumerate(said) if f"u{number}" != found.id]
    assert found.errors > sum(others)
    assert found.wer_without is None or found.wer_without < found.wer
    # Whichever way round the corpus is.
    again = of(*reversed(said))
    assert again is not None
    assert (again.errors, again.share, again.wer) == (found.errors, found.share, found.wer)


def test_conditions_are_looked_at_too() -> None:
    clean = [Prediction(f"u{n}", "turn it on", "turn it on", 1.0, 0.1) for n in range(9)]
    noisy = [*clean[:8], Prediction("u8", "turn it on", "turn" + " it" * 30, 1.0, 0.1)]
    found: dict[str, Dominant | None] = {}

    def look(condition: str, scored: Any) -> None:
        found[condition] = dominant(scored)

    drifts(clean, {"white-0db": noisy}, "none", look=look)
    assert found[CLEAN] is None
    named = found["white-0db"]
    assert named is not None
    assert named.id == "u8"


def test_the_line_says_which_its_share_and_both_wers() -> None:
    assert dominant_line(ROW) == (
        "one on commands (asr): one utterance, u7, holds 399 of 405 word errors (98.5 %): "
        "WER 3,375.00 %, without it 54.55 %"
    )
    other = {"task": "tts", "slice": "judge=second", "answered": False, "wer_without": None}
    assert dominant_line(ROW.model_copy(update=other)) == (
        "one on commands (tts, judge=second): one utterance, u7, holds 399 of 405 word errors "
        "(98.5 %; it was not answered): WER 3,375.00 %, without it none, since no other reference "
        "holds a word"
    )


WORDS = ("yes", "no", "stop", "go", "left", "right", "up", "down", "on", "off", "wait", "again")
LOOPED = "left"
#: What the looping toy makes of a single word: that word so many times more.
EXTRA = LOOPS * len([LOOPED][-LOOP_WORDS:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop")
    toy_corpus(folder / "toy", WORDS)
    write_toys(folder, {"looping": {"mode": "looping", "on": LOOPED}, "oracle": {}})
    return folder


def session(folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The scorecard of a session, and what it printed."""
    done = run_toys(folder, *SELECT, "--model=looping", "--model=oracle", *arguments)
    assert "Model Lab" in done.stdout, done.stdout + done.stderr
    return card_of(folder), done.stdout


@pytest.fixture(scope="module")
def alone(folder: Path) -> tuple[dict[str, Any], str]:
    return session(folder)


def test_a_session_names_it_everywhere(folder: Path, alone: tuple[dict[str, Any], str]) -> None:
    card, said = alone
    assert card["dominant_utterances"] == [
        {
            "model": "looping", "task": "asr", "corpus": "toy", "slice": "all",
            "id": f"u{WORDS.index(LOOPED)}", "errors": EXTRA, "insertions": EXTRA, "words": 1,
            "all_errors": EXTRA, "share": 1.0, "wer": EXTRA / len(WORDS), "wer_without": 0.0,
            "answered": True,
        }
    ]  # fmt: skip
    run = folder / "runs" / "latest"
    read = scorecard.read(run / scorecard.FILE_NAME)
    line = dominant_line(read.dominant_utterances[0])
    assert line in " ".join(said.split())
    text = summary(read, thresholds.load(ROOT / "thresholds.yaml"))
    assert "One utterance with most of the errors" in text
    assert f"one utterance, u{WORDS.index(LOOPED)}, holds" in text
    page = render(read, run)
    assert 'data-key="/dominant_utterances/0/id"' in page
    check_rescored(run)


def test_several_processes_and_shards_name_the_same(
    folder: Path, alone: tuple[dict[str, Any], str]
) -> None:
    expected = alone[0]["dominant_utterances"]
    assert session(folder, "-n", "2")[0]["dominant_utterances"] == expected
    runs = []
    for shard in ("1/2", "2/2"):
        session(folder, f"--shard={shard}")
        runs.append(str((folder / "runs" / "latest").resolve()))
    done = subprocess.run(
        [sys.executable, "-m", "reports", "merge", f"--runs-dir={folder / 'all'}", *runs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    card = as_written(scorecard.read(folder / "all" / "latest" / scorecard.FILE_NAME))
    assert card["dominant_utterances"] == expected, done.stdout + done.stderr
