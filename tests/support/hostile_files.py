"""Damaged and hostile files that people and runs write, and what their readers may do with them.

A reader gives a value, or one error of the kind that it promises, whose every line can be printed
and the first of which names the file. Nothing else: no other exception, no hang, no memory
without bound.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from adapters.catalog.catalog import Catalog
from adapters.catalog.yaml_file import ConfigError
from evals.gate import thresholds
from evals.gate.baseline import Baseline, BaselineError
from evals.gate.case import Case
from evals.gate.paired_change import NotComparable
from evals.measures.text.error_counts import Counted
from evals.records import jsonl_reader as line_files
from evals.records.jsonl_reader import LineError, line_key
from evals.records.jsonl_writer import LineFile, gather, sealed
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.run import run_file
from evals.run.case_store import Maker, Stored
from reports.comparison import pairing
from reports.page.errors.read_lines import Lines as PageLines
from reports.scorecard import cost, scorecard, task_record
from tests.support import toy_engine
from tests.support.hostile import _VALUES as JSON_VALUES
from tests.support.hostile import _YAML_VALUES as YAML_VALUES
from tests.support.hostile import ACCEPTED, Outcome, _damage, _encoded, _mutated
from tests.support.written_runs import asr_run, document, model_record, row

ROOT = Path(__file__).parents[2]
MODEL, CORPUS = "a", "some-corpus"
IDENTITY = {"engine": "an_engine", "options": {"beam_size": 1}}
CASE = Case(MODEL, "candidate", "asr", CORPUS)


class Raw(str):
    """What stands in a file as it is."""


class Twice(list[tuple[str, Any]]):
    """A mapping that may have a key more than once."""


def written(value: Any) -> str:
    """As JSON, which is YAML too, but for what is raw."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping | Twice):
        pairs = value.items() if isinstance(value, Mapping) else value
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every item of every mapping and list in it: the container and the key."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if type(value[key]) in (dict, list):
            found += _places(value[key])
    return found


_OTHER: st.SearchStrategy[Any] = st.sampled_from([
    "", "../../x", "/etc/passwd", "a/b", "..", ".", "CON", "\x00", "\x1b[2J", "\u202e", "x" * 3000, "\ud800",
    -1, 0, 1e308, 10**30, 10**400, True, None, [], {}, "wer", "asr", "tts", "1/2", "9" * 30 + "/2", "*",
])  # fmt: skip
_CHANGES = st.tuples(
    st.integers(0, 10_000),
    st.sampled_from(["raw", "raw", "other", "other", "drop", "twice", "rename", "list", "swap", "deep"]),
    st.integers(0, 10_000),
)  # fmt: skip


def _change(content: Any, at: int, kind: str, number: int, fragment: str, other: Any) -> None:
    places = _places(content)
    if not places:
        return
    container, key = places[at % len(places)]
    value = container[key]
    if kind == "raw":
        container[key] = Raw(fragment)
    elif kind == "other":
        container[key] = other
    elif kind == "drop":
        del container[key]
    elif kind == "twice" and isinstance(container, dict):
        twin = (
            Twice([*value.items(), *value.items()]) if isinstance(value, dict) and value else value
        )
        container[key] = twin
    elif kind == "rename" and isinstance(container, dict) and isinstance(other, str):
        container[other] = container.pop(key)
    elif kind == "list":
        container[key] = [value] * (number % 4)
    elif kind == "swap":
        there, where = places[number % len(places)]
        container[key] = copy.deepcopy(there[where])
    elif kind == "deep":
        deep = number % 3_000
        container[key] = Raw("[" * deep + written(value) + "]" * deep)


def _documents(
    valid: Callable[[], Any], fragments: st.SearchStrategy[str]
) -> st.SearchStrategy[bytes]:
    """A document that is right but for a few changes of its structure, or of its bytes."""

    def made(parts: tuple[Any, ...]) -> bytes:
        changes, texts, others, encoding, mark, damage = parts
        content = copy.deepcopy(valid())
        for (at, kind, number), fragment, other in zip(changes, texts, others, strict=False):
            _change(content, at, kind, number, fragment, other)
        return _encoded(([written(content) + "\n"], "\n", encoding, mark, damage))

    changed = st.tuples(
        st.lists(_CHANGES, max_size=3),
        st.lists(fragments, min_size=3, max_size=3),
        st.lists(_OTHER, min_size=3, max_size=3),
        st.sampled_from([*["utf-8"] * 12, "utf-16", "utf-32", "latin-1"]),
        st.sampled_from([*[False] * 8, True]),
        st.one_of(*[st.just([])] * 5, _damage(3)),
    ).map(made)
    return changed | st.binary(max_size=80) | _documents_of(fragments)


def _documents_of(fragments: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return fragments.map(lambda text: text.encode("utf-8", "surrogatepass"))


def _texts_of(text: str) -> st.SearchStrategy[bytes]:
    """A text in which a few bytes are others: for YAML as people write it."""
    words = sorted({word for word in text.replace(":", " ").split() if word.isalnum()})

    def made(parts: tuple[Any, ...]) -> bytes:
        swaps, damage = parts
        changed = text
        for word, value in swaps:
            changed = changed.replace(word, value, 1)
        return _mutated(changed.encode("utf-8", "surrogatepass"), damage)

    swap = st.tuples(st.sampled_from(words), YAML_VALUES | st.text(max_size=6))
    return st.tuples(st.lists(swap, max_size=2), st.just([]) | _damage(3)).map(made)


@cache
def _thresholds() -> Any:
    """The repo's, with less of each kind: a case is to take a millisecond."""
    content = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))
    tiers = {
        name: {**tier, "limits": {k: v for k, v in tier.get("limits", {}).items() if k == "asr"}}
        for name, tier in content["tiers"].items()
    }
    return {
        "schema_version": 1,
        "missing_caps_grade_at": "C",
        "bands": {"asr": content["bands"]["asr"]},
        "tiers": tiers,
        "models": {MODEL: {"*": {"asr": {"wer": {"max": 0.1}}}}},
        "corpora": {CORPUS: {"normalizer": "none"}},
        "baseline": {"inconclusive": "pass", "margins": {"asr": {"wer": 0.01}}},
        "use_cases": {
            "general": {
                "description": "d", "task": "asr", "weights": {"wer": 1.0},
                "reject": {"wer": {"max": 0.1}}, "reject_licences": ["copyleft"],
            }
        },
    }  # fmt: skip


_CATALOG = {
    "schema_version": 1,
    "models": {
        "one": {
            "engine": "their_engine.py", "checkpoint": "builtin", "revision": "r", "tasks": ["asr"],
            "tier": "production", "licence": "MIT", "parameters": 9, "download_mb": 1, "default": True,
            "vocabulary": "v", "options": {"mode": "oracle", "drop_every": 3},
        },
        "two": {"engine": "pocketsphinx", "tasks": ["asr"]},
    },
    "sets": {"both": ["one", "two"]},
}  # fmt: skip
_PRICES = {
    "schema_version": 1, "currency": "EUR", "as_of": "2026-11", "source": "s", "utilisation": 0.5,
    "hardware": {"h": {"match": ["*xeon*"], "per": "core", "price_per_hour": 0.1, "watts": 9.0}},
    "api": {"m": {"price_per_minute": 0.1}},
}  # fmt: skip
_PRICES_TEXT = """\
schema_version: 1
currency: EUR
as_of: 2026-11-20
source: a page
utilisation: 0.5
hardware:
  h: &h {match: [xeon], per: core, price_per_hour: 0.1}
  other: {match: [amd], per: device, watts: 017}
"""
_RUN = {
    "schema_version": 1, "started": "2026-11-23T00:00:00+00:00", "directory": "/x",
    "options": {"model": ["a"], "catalog": ["c.yaml"], "corpus": ["m.jsonl"], "thresholds": "t.yaml", "shard": None},
    "arguments": ["evals"], "models": {MODEL: IDENTITY},
    "sessions": [{"started": "2026-11-23T00:00:00+00:00", "command_line": ["pytest"]}],
}  # fmt: skip
_STORED = {
    "schema_version": 1, "case": asdict(CASE), "identity": IDENTITY, "session": 1,
    "properties": [["model_lab.loaded", json.dumps({"revision": None})]],
    "facts": {
        "lines": {f"{CORPUS}.jsonl": 2}, "unfair": [], "contended": False, "normalizer": "none",
        "observed": {"load_time": {"value": 0.1, "n": 1, "ci": None, "reason": None, "conditions": []}},
    },
}  # fmt: skip
_LINES = [
    Prediction("u0", "one two", "one too", 1.0, 0.1, speaker="s", category="c", index=0, metadata={"a": [1]}),
    Prediction("u1", "three", "", 1.0, None, error="it broke", index=1, audio="/a.wav", offset=0.5),
    Prediction("u2", "four", "four", 1.0, 0.2, index=2, batch_seconds=0.4, batch_size=2),
]  # fmt: skip
_DIGEST = "d"


@cache
def _card() -> Any:
    """A scorecard with something of everything."""
    rows = [
        row(
            MODEL, "wer", 0.1, ci=(0.0, 0.2), limit=0.2, bound="max", gated=True, normalizer="none"
        ),
        row(MODEL, "rtf", 0.1, conditions=["busy"], normalizer=None),
        row(MODEL, "wer_change", None, reason="why", normalizer=None),
    ]
    card = document(1, rows, models=[model_record(MODEL)])
    grade = {"task": "asr", "corpus": CORPUS, "grade": "B", "decided_by": "asr/wer", "capped_by": [], "metrics": {"asr/wer": "B"}}  # fmt: skip
    card["grades"] = [{"model": MODEL, "grade": "B", "gate": "pass", "corpora": [grade]}]
    return card


def _record() -> Any:
    return {
        "schema_version": 1, "run": "run-1", "model": model_record(MODEL), "task": "asr",
        "cases": [{
            "tier": "candidate", "corpus": CORPUS, "outcome": "passed", "gate_broken": False,
            "message": None, "facts": _STORED["facts"],
        }],
    }  # fmt: skip


def _sealed_lines(parts: tuple[Any, ...]) -> bytes:
    """Lines, some of them changed before they were sealed, some after."""
    rows, damage = parts
    found = b""
    for number, at, kind, other, fragment, whole in rows:
        line = {k: v for k, v in asdict(_LINES[number % 3]).items() if v is not None}
        key, name = line_key(_DIGEST, line["id"]), json.dumps
        if kind == "sealed":
            names = list(line)
            line[names[at % len(names)]] = other
            try:
                found += sealed(line, line_key(_DIGEST, str(line["id"])), 1)
            except (ValueError, KeyError, UnicodeEncodeError):
                found += name(line).encode() + b"\n"
        elif kind == "raw":
            _change(line, at, "raw", 0, fragment, None)
            found += written(line).encode("utf-8", "surrogatepass") + b"\n"
        elif kind == "named":
            line["id"] = f"x{at}"
            del line["index"]
            found += sealed(line, line_key(_DIGEST, f"x{at}"), 1)
        else:
            found += sealed(line, key, 1)
        if not whole:
            found = found[:-7]
    return _mutated(found, damage)


_LINE_FILES = st.tuples(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 10_000), st.sampled_from(["named", "named", "named", "good", "sealed", "raw"]),
            _OTHER, JSON_VALUES, st.sampled_from([*[True] * 12, False]),
        ),
        max_size=5,
    ),
    st.one_of(*[st.just([])] * 4, _damage(3)),
).map(_sealed_lines) | st.binary(max_size=80)  # fmt: skip


def said(error: BaseException, *names: object) -> Outcome:
    """What a reader said of a file; an assertion where it is not as it must be."""
    lines = str(error).split("\n")
    assert 1 <= len(lines) <= 21, lines[:3]
    for line in lines:
        assert line.isprintable(), ascii(line[:300])
        assert 0 < len(line) <= 2_100, line[:300]
    assert any(str(name) in lines[0] for name in names), lines[0]
    for name in names:
        lines[0] = lines[0].replace(str(name), "")
    return lines[0]


def _outcome(
    kinds: type[BaseException] | tuple[type[BaseException], ...],
    read: Callable[[Path], object],
    *file: str,
    also: Sequence[str] = (),
) -> Callable[[Path, bytes], Outcome]:
    def outcome(folder: Path, content: bytes) -> Outcome:
        path = folder.joinpath(*file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            read(path)
        except kinds as error:
            kind = type(error)  # not one of its kinds, such as UnicodeDecodeError
            assert kind in (kinds if isinstance(kinds, tuple) else (kinds,)), repr(error)  # noqa: PT017
            return said(error, path, *also)
        return ACCEPTED

    return outcome


def _read_thresholds(path: Path) -> None:
    found = thresholds.load(path)
    for gate in ("tier", "production", "off"):
        found.limits(model=MODEL, tier="candidate", task="asr", corpus=CORPUS, gate=gate)
    for use in found.use_cases:
        found.use_limits(use)
    found.margins("asr")
    found.grade("asr", "wer", 0.1)


def _read_catalog(path: Path) -> None:
    engine = path.parent / "their_engine.py"
    if not engine.exists():
        shutil.copy(toy_engine.__file__, engine)
    catalog = Catalog([path])
    for model in (*catalog.select(None), *catalog.select(["*"])):
        assert model.name.isascii()


def _read_prices(path: Path) -> None:
    found = cost.load(path)
    found.find("Xeon")
    assert 0 < found.utilisation <= 1


def _read_card(path: Path) -> None:
    card = scorecard.read(path)
    scorecard.write(card, path.parent / "again")  # what was read can be written


def _read_record(path: Path) -> None:
    for record in task_record.read(path.parents[1], [MODEL]):
        assert record.model.name == MODEL
        for case in record.cases:
            assert (path.parent / case.corpus).resolve().parent == path.parent.resolve()


def _read_run(path: Path) -> None:
    found = run_file.read(path.parent)
    for name in (*run_file.FIXED, *run_file.FREE):
        run_file.option(found, name)
    run_file.refuse_changes(found, {MODEL: IDENTITY})
    run_file.write(path.parent / "again", found)


#: What a session says of a run that is another one, after its name.
_CHANGED = (f"model {MODEL}: ", f"{MODEL} is no model of it", "its model ")


def _resumed(folder: Path, content: bytes) -> Outcome:
    stored = Stored(folder, CASE, maker=Maker(IDENTITY, session=2))
    stored.case_file.parent.mkdir(parents=True, exist_ok=True)
    stored.case_file.write_bytes(content)
    try:
        stored.resume()
        if stored.was_finished:
            stored.figures()
            assert isinstance(stored.normalizer, str)
            assert stored.is_contended in (True, False)
        else:
            stored.made_by(("model_lab.loaded", json.dumps({"revision": None})))
    except ValueError as error:
        return said(error, stored.case_file, f"{MODEL} on {CORPUS}", f"{MODEL} is not what made")
    return ACCEPTED


def _lines(folder: Path, content: bytes) -> Outcome:
    """Every reader of lines on one file; what the strictest says of it."""
    path = folder / "l.jsonl"
    path.write_bytes(content)
    outcomes = []
    try:
        found = line_files.Lines(path, Prediction)
        lines = list(found)
        assert len(lines) == len(found)
        assert len({line.id for line in lines}) == len(lines)
    except LineError as error:
        outcomes.append(said(error, path))
    problems = PageLines(folder, path.name, Prediction)
    assert len(list(problems)) == problems.read
    assert bool(problems.problems) >= bool(outcomes and "twin" in outcomes[0])
    for problem in problems.problems:
        assert problem.startswith(path.name), problem
        assert problem.isprintable(), ascii(problem[:300])
        assert len(problem) < 2_100
    kinds: Sequence[type[Any]] = (Prediction, Spoken, Replied)
    for kind in kinds:
        try:
            pairing.read(path, kind)
        except pairing.BrokenRun as error:
            told = said(error, path)
            outcomes += [told] if kind is Prediction else []
    if "its checksum" not in "".join(outcomes):
        try:
            Counted(line_files.Lines(path, Prediction), "none")
        except ValueError as error:
            outcomes.append(said(error, path))
    return outcomes[0] if outcomes else ACCEPTED


def _appended(folder: Path, content: bytes) -> Outcome:
    """A resumed run: what is there is kept, or refused and left as it is."""
    whole, part = folder / "w.jsonl", folder / "w.~1of2.jsonl"
    whole.write_bytes(content)
    part.write_bytes(content)
    try:
        gather(whole, [part])
        assert not part.exists()
        with LineFile[Prediction](whole, identity=_DIGEST) as file:
            if "new" not in file:
                file.append(Prediction("new", "a", "b", 1.0, 0.1))
        again = whole.read_bytes()
        before = again[: again.rfind(b"\n", 0, -1) + 1]  # but for the line that is new
        assert all(line in content for line in before.splitlines())
        assert len(before) <= max(len(content), len(again) - 1)
    except LineError as error:
        return said(error, whole, part)
    return ACCEPTED


def _baseline(folder: Path, content: bytes) -> Outcome:
    path = folder / "b" / "scorecard.json"
    if not path.exists():
        asr_run(path.parent, 1, {MODEL: _LINES})
    path.write_bytes(content)
    try:
        baseline = Baseline(path)
        assert isinstance(baseline.models, frozenset)
    except BaselineError as error:
        return said(error, path)
    try:
        baseline.compare(CASE, "c" * 64, Counted(_LINES, "none"))
    except NotComparable as error:
        return said(error, "")
    return ACCEPTED


@dataclass(frozen=True)
class Reader:
    """Cases for a reader, and what it makes of one in a folder."""

    cases: st.SearchStrategy[bytes]
    outcome: Callable[[Path, bytes], Outcome]


_JSON = JSON_VALUES
_YAML = YAML_VALUES
READERS: Mapping[str, Reader] = {
    "thresholds": Reader(_documents(_thresholds, _YAML), _outcome(ConfigError, _read_thresholds, "t.yaml")),
    "catalogue": Reader(_documents(lambda: _CATALOG, _YAML), _outcome(ConfigError, _read_catalog, "c.yaml")),
    "prices": Reader(
        _documents(lambda: _PRICES, _YAML) | _texts_of(_PRICES_TEXT), _outcome(ConfigError, _read_prices, "p.yaml")
    ),
    "scorecard": Reader(_documents(_card, _JSON), _outcome(ValueError, _read_card, "s", "scorecard.json")),
    "run record": Reader(_documents(_record, _JSON), _outcome(ValueError, _read_record, "r", MODEL, "asr.json")),
    "run.json": Reader(
        _documents(lambda: _RUN, _JSON), _outcome((ValueError, run_file.NotThisRun), _read_run, "x", "run.json", also=_CHANGED)
    ),
    "case.json": Reader(_documents(lambda: _STORED, _JSON), _resumed),
    "lines": Reader(_LINE_FILES, _lines),
    "lines resumed": Reader(_LINE_FILES, _appended),
    "baseline": Reader(_documents(_card, _JSON), _baseline),
}  # fmt: skip


def folder_of_files(folder: Path) -> Path:
    """Where the files of cases lie."""
    for name in ("s/again", "x/again"):
        (folder / name).mkdir(parents=True)
    return folder


def damaged_runs(names: Sequence[str]) -> st.SearchStrategy[tuple[str, bytes | None]]:
    """A file of a run and its new content; None: it is gone."""
    content = {
        "scorecard.json": _documents(_card, _JSON),
        "run.json": _documents(lambda: _RUN, _JSON),
        f"{MODEL}/asr.json": _documents(_record, _JSON),
        f"{MODEL}/asr/{CORPUS}.jsonl": _LINE_FILES,
    }
    return st.sampled_from(list(names)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(content[name], content[name], st.none()))
    )
