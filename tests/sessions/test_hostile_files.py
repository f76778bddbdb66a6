"""Broken and hostile files of people and runs: each is a value, or one error that names the place.

MODEL_LAB_FUZZ=10000 tries that many cases of each reader; tests/benchmarks/fuzz_files.py counts
what comes of them, in processes with limits.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import tracemalloc
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings

from adapters.catalog import yaml_file
from adapters.catalog.yaml_file import ConfigError
from evals.gate.thresholds import Thresholds
from evals.records.jsonl_reader import LineError, Lines
from evals.records.jsonl_writer import LineFile
from evals.records.predictions import Prediction
from reports.__main__ import main
from reports.page.scorecard_page import write_page
from reports.runs.merge_shards import NotMerged, merge
from reports.runs.promote import promote
from tests.support.hostile import ACCEPTED
from tests.support.hostile_files import CORPUS, MODEL, READERS, damaged_runs, folder_of_files
from tests.support.page_reader import Page
from tests.support.sessions import run_toys, write_toys
from tests.support.toy_engine import samples_of, toy_corpus
from tests.support.written_runs import asr_run, write_lines

pytestmark = pytest.mark.slow


def page_of(run: Path) -> Page:
    return Page((run / "scorecard.html").read_text(encoding="utf-8"))


CASES = int(os.environ.get("MODEL_LAB_FUZZ", "60"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_files(tmp_path_factory.mktemp("hostile") / "files")


@pytest.mark.parametrize("name", READERS)
def test_every_file_is_a_value_or_one_error(name: str, folder: Path) -> None:
    reader, outcomes = READERS[name], Counter[str]()

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(reader.cases)
    def tried(content: bytes) -> None:
        outcomes[reader.outcome(folder, content)] += 1

    tried()
    assert outcomes[ACCEPTED]  # or else the cases are of one kind only
    assert len(outcomes) > 1


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = {
    "aliases of aliases": (LAUGHS, "too many values"),
    "itself": ("a: &a [*a]", "nested too deeply|too many"),
    "brackets": ("[" * 200_000, ":1: cannot be read: nested too deeply"),
    "dashes": ("- " * 100_000, ":1: cannot be read: nested too deeply"),
    "sexagesimal": ("a: " + "1:1" * 100_000, "put it in quotes"),
    "long number": ("a: 0x" + "f" * 9_000, "put it in quotes"),
    "size": ("a: b\n" + "#" * 2**23, "larger than 4 MiB"),
    "keys": ("".join(f"k{n}: 1\n" for n in range(500)), r"\.\.\. and \d+ more"),
    "tag": ("a: !!python/object/apply:os.system [id]", ":1: not valid YAML here: the tag"),
    "merge key": ("a: {<<: {b: c}}", r":1: a: unknown key"),
    "date": ("schema_version: 2026-01-01", ":1: schema_version: "),
    "octal": ("schema_version: 010", ":1: schema_version: "),
    "key that is a list": ("? [a]\n: b", ":1: file: a key must be text"),
    "escape": ('"\\e]0;x\\a": 1', r"\\x1b\]0;x\\x07: unknown key"),
    "half a character": ('a: "\\uD800"', ":1: "),
}


@pytest.mark.parametrize("kind", YAMLS)
def test_yaml_that_grows_or_never_ends(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fixtures.yaml_places._MOST_VALUES", 20_000)
    text, says = YAMLS[kind]
    path = tmp_path / "t.yaml"
    path.write_text(text)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError) as caught:
            yaml_file.load(path, Thresholds)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.search(says, str(caught.value)), str(caught.value)[:500]
    assert peak < 150 * 2**20


def test_a_line_without_an_end_is_not_read_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.records.jsonl_reader._LONGEST", 2**16)
    path = tmp_path / "l.jsonl"
    path.write_bytes(b"x" * 2**18)
    with pytest.raises(LineError, match="longer than"):
        Lines(path, Prediction)
    with pytest.raises(LineError, match="longer than"):
        LineFile[Prediction](path)


def a_run(folder: Path, audio: str | None = None) -> Path:
    lines = [
        Prediction(f"u{n}", f"word {n}", "other", 0.5, 0.1, index=n, audio=audio, offset=0.0 if audio else None)
        for n in range(20)
    ]  # fmt: skip
    return asr_run(folder, 1, {MODEL: lines})


#: Commands on the run `b`, beside which there is a sound one.
COMMANDS = {
    "rescore": ["rescore", "b", "--dry-run"],
    "html": ["html", "b", "--audio"],
    "compare": ["compare", "a", "b"],
    "merge": ["merge", "b", "--runs-dir", "merged"],
    "history": ["history", "--runs-dir", "."],
    "devices": ["devices", "b"],
    "promote": ["promote", "b", "--name", "x"],
    "calibrate": ["calibrate", "a", "b"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_damaged_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "a")
    files = ["scorecard.json", f"{MODEL}/asr/{CORPUS}.jsonl", f"{MODEL}/asr.json", "run.json"]

    @settings(
        max_examples=max(6, CASES // 8), deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(damaged_runs(files))
    def tried(damage: tuple[str, bytes | None]) -> None:
        shutil.rmtree("b", ignore_errors=True)
        a_run(tmp_path / "b")
        file, content = damage
        if content is None:
            (tmp_path / "b" / file).unlink(missing_ok=True)
        else:
            (tmp_path / "b" / file).write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(COMMANDS[name])
        assert status in (0, 1)
        for said in (out.getvalue(), err.getvalue()):
            assert all(c.isprintable() or c in "\n\t" for c in said), ascii(said[:2000])
        if status:
            assert out.getvalue() or err.getvalue()

    tried()
    (tmp_path / "b" / "scorecard.json").unlink(missing_ok=True)
    assert main(COMMANDS[name]) == (0 if name == "history" else 1)
    assert name == "history" or re.search(r"\bb\b", capsys.readouterr().err)


def test_lines_are_merged_into_the_run_alone(tmp_path: Path) -> None:
    """Whoever made the shards says where their lines are, and the names are written to."""
    from tests.support.hostile_files import _RUN, _record

    for number in (1, 2):
        run = a_run(tmp_path / f"s{number}")
        card = json.loads((run / "scorecard.json").read_text())
        card["run"]["shard"] = f"{number}/2"
        (run / "scorecard.json").write_text(json.dumps(card))
        (run / "run.json").write_text(json.dumps(_RUN))
        record = _record()
        record["cases"][0]["facts"] = {"lines": {"../../../taken.jsonl": 0}, "shard": [number, 2]}
        (run / MODEL / "asr.json").write_text(json.dumps(record))
    with pytest.raises(NotMerged, match="is no file of lines in the run"):
        merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "runs")
    assert not list(tmp_path.rglob("taken*"))


@pytest.mark.parametrize("corpus", ["../../x", "/etc/x", "..", "a\\b", "a\0b", ""])
def test_a_record_leads_nowhere_else(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support.hostile_files import _record

    run = a_run(tmp_path / "run")
    record = _record()
    record["cases"][0]["corpus"] = corpus
    (run / MODEL / "asr.json").write_text(json.dumps(record))
    assert main(["rescore", str(run)]) == 1
    assert "cases.0.corpus" in capsys.readouterr().err


def test_a_promoted_run_has_no_files_of_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    run = a_run(tmp_path / "run")
    (run / "link").symlink_to(tmp_path / "secret")
    promoted = promote(run, "x", tmp_path / "baselines")
    assert (promoted / "link").is_symlink()


def test_html_takes_no_sound_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run from somebody else may name any file of this machine."""
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    for place in (elsewhere, here):
        place.mkdir()
        soundfile.write(place / "private.wav", samples_of("word"), 16_000)
    monkeypatch.chdir(here)

    def clips(audio: Path | str, *more: str) -> int:
        shutil.rmtree(here / "run", ignore_errors=True)
        run = a_run(here / "run", str(audio))
        if audio == "in it":
            soundfile.write(run / "own.wav", samples_of("word"), 16_000)
            lines = [
                Prediction(f"u{n}", "a", "b", 0.5, 0.1, audio=str(run / "own.wav"), offset=0.0)
                for n in range(20)
            ]
            write_lines(run / MODEL / "asr" / f"{CORPUS}.jsonl", lines)
            monkeypatch.chdir(elsewhere)
        assert main(["html", str(run), "--audio", *more]) == 0
        monkeypatch.chdir(here)
        return len(page_of(run).errors["audio"])

    private = elsewhere / "private.wav"
    (here / "link.wav").symlink_to(private)
    for path in (
        private,
        "../elsewhere/private.wav",
        here / "link.wav",
        "/etc/passwd",
        "/dev/zero",
    ):
        assert clips(path) == 0
    assert clips(here / "private.wav") == 1
    assert clips("in it") == 1
    assert clips(private, "--audio-root", str(elsewhere)) == 1
    run = a_run(here / "run", str(private))
    write_page(run, audio=True)  # as a session writes its own
    assert len(page_of(run).errors["audio"]) == 1


#: What a terminal, a page, a Markdown document or an XML file would each obey or break on.
EVIL = "</script><img src=x onerror=alert(1)>\"'` | [x](javascript:alert(2)) \x1b[2J\x1b]0;t\x07\r\u202e\u2028\x9b31m&amp;::error::"
ENGINE = """
from adapters.interface import Adapter, LoadSpec, ModelError, Transcript
EVIL = {evil!r}

class Evil(Adapter):
    options = {{"mode": ""}}

    def load(self, spec):
        self.mode = spec.options["mode"]
        self.heard = 0
        if self.mode == "unloadable":
            raise ModelError("load " + EVIL)

    def transcribe(self, audio):
        print(EVIL, flush=True)
        self.heard += 1
        if self.mode == "raises" and self.heard > 3:
            raise RuntimeError("hear " + EVIL)
        return Transcript("said " + EVIL)


ADAPTER = Evil
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A session in which models and corpus say what is evil; and what it printed."""
    folder = tmp_path_factory.mktemp("evil")
    modes = ("says", "raises", "unloadable")
    write_toys(folder, {mode: {"mode": mode} for mode in modes}, tier="production")
    (folder / "their_engine.py").write_text(ENGINE.format(evil=EVIL), encoding="utf-8")
    texts = [f"{n} {EVIL}" for n in range(4)]
    manifest = toy_corpus(folder / "toy", ["x"] * 4, seconds=0.2)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row, text in zip(rows, texts, strict=True):
        row.update(id=text, text=text, category=EVIL, speaker=text, **{EVIL: EVIL})
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
        done = run_toys(
            folder, "-m", "asr and not latency", *(f"--model={mode}" for mode in modes),
            f"--junit-xml={folder / 'junit.xml'}", "--github", "-rA",
        )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return folder, done.stdout + done.stderr


def test_nothing_evil_reaches_a_terminal(session: tuple[Path, str]) -> None:
    folder, said = session
    assert "hear </script>" in said or "load </script>" in said
    odd = {c for c in said if not (c.isprintable() or c == "\n")}
    assert not odd, ascii(sorted(odd))
    assert not re.search(r"^::error::", said, re.MULTILINE)
    run = (folder / "runs" / "latest").resolve()
    for command in (["rescore", str(run), "--dry-run"], ["compare", str(run), str(run)], ["devices", str(run)]):  # fmt: skip
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main(command)
        assert out.getvalue()
        odd = {c for c in out.getvalue() if not (c.isprintable() or c == "\n")}
        assert not odd, (command, ascii(sorted(odd)))


def test_nothing_evil_breaks_a_page(session: tuple[Path, str]) -> None:
    page = page_of(session[0] / "runs" / "latest")
    assert "<img src=x" not in page.html
    assert 'href="javascript:' not in page.html
    for raw in ("\x1b", "\x9b", "\u202e", "\u2028", "\x07"):
        assert raw not in page.html
    assert any("onerror" in json.dumps(row) for row in page.errors["errors"])  # shown as text


def test_nothing_evil_breaks_a_summary_or_junit(session: tuple[Path, str]) -> None:
    folder, _ = session
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert all(c.isprintable() or c == "\n" for c in summary)
    assert "<img" not in summary
    assert not re.search(r"(?<!\\)\]\(javascript:", summary)
    tree = ET.parse(folder / "junit.xml")
    failures = [failure for failure in tree.iter() if failure.tag in ("failure", "error")]
    assert len(failures) == 3
    texts = [text for one in tree.iter() for text in (one.text or "", *one.attrib.values())]
    odd = {c for text in texts for c in text if not (c.isprintable() or c in "\n\t")}
    assert not odd, ascii(sorted(odd))


def test_a_damaged_run_is_not_resumed(tmp_path: Path) -> None:
    from tests.support.hostile_files import _RUN

    write_toys(tmp_path, {"one": {}})
    toy_corpus(tmp_path / "toy", ["x"])
    run = tmp_path / "run"
    run.mkdir()
    broken: dict[str, Any] = {**_RUN, "options": {"model": 5}}
    (run / "run.json").write_text(json.dumps(broken))
    done = run_toys(tmp_path, f"--resume={run}")
    assert done.returncode == 4
    assert "run.json: options.model: not as Model Lab writes it" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reference", 3), ("hypothesis", None), ("audio_seconds", "1"), ("audio_seconds", True),
        ("audio_seconds", 10**400), ("processing_seconds", float("nan")), ("error", 1),
        ("metadata", []), ("contended", 0), ("index", -1), ("id", ["a"]), ("attempts", 1.5),
    ],
)  # fmt: skip
def test_a_line_is_of_its_types(field: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    row = asdict(Prediction("a", "b", "c", 1, 0.5))
    path.write_text(json.dumps(row) + "\n")
    assert [line.audio_seconds for line in Lines(path, Prediction)] == [1]
    path.write_text(json.dumps({**row, field: value}) + "\n")
    with pytest.raises(LineError, match=rf"l\.jsonl:1: .*{field}"):
        list(Lines(path, Prediction))
