"""What a run keeps of a model on a task and corpus: enough to score it again without the model.

    <run>/<model>/<task>/<corpus>.jsonl       a line for each answer, appended as it comes
    <run>/<model>/<task>/<corpus>.case.json   what made the lines, and what they do not say

Everything else is a pure function of the two. Processes that share the work of a corpus have files
of their own, `<corpus>.~1of2...`, which the last of them to end puts together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from filelock import FileLock

from evals.gate.baseline import Baseline
from evals.gate.case import Case
from evals.measures.run_conditions import CONTENDED, PROVIDED, RESUMED
from evals.records.atomic_json import read_json, write_json
from evals.records.jsonl_reader import Lines
from evals.records.jsonl_writer import LineFile, gather
from evals.records.measurement import Figure
from evals.run.engine_modules import NotResumed, modules_in, on_disk, refuse_changed, with_modules
from evals.run.identity import Identity, differences, digest, summary
from evals.run.shards import WHOLE, Part, figure_of, merged_facts
from fixtures.safe_text import one_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
C = TypeVar("C", bound="_Shardable")
R = TypeVar("R")

#: The name under which what is kept travels in a test's user_properties.
PROPERTY = "model_lab.stored"
#: Of what a model's process tells, that which makes its predictions.
_OF_MODEL = ("revision", "checkpoint_sha256", "parts", "environment")
#: No figure comes near it.
_HUGE = 1e300
_SESSION = re.compile(rb'"session": (\d+), "checksum": "[0-9a-f]{8}"}\s*$')


class _Shardable(Protocol):
    def shard(self: C, number: int, of: int) -> C: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Maker:
    """The session that makes lines.

    identity: of what makes them. session: its number in the run, from 1. redact: takes out of
    texts what must not be kept.
    """

    identity: Identity
    session: int = 1
    redact: Callable[[str], str] | None = None


@dataclass
class Stored:
    """The lines and facts of one case; a task's `score` makes every figure from these alone.

    run: the run's folder. facts: what only the session could tell (times of loading, memory,
    the normalizer), as JSON. baseline: what it is compared with, if anything.
    told: takes the facts, each time that there are more.
    part: of the corpus, that is this process's. shard: of it, that is this session's.
    """

    run: Path
    case: Case
    facts: Mapping[str, Any] = field(default_factory=dict)
    baseline: Baseline | None = None
    told: Callable[[Mapping[str, Any]], None] = lambda facts: None
    part: Part = WHOLE
    shard: Part = WHOLE
    maker: Maker = field(default_factory=lambda: Maker({}))
    #: Every line and fact is there, so that it can be scored.
    is_whole: bool = field(default=False, init=False)
    #: An earlier session has made them all.
    was_finished: bool = field(default=False, init=False)
    #: What belongs in the test's user_properties, from the session that made the lines.
    properties: Sequence[tuple[str, str]] = field(default=(), init=False)
    #: What was computed of its lines, by name.
    _computed: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    #: The files of lines that were begun, of the whole.
    _begun: list[Path] = field(default_factory=list, init=False, repr=False)
    #: How many lines each of them has to have, where that is known.
    _expected: int | None = field(default=None, init=False, repr=False)

    def resume(self, **settled: Any) -> None:
        """Take up what earlier sessions of the run have made. Raises NotResumed, ValueError.

        settled: facts that are this session's to say, as the normalizer is, which makes no line.
        """
        kept = read_json(self.case_file)
        if kept is not None:
            self._refuse_damaged(kept)
            identity = kept.get("identity", {})
            if changed := differences(identity, self.maker.identity):
                raise NotResumed(
                    f"{self.case.model} on {self.case.corpus} ({self.case.task}): "
                    f"{summary(changed)}: resume it as it was, or start a new run"
                )
            self.properties = [(str(n), str(v)) for n, v in kept.get("properties", ())]
            # What could not be measured then may be measured now.
            if kept.get("facts") is not None and "not_measured" not in kept["facts"]:
                theirs = kept["facts"]
                known = {k: v for k, v in settled.items() if k in theirs}
                if not known.get("ruled") and not theirs.get("ruled"):
                    known.pop("normalizer", None)  # an older version may have another default
                self.facts = {**theirs, **known}
                self.was_finished = True
                self.is_whole = self.part.number == 1
                self.told(self.facts)
                return
        with self._locked():
            self._write_case(None)

    def _refuse_damaged(self, kept: Mapping[str, Any]) -> None:
        """Raise ValueError where it is not what `_write_case` and `keep` wrote."""
        facts, properties = kept.get("facts"), kept.get("properties", [])
        right = {
            "identity": isinstance(kept.get("identity", {}), dict),
            "properties": isinstance(properties, list) and all(map(_is_property, properties)),
            "facts": facts is None or isinstance(facts, dict),
        }
        if isinstance(facts, dict):
            right["facts.normalizer"] = isinstance(facts.get("normalizer", ""), str)
            for name in ("unfair", "conditions", "judges", "languages"):
                texts = facts.get(name) or []
                right[f"facts.{name}"] = isinstance(texts, list) and all(
                    isinstance(text, str) for text in texts
                )
            for name in ("observed", "lines", "unavailable"):
                right[f"facts.{name}"] = isinstance(facts.get(name, {}), dict)
            if right["facts.observed"]:
                rows = facts.get("observed", {}).values()
                right["facts.observed"] = all(map(_is_figure, rows))
        wrong = next((name for name, good in right.items() if not good), None)
        if wrong is not None:
            raise ValueError(one_line(f"{self.case_file}: {wrong}: not as Model Lab writes it"))

    def made_by(self, loaded: tuple[str, str]) -> None:
        """Note what the model's process told of itself, a property of the test.

        Raises NotResumed where it is not what made the lines that are there.
        """
        before = dict(self.properties).get(loaded[0])
        if before is not None and any(path.exists() for path in self._files()):
            was, now = (
                {key: json.loads(row).get(key) for key in _OF_MODEL} for row in (before, loaded[1])
            )
            if changed := differences(was, now):
                raise NotResumed(
                    f"{self.case.model} is not what made the predictions: {summary(changed)}: "
                    "resume them with what it was, or start a new run"
                )
            refuse_changed(self.case.model, modules_in(before), modules_in(loaded[1]))
            loaded = loaded[0], with_modules(loaded[1], before)
        self.properties = [loaded]
        with self._locked():
            self._write_case(None)

    def also_made_by(self, loaded: tuple[str, str]) -> None:
        """Add to what the model's process told of itself the modules that it loaded since."""
        name, told = loaded
        with self._locked():
            kept = read_json(self.case_file) or {}
            rows = dict(kept.get("properties", ()))
            if name in rows and modules_in(told).keys() - modules_in(rows[name]).keys():
                rows[name] = with_modules(rows[name], told)
                write_json(self.case_file, {**kept, "properties": [[*x] for x in rows.items()]})

    def _files(self) -> Sequence[Path]:
        whole = self.path()
        return [whole, *whole.with_suffix("").glob("*.jsonl")]

    @property
    def case_file(self) -> Path:
        return self.path().with_suffix(".case.json")

    def path(self, part: str | None = None) -> Path:
        """The file of its lines; those of a part, such as a condition, are in a folder."""
        whole = self.run / self.case.model / self.case.task / f"{self.case.corpus}.jsonl"
        return whole.with_suffix("") / f"{part}.jsonl" if part else whole

    @property
    def is_contended(self) -> bool:
        """Whether other processes of the session share the machine."""
        return CONTENDED in self.facts.get("unfair", ())

    def share(self, corpus: C) -> C:
        """What of the corpus this process asks the model about."""
        if not self.shard.is_whole:
            corpus = corpus.shard(self.shard.number, self.shard.of)
        self._expected = len(corpus)
        return corpus if self.part.is_whole else corpus.shard(self.part.number, self.part.of)

    def lines(self, kind: type[T], part: str | None = None) -> LineFile[T]:
        """The file to append lines to; those of earlier sessions are in it."""
        return self.line_file(self.path(part))

    def line_file(self, path: Path) -> LineFile[Any]:
        """As `lines`, of any file beside them."""
        self._begun.append(path)
        return LineFile(
            _of_part(path, self.part),
            identity=digest(self.maker.identity),
            session=self.maker.session,
            redact=self.maker.redact,
            whole=None if self.part.is_whole else path,
        )

    def read(self, kind: type[T], part: str | None = None) -> Lines[T]:
        """Its lines. Raises OSError; ValueError naming the line that is none, or how many are gone.

        Lines that a copy has lost would make every figure another one without a word.
        """
        path = self.path(part)
        found = Lines(path, kind)
        written = self.facts.get("lines", {}).get(self._name(path))
        if written is not None and len(found) != written:
            raise ValueError(f"{path}: {len(found)} lines, where {written} were written")
        return found

    def once(self, name: str, compute: Callable[[], R]) -> R:
        """What `compute` makes of its lines, made the first time that it is wanted."""
        if name not in self._computed:
            self._computed[name] = compute()
        found: R = self._computed[name]
        return found

    def keep(self, **facts: Any) -> None:
        """Remember facts: JSON, or figures by metric. The case is whole when all parts have."""
        if not self.shard.is_whole:
            facts["shard"] = [self.shard.number, self.shard.of]
        plain = json.dumps(facts, allow_nan=False, default=_plain)
        # Read back, so that a session scores what a later `rescore` will find.
        self.facts = {**self.facts, **json.loads(plain)}
        with self._locked():
            if not self.part.is_whole:
                write_json(self._part_file(self.part), self.facts)
                of = self.part.of
                parts = [Part(number, of) for number in range(1, of + 1)]
                found = [read_json(self._part_file(part)) for part in parts]
                every = [one for one in found if one is not None]
                if len(every) < of:
                    return
                for path in self._begun:
                    gather(path, [_of_part(path, part) for part in parts])
                self.facts = merged_facts(every)
            self._count_lines()
            self._write_case(self.facts)
            if not self.part.is_whole:
                for part in parts:
                    self._part_file(part).unlink()
        self.is_whole = True
        self.told(self.facts)

    def _count_lines(self) -> None:
        """Note how many there are, and whether more than one session made them."""
        counts: dict[str, int] = {}
        sessions: set[bytes] = set()
        for path in self._begun:
            with path.open("rb") as file:
                count = 0
                for line in file:
                    count += 1
                    found = _SESSION.search(line, max(0, len(line) - 80))
                    sessions.add(found[1] if found else b"")
            counts[self._name(path)] = count
            unavailable = path.stem in self.facts.get("unavailable", {})
            if self._expected is not None and count != self._expected and not unavailable:
                raise ValueError(f"{path}: {count} lines, for {self._expected} utterances")
        unfair = set(self.facts.get("unfair", ()))
        if sessions - {b"%d" % self.maker.session} and PROVIDED not in unfair:
            unfair.add(RESUMED)
        self.facts = {**self.facts, "lines": counts, "unfair": sorted(unfair)}

    def _write_case(self, facts: Mapping[str, Any] | None) -> None:
        content = {
            "schema_version": 1,
            "case": asdict(self.case),
            "identity": self.maker.identity,
            "session": self.maker.session,
            "properties": [list(one) for one in self.properties],
            "facts": facts,
        }
        write_json(self.case_file, content)

    def _part_file(self, part: Part) -> Path:
        return self.path().with_suffix(f"{part.suffix}.json")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process of the session at a time."""
        self.case_file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.run / ".parts.lock"):
            yield

    def _name(self, path: Path) -> str:
        return path.relative_to(self.run / self.case.model / self.case.task).as_posix()

    def figures(self, name: str = "observed") -> Mapping[str, Figure]:
        """The figures that were kept under a name."""
        return {metric: figure_of(row) for metric, row in self._fact(name).items()}

    @property
    def normalizer(self) -> str:
        """The name of the normalizer that its texts are scored with."""
        return str(self._fact("normalizer"))

    def _fact(self, name: str) -> Any:
        try:
            return self.facts[name]
        except KeyError:
            raise ValueError(one_line(f"{self.case_file}: facts.{name}: missing")) from None


def refuse_changed_modules(run: Path) -> None:
    """Raise NotResumed where a module that the run's models loaded is not what it was."""
    for file in sorted(run.glob("*/*/*.case.json")):
        case = case_in(file)
        if case is None:
            continue  # its own test says what is wrong with it
        for row in (read_json(file) or {}).get("properties") or ():
            if _is_property(row):
                was = modules_in(row[1])
                refuse_changed(case.model, was, on_disk(was))


def kept_identity(run: Path, case: Case) -> Identity:
    """What an earlier session of the run says that a case's lines are made by; {} of none."""
    try:
        kept = read_json(Stored(run, case, {}).case_file) or {}
    except ValueError:
        return {}  # resuming says what is wrong with it
    found = kept.get("identity")
    return found if isinstance(found, dict) else {}


def case_in(file: Path) -> Case | None:
    """The case that a case file is of; None where the file is damaged."""
    try:
        kept = read_json(file)
        return Case(**kept["case"]) if kept is not None else None
    except (KeyError, TypeError, ValueError):
        return None


def tidy(run: Path) -> None:
    """Put together what a session with several processes left in parts, before another goes on.

    Raises LineError for a part that is broken.
    """
    for path in sorted(run.rglob("*.~*of*")):
        name = re.sub(r"\.~\d+of\d+", "", path.name)
        if path.suffix == ".jsonl":
            gather(path.with_name(name), [path])
        else:
            path.unlink()


def _is_property(row: Any) -> bool:
    """A name and JSON of an object, of which a later session compares some keys."""
    if not (isinstance(row, list) and len(row) == 2 and all(isinstance(x, str) for x in row)):
        return False
    try:
        return isinstance(json.loads(row[1]), dict)
    except (ValueError, RecursionError):
        return False


def _is_figure(row: Any) -> bool:
    try:
        figure = figure_of(row)
    except (TypeError, LookupError, ArithmeticError, ValueError):
        return False
    numbers = [x for x in (figure.value, *(figure.ci or ())) if x is not None]
    return all(type(x) in (int, float) and abs(x) < _HUGE for x in (figure.n, *numbers))


def _of_part(path: Path, part: Part) -> Path:
    return path if part.is_whole else path.with_suffix(f"{part.suffix}{path.suffix}")


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        # Of other corpora, which nobody asks of a fact: the one field that no file can hold.
        return asdict(replace(value, forecast=None))
    raise TypeError(f"{type(value).__name__} is not JSON")
