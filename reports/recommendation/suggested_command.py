"""The command that runs a task again, as it can be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evals.metrics import metric_of
from evals.records.measurement import Measurement
from evals.run.options import DECLARED, OPTIONS
from evals.task import TASKS, CorpusKind
from reports.scorecard.parts import CorpusRecord
from reports.scorecard.scorecard import ModelRecord

#: Corpora of this kind are of no use to other tasks: with one of them, pytest refuses these.
_DIALOGUES: CorpusKind = "dialogues"


class Command(Protocol):
    """What runs a task again on models, by their names in the scorecard."""

    def __call__(self, task: str, *models: str) -> str: ...


@dataclass(frozen=True)
class SuggestedCommand:
    """A task again, with the options of a session.

    options: by name, those not at their default. requested: model to ENGINE:CHECKPOINT, where it is
    no catalogue entry. conversations: corpora of dialogues, as `--corpus` named them.
    compared: task and model of what was compared with the baseline.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    requested: Mapping[str, str] = field(default_factory=dict)
    conversations: frozenset[str] = frozenset()
    compared: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(
        cls,
        options: Mapping[str, Any],
        models: Sequence[ModelRecord],
        corpora: Sequence[CorpusRecord],
        rows: Sequence[Measurement],
    ) -> SuggestedCommand:
        """The command's options as a scorecard has them."""
        used: dict[str, set[str]] = {}
        for row in rows:
            used.setdefault(row.corpus, set()).add(row.task)
        return cls(
            options,
            {m.name: m.requested for m in models if m.requested is not None},
            frozenset(
                c.requested
                for c in corpora
                if c.requested is not None
                and all(_is_of_dialogues(task) for task in used.get(c.name, ("",)))
            ),
            frozenset((r.task, r.model) for r in rows if metric_of(r.metric).change_of),
        )

    def __call__(self, task: str, *models: str) -> str:
        """The command. A baseline that has none of the models would be refused, and is left out."""
        words = ["uv", "run", "pytest", "-m", task]
        for model in models:
            words += ["--model", self.requested.get(model, model)]
        for option in DECLARED:
            value = self.options.get(option.name)
            if not option.repeated or value is None:
                continue
            compared = [m for m in models if (task, m) in self.compared]
            if option.name == "baseline" and not compared:
                continue
            if option.name == "map":
                named = {*compared, *(self.requested.get(m, m) for m in compared)}
                value = [one for one in value if one.partition("=")[2] in named]
            if option.name == "corpus" and not _is_of_dialogues(task):
                value = [one for one in value if one not in self.conversations]
            words += option.words(value)
        return shlex.join(words)


def _is_of_dialogues(task: str) -> bool:
    return task in TASKS and TASKS[task].corpus == _DIALOGUES


def resume_command(run: Path, options: Mapping[str, Any] | None = None) -> str:
    """The command that finishes an interrupted run; the run has all other options.

    options: the session's, of which those count here by which pytest finds project and tests.
    """
    words = ["uv", "run", "pytest"]
    for name in ("inifilename", "rootdir", "file_or_dir"):
        words += OPTIONS[name].words((options or {}).get(name))
    return shlex.join([*words, "--resume", str(run)])


#: Without any option.
plain_command = SuggestedCommand()
