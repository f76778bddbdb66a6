"""The tasks that exist: the one list that names them. A team's own are registered beside them."""

from __future__ import annotations

from evals.metrics import METRICS
from evals.task import TASKS, register
from evals.tasks.asr.task import TASK as ASR
from evals.tasks.chat.task import TASK as CHAT
from evals.tasks.hallucination.task import TASK as HALLUCINATION
from evals.tasks.latency.task import TASK as LATENCY
from evals.tasks.robustness.task import TASK as ROBUSTNESS
from evals.tasks.smoke.task import ASSISTANT, VOICE
from evals.tasks.smoke.task import TASK as SMOKE
from evals.tasks.tts.task import TASK as TTS

for _task in (ASR, LATENCY, SMOKE, TTS, VOICE, CHAT, ASSISTANT, ROBUSTNESS, HALLUCINATION):
    register(_task)
if _orphans := METRICS.keys() - {m for task in TASKS.values() for m in task.metrics}:
    raise ValueError(f"metrics that no task lists: {', '.join(sorted(_orphans))}")
