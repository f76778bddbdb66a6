"""How long a person waits: the fixed clip of 5 s, over and over, through pytest-benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.interface import Audio
from evals.gate.evaluation import Evaluation
from evals.models.loaded import LoadedModel
from evals.run.case_store import Stored
from evals.tasks.latency.task import TASK

ROUNDS = 10


class _WorkersClock:
    """Time as the workers spent it inside the engine, so that the benchmark counts nothing else."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = _WorkersClock()


@pytest.mark.asr
@pytest.mark.latency
@pytest.mark.benchmark(group="latency of a 5 s clip", timer=CLOCK)
def test_clip(
    transcriber: LoadedModel | None,
    clip: Audio,
    evaluation: Evaluation,
    stored: Stored,
    benchmark: Any,
) -> None:
    """Percentiles over ROUNDS calls of a model that is warm."""
    if transcriber is None:  # an earlier session has measured it
        _settle(evaluation, stored)
        return
    if not benchmark.enabled:
        reason = "pytest-benchmark is disabled (by pytest-xdist or --benchmark-disable)"
        stored.keep(not_measured=reason)
        _settle(evaluation, stored)
        pytest.skip(f"not measured: {reason}")

    if not transcriber.alive:
        transcriber.restart()
    waited: list[float | None] = []
    model = transcriber

    def once() -> None:
        timed = model.transcribe(clip)
        CLOCK.now += timed.seconds
        waited.append(timed.waited_seconds)

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=1)
    # The warm-up round comes first, and is not in the benchmark's data.
    stored.keep(seconds=list(benchmark.stats.stats.data), waited_seconds=waited[-ROUNDS:])
    _settle(evaluation, stored)


def _settle(evaluation: Evaluation, stored: Stored) -> None:
    TASK.record(evaluation, stored)
    evaluation.check()
