"""The scorecard: all measurements of a session, graded, with provenance. A contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from evals.gate.paired_change import Worsened
from evals.measures.text.confusions import Confusion
from evals.records.atomic_json import why_not
from evals.records.measurement import Measurement
from evals.records.provided import ProvidedAnswers
from reports.scorecard.parts import CorpusRecord, NonSpeechTexts, Part

SCHEMA_FILE = Path(__file__).with_name("scorecard.schema.json")
FILE_NAME = "scorecard.json"

Letter = Literal["A", "B", "C", "D"]


class Run(Part):
    """The session."""

    id: str
    started: str = Field(description="UTC, ISO 8601")
    seconds: float
    exit_status: int
    complete: bool = Field(description="false where the session was interrupted")
    gate: Literal["tier", "production", "off"]
    conditions: list[str] = Field(description='what made speed unfit to gate, e.g. "contended"')
    hardware: str | None = Field(
        default=None, description="the row of the prices that was named, if one was"
    )
    shard: str | None = Field(
        default=None, description='the part of each corpus that it is of, as "2/8"; null: all'
    )
    shards: list[str] = Field(
        default_factory=list, description="the runs of parts that it was put together of"
    )
    joined: list[str] = Field(
        default_factory=list, description="the runs of other tasks that it was put together of"
    )
    problems: list[str] = Field(
        default_factory=list, description="what failed the session beside its evaluations"
    )
    notes: list[str] = Field(
        default_factory=list, description="limits that held nothing, each with its file and line"
    )


class Provenance(Part):
    """Everything that is needed to tell whether two scorecards are comparable."""

    git_sha: str | None
    git_dirty: bool | None
    python: str
    packages: dict[str, str]
    platform: str
    processor: str
    cores: int
    memory_bytes: int
    command_line: list[str]
    threads: int
    seed: int
    device_requested: str
    thresholds_sha256: str
    corpora: list[CorpusRecord]
    options: dict[str, Any] | None = Field(
        default=None,
        description="the session's, those not at their default; null where not recorded",
    )


class ModelPart(Part):
    """A model that is part of another one."""

    engine: str
    checkpoint: str
    revision: str | None
    checkpoint_sha256: str | None


class ModelRecord(Part):
    """A catalogue entry as it was run."""

    name: str
    engine: str
    checkpoint: str
    checkpoint_sha256: str | None = Field(description="of the local files; null where unknown")
    revision: str | None
    tasks: list[str]
    tier: str
    licence: str | None
    parameters: int | None
    options: dict[str, Any]
    device: str | None = Field(description="really used; null where it was never loaded")
    device_note: str | None
    python: str | None = Field(description="of the process that it ran in")
    packages: dict[str, str] = Field(description="that bring its engine there, with versions")
    parts: dict[str, ModelPart] = Field(
        default_factory=dict, description="of a model that is made of others, as a cascade is"
    )
    device_name: str | None = Field(default=None, description="what an accelerator calls itself")
    restrictions: list[str] = Field(
        default_factory=list, description="what its licence demands, in words; unknown is one"
    )
    requested: str | None = Field(
        default=None, description="ENGINE:CHECKPOINT as given; null of a catalogue entry"
    )
    provided: ProvidedAnswers | None = Field(
        default=None, description="of predictions that were made elsewhere; null where it was run"
    )


class CorpusGrade(Part):
    """A model's grade for a task on one corpus: that of its worst metric, never an average."""

    task: str = Field(default="asr", description="asr with latency, tts or chat")
    corpus: str
    grade: Letter | None = Field(description="null where the model has no WER")
    decided_by: str | None = Field(description="task/metric that set the grade")
    capped_by: list[str] = Field(description="graded metrics that are missing")
    metrics: dict[str, Letter] = Field(description="task/metric to its letter")


class Grade(Part):
    """A model's grade: the worst over its corpora."""

    model: str
    grade: Letter | None
    gate: Literal["pass", "fail", "off"]
    corpora: list[CorpusGrade]


class Candidate(Part):
    """How a model stood in the recommendation."""

    model: str
    score: float | None = Field(description="weighted headroom to the limits, 0 to 1")
    parts: dict[str, float] = Field(description="metric to the part of its limit that is left")
    rejected: list[str] = Field(description="why it may not be recommended; empty: it may")


class Recommendation(Part):
    """What to put into production, if anything."""

    use_case: str
    model: str | None
    reason: str
    candidates: list[Candidate]
    description: str = Field(default="", description="the use, in words")
    task: str = Field(default="asr", description="whose figures decide")
    weights: dict[str, float] = Field(
        default_factory=dict, description="of each metric in the score"
    )
    runner_up: str | None = None
    decided_by: list[str] = Field(
        default_factory=list, description="what set the winner apart, the most first"
    )
    would_change: list[str] = Field(
        default_factory=list, description="the smallest changes that turn the answer round"
    )
    to_run: list[str] = Field(
        default_factory=list, description="what to run where the evidence is too short"
    )
    not_run: list[str] = Field(
        default_factory=list,
        description="tasks that the production tier limits and that have not run",
    )

    @property
    def lead(self) -> str:
        """What has not run, in words; the reason begins with it. Empty where everything has."""
        if not self.not_run:
            return ""
        *rest, last = self.not_run
        tasks = f"{', '.join(rest)} and {last} have" if rest else f"{last} has"
        return f"{tasks} not run"

    @property
    def grounds(self) -> str:
        """The reason without its lead."""
        return self.reason.removeprefix(f"{self.lead}; ") if self.lead else self.reason


class Cost(Part):
    """What a model costs on the hardware that it was run on, or by its provider's price."""

    model: str
    task: str
    corpus: str
    hardware: str = Field(description="the row of the price table, or the provider's model")
    price_per_hour: float | None = Field(description="of the machine; null for a price per minute")
    utilisation: float | None = Field(description="the part of each hour that it works, 0 to 1")
    per_audio_hour: float | None = Field(description="null where it cannot be told: see reason")
    of_run: float | None = Field(description="of this run's predictions")
    watt_hours_per_audio_hour: float | None
    energy_method: str | None = Field(description='"nvml", "rapl" or "nominal" (from the table)')
    currency: str
    source: str = Field(description="where the price comes from, and of when")
    reason: str | None = Field(description="why a figure is null")
    conditions: list[str] = Field(
        default_factory=list, description='of the RTF: "busy" means at most this'
    )


class WordErrors(Part):
    """The commonest word errors of a model on a corpus."""

    model: str
    corpus: str
    rows: list[Confusion]


class WorsenedUtterances(Part):
    """What a model gets wrong on a corpus that it got right in the baseline, the worst first."""

    model: str
    corpus: str
    rows: list[Worsened]


class DominantUtterance(Part):
    """An utterance with more word errors than all others of its corpus together."""

    model: str
    task: str
    corpus: str
    slice: str = Field(description='"all", or the condition or judge that the WER is of')
    id: str
    errors: int = Field(description="its word errors")
    insertions: int = Field(description="of these, words that were inserted")
    words: int = Field(description="of its reference")
    all_errors: int = Field(description="of the whole corpus")
    share: float = Field(description="errors / all_errors")
    wer: float = Field(description="of the whole corpus")
    wer_without: float | None = Field(
        description="of the other utterances; null where their references hold no words"
    )
    answered: bool = Field(description="false: no answer, so that every word counts as deleted")


class HeardThere(Part):
    """What a model heard of an utterance whose reference is suspicious."""

    model: str
    hypothesis: str = Field(description="raw, cut where it is long")
    errors: int = Field(description="word errors against the reference, normalized")


class SuspiciousReference(Part):
    """An utterance of which models that are otherwise good hear another sentence, and the same."""

    id: str
    reference: str = Field(description="raw, cut where it is long")
    heard: list[HeardThere] = Field(description="of each model that is otherwise good")


class SuspiciousReferences(Part):
    """The references of a corpus that a person should look at. They change no figure."""

    corpus: str
    normalizer: str
    models: list[str] = Field(description="that were compared")
    total: int = Field(description="how many there are")
    rows: list[SuspiciousReference] = Field(description="the first of them, in the corpus's order")


class Flip(Part):
    """Two models whose order by WER depends on the normalizer."""

    corpus: str
    better: str = Field(description="under the corpus's own normalizer")
    worse: str
    wer: tuple[float, float] = Field(description="of the better and the worse")
    normalizer: str = Field(description="the one under which the order is the other way round")
    wer_there: tuple[float, float]


class Rescored(Part):
    """How the figures were made anew from what the run keeps."""

    at: str = Field(description="UTC, ISO 8601")
    git_sha: str | None
    thresholds_sha256: str
    packages: dict[str, str] = Field(description="that figures are made with")


class Scorecard(Part):
    """The whole file.

    Version 1 called a value without a limit "pass"; it is read as version 2, "no_limit".
    """

    schema_version: Literal[2] = 2
    run: Run
    provenance: Provenance
    models: list[ModelRecord]
    measurements: list[Measurement]
    grades: list[Grade]
    recommendation: Recommendation
    recommendations: list[Recommendation] = Field(
        default_factory=list, description="one for each use whose task ran"
    )
    costs: list[Cost] = Field(default_factory=list)
    baseline: str | None = Field(default=None, description="the scorecard compared with")
    word_errors: list[WordErrors] = Field(default_factory=list)
    worsened: list[WorsenedUtterances] = Field(default_factory=list)
    dominant_utterances: list[DominantUtterance] = Field(
        default_factory=list, description="single utterances with most of a corpus's word errors"
    )
    non_speech: list[NonSpeechTexts] = Field(
        default_factory=list, description="what was heard where nobody spoke"
    )
    suspicious_references: list[SuspiciousReferences] = Field(
        default_factory=list, description="utterances whose references several models contradict"
    )
    sensitivity: list[Flip] = Field(
        default_factory=list, description="rankings that another normalizer turns round"
    )
    rescored: Rescored | None = Field(
        default=None, description="null where the figures are the session's own"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_version_1(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("schema_version") != 1:
            return content
        rows = content.get("measurements")
        if isinstance(rows, list):
            rows = [_as_of_version_2(row) for row in rows]
        return {**content, "schema_version": 2, "measurements": rows}


def _as_of_version_2(row: Any) -> Any:
    """A measurement of version 1; what is none is left for the checks to refuse."""
    if isinstance(row, dict) and row.get("verdict") == "pass" and row.get("limit") is None:
        return {**row, "verdict": "no_limit"}
    return row


def as_text(card: Scorecard) -> str:
    """What is in the file."""
    content = card.model_dump(mode="json")
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write(card: Scorecard, folder: Path, text: str | None = None) -> Path:
    """Write `scorecard.json`, whole or not at all. text: that of `as_text`, where it is known."""
    path = folder / FILE_NAME
    scratch = path.with_suffix(".tmp")
    scratch.write_text(as_text(card) if text is None else text, encoding="utf-8")
    scratch.replace(path)
    return path


def read(path: Path) -> Scorecard:
    """A scorecard from its file. Raises ValueError for one that breaks the contract."""
    try:
        return Scorecard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ValueError(why_not(path, error)) from None


def json_schema() -> str:
    """The JSON Schema of the file, as kept in scorecard.schema.json."""
    return json.dumps(Scorecard.model_json_schema(), indent=2, sort_keys=True) + "\n"
