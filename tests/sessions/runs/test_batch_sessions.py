"""Sessions of models that take several utterances at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals.measures.run_conditions import RESUMED, touched
from tests.support.sessions import TEXTS, card_of, check_rescored, row_of, run_toys, write_toys
from tests.support.toy_engine import APART, toy_corpus

pytestmark = pytest.mark.slow

SELECT = ("-m", "asr and not latency", "--gate=off")
MODELS: dict[str, dict[str, Any]] = {
    "alone": {"mode": "shuffled"},
    "batches": {"mode": "shuffled", "batch_size": 8},
    "crowded": {"mode": "shuffled", "batch_size": 8, "room": 3},
    "apart": {"mode": "apart", "batch_size": 8},
    "loses": {"mode": "loses", "batch_size": 8},
    "dies": {"mode": "exits", "on": "light d in the garden", "batch_size": 8},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batches")
    write_toys(folder, MODELS, tier="baseline")
    toy_corpus(folder / "toy", TEXTS)
    done = run_toys(folder, *SELECT, *(f"--model={name}" for name in MODELS))
    assert done.returncode == 0, done.stdout
    return folder


def lines_of(folder: Path, model: str) -> list[dict[str, Any]]:
    text = (folder / f"runs/latest/{model}/asr/toy.jsonl").read_text(encoding="utf-8")
    return sorted(map(json.loads, text.splitlines()), key=lambda line: line["index"])


def texts(folder: Path, model: str) -> list[str]:
    return [line["hypothesis"] for line in lines_of(folder, model)]


@pytest.mark.parametrize("model", MODELS)
def test_every_utterance_is_there_once(model: str, folder: Path) -> None:
    assert [line["index"] for line in lines_of(folder, model)] == list(range(len(TEXTS)))


def test_batches_say_what_one_by_one_says(folder: Path) -> None:
    assert texts(folder, "batches") == texts(folder, "alone")
    assert {line["batch_size"] for line in lines_of(folder, "batches")} == {8}
    assert {line["batch_size"] for line in lines_of(folder, "alone")} == {None}
    card = card_of(folder)
    both = [
        [
            {k: v for k, v in m.items() if k not in ("model", "metric_of")}
            for m in card["measurements"]
            if m["model"] == name
            and not touched(m["metric"], [RESUMED])
            and m["metric"] != "batch_change_rate"
        ]
        for name in ("alone", "batches")
    ]
    assert both[0] == both[1]
    rate = row_of(card, "batches", "batch_change_rate")
    assert (rate["value"], rate["n"]) == (0, len(TEXTS) // 8)
    assert not [
        m
        for m in card["measurements"]
        if m["model"] == "alone" and m["metric"] == "batch_change_rate"
    ]


def test_a_batch_is_one_call(folder: Path) -> None:
    """Its seconds are shared out, and every utterance waits for all of them."""
    lines = lines_of(folder, "batches")
    for number in {line["batch_seconds"] for line in lines}:
        together = [line for line in lines if line["batch_seconds"] == number]
        assert len(together) == 8
        assert sum(line["processing_seconds"] for line in together) == pytest.approx(number)
    card = card_of(folder)
    longest = max(line["batch_seconds"] for line in lines)
    assert row_of(card, "batches", "latency_p99")["value"] <= longest
    assert row_of(card, "batches", "latency_p50")["value"] >= min(
        line["batch_seconds"] for line in lines
    )
    spent = sum(line["processing_seconds"] for line in lines)
    heard = sum(line["audio_seconds"] for line in lines)
    assert row_of(card, "batches", "rtf")["value"] == pytest.approx(spent / heard)


def test_memory_that_runs_out_halves_the_batch_for_good(folder: Path) -> None:
    lines = lines_of(folder, "crowded")
    assert texts(folder, "crowded") == texts(folder, "alone")
    assert not any(line["error"] for line in lines)
    sizes = [line["batch_size"] or 1 for line in lines]
    assert max(sizes) <= 3
    assert sizes.count(2) > len(TEXTS) / 2


def test_a_difference_is_counted(folder: Path) -> None:
    assert all(text.endswith(APART) for text in texts(folder, "apart"))
    assert [n.partition(":")[0] for n in card_of(folder)["run"]["notes"]] == ["apart on toy"]
    rate = row_of(card_of(folder), "apart", "batch_change_rate")
    assert (rate["value"], rate["n"]) == (1, len(TEXTS) // 8)
    assert rate["ci"][0] > 0.5


WINDOWS = """
import json
from adapters.interface import Adapter, Transcript
from their_engine import text_of

class Windows(Adapter):
    options = {"batch_size": 1}

    def load(self, spec):
        self._size = spec.options["batch_size"]

    def transcribe(self, audio):
        words = text_of(audio).split()
        return Transcript(" ".join(words[:-1] if self._size > 1 else words))

    def transcribe_unbatched(self, audio):
        return Transcript(text_of(audio))

ADAPTER = Windows
"""


def test_windows_that_are_heard_at_once_are_compared_too(tmp_path: Path) -> None:
    """Words that an utterance alone loses to its windows, each time that it is heard so."""
    write_toys(tmp_path, {"other": {}})
    (tmp_path / "windows.py").write_text(WINDOWS, encoding="utf-8")
    entry = "  {}: {{engine: windows.py, tasks: [asr], options: {{batch_size: {}}}}}\n"
    with (tmp_path / "catalog.yaml").open("a", encoding="utf-8") as catalog:
        catalog.write(entry.format("eight", 8) + entry.format("one", 1))
    toy_corpus(tmp_path / "toy", TEXTS)
    done = run_toys(tmp_path, *SELECT, "--model=eight", "--model=one")
    assert done.returncode == 0, done.stdout
    rate = row_of(card_of(tmp_path), "eight", "batch_change_rate")
    assert (rate["value"], rate["n"]) == (1, 20)
    # One word in eight, with the WER of both: where a person reads, not in the figures alone.
    (note,) = card_of(tmp_path)["run"]["notes"]
    assert note.startswith("eight on toy: batching changes 12% of the words: WER 12.5% in batches")
    assert "0.0% without, on 20 utterances" in note
    assert f"Note: {note}" in " ".join(done.stdout.split())
    page = (tmp_path / "runs" / "latest" / "scorecard.html").read_text(encoding="utf-8")
    assert "batching changes 12% of the words" in page
    assert row_of(card_of(tmp_path), "eight", "wer")["value"] == 1 / 8
    metrics = {m["metric"] for m in card_of(tmp_path)["measurements"] if m["model"] == "one"}
    assert "batch_change_rate" not in metrics


def test_a_batch_that_fails_is_asked_one_by_one(folder: Path) -> None:
    assert texts(folder, "loses") == TEXTS
    assert {line["batch_size"] for line in lines_of(folder, "loses")} == {None}
    broken = [line["id"] for line in lines_of(folder, "dies") if line["error"]]
    assert broken == ["u23"]
    (line,) = (line for line in lines_of(folder, "dies") if line["error"])
    assert line["attempts"] == 2


def test_it_can_be_scored_again(folder: Path) -> None:
    check_rescored(folder / "runs" / "latest")
