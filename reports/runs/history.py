"""Each figure over runs, and where a series breaks because what is measured is another thing.

Figures are joined only where the corpus, the normalizer, the model (checkpoint, options, device,
packages of its engine) and what scores texts are the same; times and memory also need
the same machine. Everything else that changes between two runs is what a history is there to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evals.measures.run_conditions import shared_by_run
from evals.metrics import metric_of, rank
from evals.records.measurement import Measurement, Verdict
from reports.comparison.run_differences import PYTHON, changed, model_terms, record_of
from reports.runs.read_run import RunError, read_run
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard

#: Packages that turn texts into counts.
_SCORING = ("jiwer", "whisper-normalizer")


@dataclass(frozen=True, slots=True)
class RunOf:
    """A run in the history. baselines: the names under which it is promoted."""

    path: str
    id: str
    started: str
    git_sha: str | None
    git_dirty: bool | None
    complete: bool
    conditions: Sequence[str]
    baselines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one run.

    run: its place in the history's runs. value: None is missing, and the verdict says how.
    conditions: "contended" or "busy". breaks: in what it is not comparable with the last
    value before it, empty where it is. segment: values with the same number may be joined.
    pointer: where it is in that run's scorecard.
    """

    run: int
    value: float | None
    ci: tuple[float, float] | None
    n: int
    verdict: Verdict
    limit: float | None
    conditions: Sequence[str]
    reason: str | None
    normalizer: str | None
    breaks: Sequence[str]
    segment: int
    pointer: str


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of one model on one task and corpus, the oldest first.

    metric: as thresholds.yaml names it, of a part of the corpus "wer/category=timer".
    """

    model: str
    task: str
    corpus: str
    metric: str
    unit: str
    points: Sequence[Point]

    @property
    def name(self) -> str:
        """The metric without the part."""
        return self.metric.partition("/")[0]


@dataclass
class History:
    """Runs from the first to the last, and what they say. unread: what is no run, and why."""

    runs: list[RunOf] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Read:
    path: Path
    card: Scorecard
    started: datetime


def read_history(runs: Path, baselines: Path, wanted: Callable[[Measurement], bool]) -> History:
    """Everything in a folder of runs. wanted: which figures, of those that make a series.

    Runs that were promoted and are no longer in the folder are read from the baselines.
    Raises RunError where the folder is none.
    """
    if not runs.is_dir():
        raise RunError(f"{runs}: no such folder of runs (--runs-dir)")
    found = History()
    read = _read_all(runs, found)
    known = {(r.card.run.id, r.card.run.started): r for r in read}
    names: dict[tuple[str, str], list[str]] = {}
    for promoted in _read_all(baselines, found) if baselines.is_dir() else []:
        identity = (promoted.card.run.id, promoted.card.run.started)
        names.setdefault(identity, []).append(promoted.path.name)
        if identity not in known:
            known[identity] = promoted
            read.append(promoted)
    read.sort(key=lambda r: (r.started, r.card.run.id))
    for r in read:
        identity = (r.card.run.id, r.card.run.started)
        found.runs.append(_run_of(r, names.get(identity, ())))
    found.series = _series([r.card for r in read], wanted)
    return found


def _read_all(folder: Path, found: History) -> list[_Read]:
    """The runs in a folder; the others are named in `found`."""
    read: list[_Read] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        # `latest` is a link to one of the others.
        if path.is_symlink() or not path.is_dir() or path.name.startswith("."):
            continue
        try:
            if not (path / scorecard.FILE_NAME).exists():
                raise RunError(f"{path}: no {scorecard.FILE_NAME} in it: not a run, or unfinished")
            card = read_run(path)
            if card.run.shard is not None:
                raise RunError(f"{path}: shard {card.run.shard} of a corpus alone")
            started = _time(card.run.started, path)
        except RunError as error:
            found.unread.append(str(error))
            continue
        identity = (card.run.id, card.run.started)
        if identity in seen:
            found.unread.append(f"{path}: the same run as {seen[identity]}")
            continue
        seen[identity] = path
        read.append(_Read(path, card, started))
    return read


def _time(started: str, path: Path) -> datetime:
    try:
        when = datetime.fromisoformat(started)
    except ValueError:
        raise RunError(f"{path / scorecard.FILE_NAME}: run.started: not a time") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _run_of(read: _Read, names: Sequence[str]) -> RunOf:
    run, p = read.card.run, read.card.provenance
    return RunOf(
        path=str(read.path),
        id=run.id,
        started=run.started,
        git_sha=p.git_sha,
        git_dirty=p.git_dirty,
        complete=run.complete,
        conditions=tuple(run.conditions),
        baselines=tuple(names),
    )


_Key = tuple[str, str, str, str]  # model, task, corpus, metric


def _series(cards: Sequence[Scorecard], wanted: Callable[[Measurement], bool]) -> list[Series]:
    points: dict[_Key, list[Point]] = {}
    last_terms: dict[_Key, dict[str, str]] = {}
    for number, card in enumerate(cards):
        corpora = {c.name: c.content_hash for c in card.provenance.corpora}
        for index, m in enumerate(card.measurements):
            # What has several rows under one name, one for each normalizer, is no series.
            if not metric_of(m.metric).may_be_limited or not wanted(m):
                continue
            key = (m.model, m.task, m.corpus, m.key)
            before = points.setdefault(key, [])
            segment = before[-1].segment if before else 0
            breaks: list[str] = []
            if m.value is not None:
                terms = _terms(card, m, corpora)
                if key in last_terms:
                    breaks = changed(last_terms[key], terms)
                    segment += bool(breaks)
                last_terms[key] = terms
            before.append(_point(number, card, m, index, breaks, segment))
    models = list(dict.fromkeys(record.name for card in cards for record in card.models))

    def place(key: _Key) -> tuple[int, str, str, int, str]:
        model, task, corpus, metric = key
        return models.index(model), task, corpus, rank(metric.partition("/")[0]), metric

    return [
        Series(*key, metric_of(key[3].partition("/")[0]).unit, points[key])
        for key in sorted(points, key=place)
    ]


def _point(
    number: int, card: Scorecard, m: Measurement, index: int, breaks: list[str], segment: int
) -> Point:
    shared = shared_by_run(m.metric, card.run.conditions)
    return Point(
        run=number,
        value=m.value,
        ci=m.ci,
        n=m.n,
        verdict=m.verdict,
        limit=m.limit,
        conditions=tuple(dict.fromkeys([*m.conditions, *shared])),
        reason=m.reason,
        normalizer=m.normalizer,
        breaks=tuple(breaks),
        segment=segment,
        pointer=f"/measurements/{index}/value",
    )


def _terms(card: Scorecard, m: Measurement, corpora: Mapping[str, str]) -> dict[str, str]:
    """Everything that has to be the same for two values to be of one thing."""
    p = card.provenance
    terms = {
        "corpus content hash": corpora.get(m.corpus, "unknown")[:12],
        "normalizer": m.normalizer or "none",
        "seed": str(p.seed),
        "measured by": m.by or "none",
    }
    record = record_of(card, m.model)
    of_machine = metric_of(m.metric).is_of_machine
    if record is not None:
        terms |= model_terms(record)
        if not of_machine:
            del terms[PYTHON]  # what is heard does not depend on it; time and memory do
    if of_machine:
        terms |= {
            "processor": p.processor,
            "cores": str(p.cores),
            "threads": str(p.threads),
            "platform": p.platform,
        }
    elif m.normalizer is not None:
        terms |= {f"package {name}": p.packages.get(name, "none") for name in _SCORING}
    return terms
