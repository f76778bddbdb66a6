"""What a run's conversations expected, from the copies that the chat task leaves in the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evals.records.atomic_json import as_folder
from evals.task import TASKS
from fixtures.corpora.jsonl import CorpusError
from fixtures.dialogues.dialogues import Dialogues
from fixtures.dialogues.files import read_dialogues
from reports.scorecard.scorecard import Scorecard


def dialogues_of(card: Scorecard, run: Path) -> Mapping[str, Dialogues]:
    """The dialogues of a run's chat task by their name; those that cannot be read are left out."""
    found: dict[str, Dialogues] = {}
    kept = {task.name for task in TASKS.values() if task.corpus == "dialogues"}
    cells = {(m.model, m.task, m.corpus) for m in card.measurements if m.task in kept}
    for model, task, corpus in sorted(cells):
        try:
            folder = run / as_folder(model) / as_folder(task)
            as_folder(corpus)
        except ValueError:
            continue  # the name leads out of the run
        for ending in (".yaml", ".yml", ".jsonl", ".json"):
            try:
                found[corpus] = read_dialogues(
                    folder / f"{corpus}.dialogues{ending}", corpus, recordings=False
                )
            except (CorpusError, OSError, ValueError):
                continue  # not this ending, or damaged
    return found
