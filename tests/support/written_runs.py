"""Runs as a session leaves them, written by tests: a scorecard, and lines of models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.metrics import METRICS
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.tasks.asr.scores import accuracy, speed

CORPUS = "some-corpus"
Row = dict[str, Any]


def row(
    model: str,
    metric: str,
    value: float | None,
    *,
    ci: tuple[float, float] | None = None,
    task: str = "asr",
    corpus: str = CORPUS,
    **more: Any,
) -> Row:
    """A measurement."""
    return {
        "model": model,
        "task": task,
        "corpus": corpus,
        "metric": metric,
        "value": value,
        "unit": METRICS[metric].unit,
        "n": 20,
        "verdict": "not_measured" if value is None else "pass" if "limit" in more else "no_limit",
        "ci": ci,
        **more,
    }


def model_record(name: str, **more: Any) -> Row:
    """A model of the scorecard."""
    return {
        "name": name,
        "engine": "an_engine",
        "checkpoint": "a/checkpoint",
        "checkpoint_sha256": "d" * 64,
        "revision": None,
        "tasks": ["asr"],
        "tier": "candidate",
        "licence": None,
        "parameters": None,
        "options": {"beam_size": 1},
        "device": "cpu",
        "device_note": None,
        "python": "3.11.7",
        "packages": {"an-engine": "1.0"},
        **more,
    }


def document(
    number: int,
    rows: Sequence[Row],
    *,
    models: Sequence[Row] = (),
    corpora: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    **run: Any,
) -> Row:
    """What scorecard.json holds. number: of the run, from 0 to 9, the hour that it began at."""
    names = dict.fromkeys(r["model"] for r in rows)
    known = {CORPUS: "c" * 64} if corpora is None else corpora
    return {
        "schema_version": 2,
        "run": {
            "id": f"run-{number}",
            "started": f"2026-11-23T0{number}:00:00+00:00",
            "seconds": 9.0,
            "exit_status": 0,
            "complete": True,
            "gate": "tier",
            "conditions": [],
            **run,
        },
        "provenance": {
            "git_sha": f"{number}" * 40,
            "git_dirty": False,
            "python": "3.11.7",
            "packages": {"jiwer": "4.0.0"},
            "platform": "Linux",
            "processor": "a processor",
            "cores": 2,
            "memory_bytes": 10**9,
            "command_line": [],
            "threads": 1,
            "seed": 0,
            "device_requested": "auto",
            "thresholds_sha256": "0" * 64,
            "corpora": [
                {
                    "name": name,
                    "content_hash": content_hash,
                    "utterances": 20,
                    "audio_seconds": 50.0,
                    "language": "en",
                }
                for name, content_hash in known.items()
            ],
            **(provenance or {}),
        },
        "models": list(models) or [model_record(name) for name in names],
        "measurements": list(rows),
        "grades": [],
        "recommendation": {"use_case": "general", "model": None, "reason": "", "candidates": []},
    }


def write_run(folder: Path, card: Row) -> Path:
    """The scorecard in a folder, which is the run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scorecard.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def as_version_1(run: Path) -> None:
    """Make a run's scorecard what version 1 made of it, where no limit was a pass."""
    file = run / "scorecard.json"
    card = json.loads(file.read_text(encoding="utf-8"))
    card["schema_version"] = 1
    for measurement in card["measurements"]:
        if measurement["verdict"] == "no_limit":
            measurement["verdict"] = "pass"
    file.write_text(json.dumps(card), encoding="utf-8")


def write_lines(path: Path, lines: Iterable[Prediction | Spoken | Replied]) -> Path:
    """A file of lines, as the session appends them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(asdict(line)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def asr_run(
    folder: Path,
    number: int,
    heard: Mapping[str, Sequence[Prediction]],
    *,
    normalizer: str = "none",
    **card: Any,
) -> Path:
    """A run of the task asr with the predictions of each model, and their figures."""
    rows = []
    for model, predictions in heard.items():
        figures = {**accuracy(predictions, normalizer), **speed(predictions)}
        for metric, figure in figures.items():
            scored = None if METRICS[metric].is_speed else normalizer
            rows.append(row(model, metric, figure.value, ci=figure.ci, normalizer=scored))
        write_lines(folder / model / "asr" / f"{CORPUS}.jsonl", predictions)
    return write_run(folder, document(number, rows, **card))
