"""An utterance without an answer is told with its error, not in the lines of the run alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.gate.evaluation import describe
from evals.measures.unanswered import why_unanswered
from evals.records.measurement import Measurement
from evals.records.predictions import Prediction
from evals.records.spoken import Spoken
from evals.tasks.asr.scores import accuracy
from evals.tasks.tts.scores import answers
from tests.support.sessions import SELECT, broken_limits, card_of, row_of, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

HUNG = "no answer to 'transcribe' within 7200 s"


def test_the_success_rate_says_how_many_and_why() -> None:
    rows = [Prediction(f"u{n}", "turn it on", "turn it on", 1.0, 0.1) for n in range(4)]
    assert accuracy(rows, "none")["success_rate"].reason is None
    rows[2] = Prediction("u2", "turn it on", "", 1.0, None, error=HUNG)
    rows[3] = Prediction("u3", "turn it on", "", 1.0, None, error="another error")
    figure = accuracy(rows, "none")["success_rate"]
    assert (figure.value, figure.n) == (0.5, 4)
    assert figure.reason == f"2 of 4 not answered; the first, u2: {HUNG}"
    row = Measurement("m", "asr", "c", "success_rate", 0.5, "ratio", 4, "fail", limit=0.99,
                      bound="min", limit_source="tier production", reason=figure.reason)  # fmt: skip
    assert describe(row).endswith(f"allowed by tier production: {figure.reason}")


def test_a_voice_says_so_too() -> None:
    lines = [
        Spoken("s1", "hello", None, None, None, None, error="it has\nno end"),
        Spoken("s2", "hello", None, None, None, None),
    ]
    assert answers(lines, [])["success_rate"].reason == (
        "1 of 2 not answered; the first, s1: it has\\nno end"
    )


def test_lines_are_not_read_where_all_have_an_answer() -> None:
    def lines() -> Prediction:
        pytest.fail("read")

    assert why_unanswered(iter(lines, None), 0, 3) is None


@pytest.mark.slow
def test_a_session_prints_the_error(tmp_path: Path) -> None:
    toy_corpus(tmp_path / "toy", ["yes", "no", "stop", "go"])
    write_toys(tmp_path, {"deaf": {"mode": "raises", "on": "stop"}}, tier="production")
    said = run_toys(tmp_path, *SELECT, "--model=deaf").stdout
    reason = row_of(card_of(tmp_path), "deaf", "success_rate")["reason"]
    assert reason.startswith("1 of 4 not answered; the first, u2: ")
    assert "toy trouble" in reason
    assert "1 of 4 not answered; the first, u2:" in " ".join(said.split())
    assert "success_rate" in broken_limits(said)["deaf"]
