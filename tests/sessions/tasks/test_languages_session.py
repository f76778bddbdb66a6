"""A corpus in several languages: each row scored and heard in its own, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.sessions import card_of, run_toys, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

TEXTS = ("en", "de", "einundzwanzig", "\u0441\u0432\u0435\u0442", "fr", "wrong")
MORE: tuple[dict[str, Any], ...] = (
    {"lang": "English"},
    {"language": "deu"},
    {"lang": "de_DE"},
    {},
    {"lang": "fr"},
    {"lang": "en", "text_itn": "right"},
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("languages")
    write_toys(folder, {"tongue": {"mode": "tongue"}, "english": {"mode": "english"}})
    manifest = toy_corpus(folder / "toy", TEXTS)
    rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    for row, more in zip(rows, MORE, strict=True):
        row |= more
    rows[2]["text"] = "21"  # another writing of what is heard
    rows[5]["text"] = "right"
    rows[5]["text_itn"] = "wrong"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    thresholds = (Path(__file__).parents[3] / "thresholds.yaml").read_text(encoding="utf-8")
    thresholds += "\ncorpora:\n  toy: {alternatives: [text_itn]}\n"
    (folder / "thresholds.yaml").write_text(thresholds, encoding="utf-8")
    done = run_toys(
        folder,
        "-m",
        "asr and not latency",
        "--thresholds=thresholds.yaml",
        "--model=tongue",
        "--model=english",
    )
    return folder, done.stdout


def lines(folder: Path, model: str) -> dict[str, dict[str, Any]]:
    file = folder / "runs" / "latest" / model / "asr" / "toy.jsonl"
    rows = map(json.loads, file.read_text("utf-8").splitlines())
    return {row["id"]: row for row in rows}


def figure(folder: Path, model: str, metric: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        m
        for m in card_of(folder)["measurements"]
        if (m["model"], m["metric"], m["slice"]) == (model, metric, "all")
    )
    return found


def test_the_engine_is_told_the_language_of_each_row(session: tuple[Path, str]) -> None:
    heard = [row["hypothesis"] for row in lines(session[0], "tongue").values()]
    assert heard == ["en", "de", "de-DE", "none", "fr", "en"]


def test_each_row_is_scored_in_its_own_language(session: tuple[Path, str]) -> None:
    wer = figure(session[0], "english", "wer")
    assert (wer["value"], wer["normalizer"]) == (0, "spoken")
    by = [
        m["normalizer"]
        for m in card_of(session[0])["measurements"]
        if (m["model"], m["metric"]) == ("english", "wer_by_normalizer")
    ]
    assert by == ["whisper-english", "whisper-basic", "lower", "none"]


def test_a_rule_names_further_right_texts(session: tuple[Path, str]) -> None:
    assert lines(session[0], "english")["u5"]["alternatives"] == ["wrong"]
    assert figure(session[0], "english", "other_references")["value"] == 1


def test_rows_in_languages_that_the_model_does_not_have_are_told(
    session: tuple[Path, str],
) -> None:
    reason = figure(session[0], "english", "wer")["reason"]
    assert "3 of 6 rows are in a language that the model does not know: de, fr" in reason


def test_rows_that_cannot_be_english_are_told(session: tuple[Path, str]) -> None:
    assert "1 of 6 rows name no language and are scored as English" in session[1]


def test_packages_that_score_are_recorded(session: tuple[Path, str]) -> None:
    packages = card_of(session[0])["provenance"]["packages"]
    assert {"whisper-normalizer", "jiwer"} <= packages.keys()
