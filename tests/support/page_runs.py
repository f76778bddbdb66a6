"""Runs made up for tests of the page: lines with planted errors, and a scorecard that fits."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from evals.records.measurement import Measurement
from evals.records.predictions import Prediction
from reports.scorecard import scorecard
from reports.scorecard.parts import CorpusRecord
from reports.scorecard.scorecard import (
    Candidate,
    CorpusGrade,
    Grade,
    ModelRecord,
    Provenance,
    Recommendation,
    Run,
    Scorecard,
)

WORDS = (
    "turn", "light", "kitchen", "set", "timer", "call", "anna", "play", "music", "stop", "garden",
    "office", "please", "now", "what",
)  # fmt: skip
CATEGORIES = ("lights", "timers", "calls", "music")
RATE = 16_000


def predictions(n: int, *, seed: int, wrong: float, folder: Path | None = None) -> list[Prediction]:
    """Utterances of ten words, of which a share is replaced, lost or doubled.

    folder: where a tone is for each, if anywhere.
    """
    chance = random.Random(seed)
    texts = random.Random(0)  # the same references for each model
    rows = []
    for i in range(n):
        reference = [texts.choice(WORDS) for _ in range(10)]
        heard: list[str] = []
        for word in reference:
            luck = chance.random()
            if luck < wrong / 3:
                continue
            heard.append(word + "x" if luck < 2 * wrong / 3 else word)
            if 2 * wrong / 3 <= luck < wrong:
                heard.append("well")
        audio = None
        if folder is not None:
            audio = str(folder / f"{i}.wav")
        rows.append(
            Prediction(
                id=f"u{i:05}",
                reference=" ".join(reference),
                hypothesis=" ".join(heard),
                audio_seconds=0.5,
                processing_seconds=0.05,
                speaker=f"s{i % 7}",
                category=CATEGORIES[i % len(CATEGORIES)],
                audio=audio,
            )
        )
    return rows


def write_tones(folder: Path, n: int) -> Path:
    """Half a second of a tone each, at another pitch, as 16-bit WAV at 16 kHz."""
    folder.mkdir(parents=True, exist_ok=True)
    t = np.arange(RATE // 2) / RATE
    for i in range(n):
        tone = 0.3 * np.sin(2 * np.pi * (200 + 20 * i) * t)
        soundfile.write(folder / f"{i}.wav", tone, RATE, subtype="PCM_16")
    return folder


def write_lines(run: Path, model: str, task: str, corpus: str, lines: Sequence[Any]) -> Path:
    """The file of a model's lines, as a session writes it."""
    path = run / model / task / f"{corpus}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (line if isinstance(line, str) else json.dumps(asdict(line)) for line in lines)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def measurement(
    model: str, corpus: str, metric: str, value: float | None, **more: Any
) -> Measurement:
    """A row that passes where it has a limit, unless `more` says otherwise."""
    row: dict[str, Any] = {
        "model": model, "task": "asr", "corpus": corpus, "metric": metric, "value": value,
        "unit": "ratio", "n": 100, "verdict": "pass" if "limit" in more else "no_limit", **more,
    }  # fmt: skip
    return Measurement(**row)


def rows_of(model: str, corpus: str, wer: float, *, slices: int = 4) -> list[Measurement]:
    """What the asr task measures, in short: passing, failing, undecided and missing."""
    ci = (max(0.0, 0.8 * wer), 1.2 * wer)
    verdict = "pass" if ci[1] <= 0.1 else "fail" if ci[0] > 0.1 else "inconclusive"
    limited = {"limit": 0.1, "bound": "max", "limit_source": "tier production", "gated": True}
    more = 250 if verdict == "inconclusive" else None
    return [
        measurement(
            model, corpus, "wer", wer, ci=ci, verdict=verdict, normalizer="whisper-english",
            further_utterances=more, **limited,
        ),
        measurement(model, corpus, "cer", wer / 2, ci=(ci[0] / 2, ci[1] / 2)),
        measurement(model, corpus, "success_rate", 1.0, ci=(0.98, 1.0)),
        measurement(model, corpus, "rtf", 0.1, ci=(0.09, 0.11), conditions=("busy",)),
        measurement(model, corpus, "rtfx", 10.0, ci=(9.1, 11.2)),
        measurement(model, corpus, "latency_p95", 0.21, unit="s"),
        measurement(model, corpus, "load_time", 1.52, unit="s"),
        measurement(model, corpus, "peak_memory", 1234.5, unit="MB"),
        measurement(
            model, corpus, "first_inference", None, unit="s", n=0, verdict="not_measured",
            reason="the clip was not there",
        ),
        *(
            measurement(model, corpus, "wer", wer * (1 + i / slices), n=20, slice=f"category=c{i:02}")
            for i in range(slices)
        ),
    ]  # fmt: skip


def card_of(
    wers: Mapping[tuple[str, str], float],
    *,
    extra: Sequence[Measurement] = (),
    exit_status: int = 0,
    slices: int = 4,
    **more: Any,
) -> Scorecard:
    """A scorecard of models and corpora with their WERs, and of what else is given."""
    models = list(dict.fromkeys(model for model, _ in wers)) or sorted({m.model for m in extra})
    corpora = list(dict.fromkeys(corpus for _, corpus in wers))
    rows = [
        m
        for (model, corpus), wer in wers.items()
        for m in rows_of(model, corpus, wer, slices=slices)
    ]
    best = min(wers, key=lambda case: wers[case], default=None)
    whole: dict[str, Any] = {
        "run": Run(
            id="2026-11-23T10-00-00Z", started="2026-11-23T10:00:00+00:00", seconds=65.25,
            exit_status=exit_status, complete=True, gate="tier", conditions=[],
        ),
        "provenance": Provenance(
            git_sha="0123456789abcdef", git_dirty=False, python="3.12.1", packages={"numpy": "2.4.6"},
            platform="Linux", processor="a processor", cores=2, memory_bytes=8_000_000_000,
            command_line=["-m", "asr"], threads=1, seed=0, device_requested="auto",
            thresholds_sha256="f" * 64,
            corpora=[
                CorpusRecord(
                    name=c, content_hash="a" * 64, utterances=100, audio_seconds=50.0, language="en"
                )
                for c in corpora
            ],
        ),
        "models": [
            ModelRecord(
                name=m, engine="toy", checkpoint="toy", checkpoint_sha256=None, revision=None,
                tasks=["asr"], tier="production", licence="MIT", parameters=1000, options={"beam": 5},
                device="cpu", device_note=None, python="3.12.1", packages={},
            )
            for m in models
        ],
        "measurements": [*rows, *extra],
        "grades": [
            Grade(
                model=m, grade="B", gate="fail" if exit_status else "pass",
                corpora=[
                    CorpusGrade(
                        corpus=c, grade="B", decided_by="asr/wer", capped_by=[],
                        metrics={"asr/wer": "B", "asr/cer": "A"},
                    )
                    for c in corpora
                ],
            )
            for m in models
        ],
        "recommendation": Recommendation(
            use_case="general", model=best[0] if best else None,
            reason="it hears best" if best else "nothing was measured",
            candidates=[Candidate(model=m, score=0.5, parts={}, rejected=[]) for m in models],
            runner_up=models[-1] if models else None, decided_by=["wer: 2 points"], would_change=["a WER of 9 %"],
            to_run=[],
        ),
        **more,
    }  # fmt: skip
    return Scorecard(**whole)


def write_run(
    folder: Path,
    *,
    models: Mapping[str, float],
    corpora: Mapping[str, int],
    sound: bool = False,
    slices: int = 4,
    **more: Any,
) -> Path:
    """A run's folder. models: name to the share of words that go wrong; corpora: to utterances."""
    run = folder / "run"
    run.mkdir(parents=True)
    wers = {}
    for corpus, n in corpora.items():
        tones = write_tones(folder / "sounds" / corpus, n) if sound else None
        for number, (model, wrong) in enumerate(models.items()):
            lines = predictions(n, seed=number, wrong=wrong, folder=tones)
            write_lines(run, model, "asr", corpus, lines)
            wers[model, corpus] = wrong
    scorecard.write(card_of(wers, slices=slices, **more), run)
    return run
