"""What a run keeps of a model on a task and corpus: enough to score it again without the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evals.baseline import Baseline
from evals.cases import Case
from evals.measurement import Figure
from evals.predictions import LineFile, read_lines

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: The name under which what is kept travels in a test's user_properties.
PROPERTY = "model_lab.stored"

T = TypeVar("T", bound="DataclassInstance")


@dataclass
class Stored:
    """The lines and facts of one case; a task's `score` makes every figure from these alone.

    run: the run's folder. facts: what only the session could tell (times of loading, memory,
    the normalizer), as JSON. baseline: what it is compared with, if anything.
    emit: takes the property that carries the facts, each time that there are more.
    """

    run: Path
    case: Case
    facts: Mapping[str, Any] = field(default_factory=dict)
    baseline: Baseline | None = None
    emit: Callable[[tuple[str, str]], None] = lambda named: None
    #: The files of lines that were begun.
    _begun: list[Path] = field(default_factory=list, init=False, repr=False)

    def path(self, part: str | None = None) -> Path:
        """The file of its lines; those of a part, such as a condition, are in a folder."""
        whole = self.run / self.case.model / self.case.task / f"{self.case.corpus}.jsonl"
        return whole.with_suffix("") / f"{part}.jsonl" if part else whole

    def lines(self, kind: type[T], part: str | None = None) -> LineFile[T]:
        """The file, new, to append lines to."""
        file = LineFile[T](self.path(part))
        self._begun.append(file.path)
        return file

    def read(self, kind: type[T], part: str | None = None) -> Sequence[T]:
        """Its lines. Raises OSError; ValueError naming the line that is none, or how many are gone.

        Lines that a copy has lost would make every figure another one without a word.
        """
        path = self.path(part)
        found = read_lines(path, kind)
        written = self.facts.get("lines", {}).get(self._name(path))
        if written is not None and len(found) != written:
            raise ValueError(f"{path}: {len(found)} lines, where {written} were written")
        return found

    def keep(self, **facts: Any) -> None:
        """Remember facts: JSON, or figures by metric."""
        facts["lines"] = {self._name(path): path.read_bytes().count(b"\n") for path in self._begun}
        plain = json.dumps(facts, allow_nan=False, default=_plain)
        # Read back, so that a session scores what a later `rescore` will find.
        self.facts = {**self.facts, **json.loads(plain)}
        row = {**asdict(self.case), "facts": self.facts}
        self.emit((PROPERTY, json.dumps(row, allow_nan=False)))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.run / self.case.model / self.case.task).as_posix()

    def figures(self, name: str = "observed") -> Mapping[str, Figure]:
        """The figures that were kept under a name."""
        return {metric: _figure(row) for metric, row in self.facts[name].items()}

    @property
    def normalizer(self) -> str:
        """The name of the normalizer that its texts are scored with."""
        return str(self.facts["normalizer"])


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _figure(row: Mapping[str, Any]) -> Figure:
    ci = row["ci"]
    return Figure(
        value=row["value"],
        n=row["n"],
        ci=(ci[0], ci[1]) if ci is not None else None,
        reason=row["reason"],
        conditions=tuple(row["conditions"]),
    )
