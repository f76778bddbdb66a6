"""A run that dies is resumed: nothing lost, nothing twice, the same figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.measures.run_conditions import RESUMED, touched
from fixtures.corpora.corpus import read_manifest
from tests.support.sessions import ROOT, TEXTS, card_of, run_toys, shared_arguments, write_toys
from tests.support.toy_engine import toy_corpus

pytestmark = pytest.mark.slow

SELECT = ("-m", "asr and not latency")
UTTERANCES = len(TEXTS)


def prepared(folder: Path, **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    write_toys(folder, {"hears": {"mode": "shuffled", **options}, "other": {}}, tier="baseline")
    toy_corpus(folder / "toy", TEXTS)
    return folder


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *shared_arguments(folder), *SELECT, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "waited two minutes"
        time.sleep(0.01)


def the_run(folder: Path) -> Path:
    (run,) = (path for path in (folder / "runs").glob("20*") if path.is_dir())
    return run


def lines_of(folder: Path, model: str = "hears") -> list[dict[str, Any]]:
    found = (folder / "runs").glob(f"20*/{model}/asr/toy*.jsonl")
    return [
        json.loads(x)
        for path in found
        for x in path.read_text().splitlines(keepends=True)
        if x.endswith("\n")
    ]


def killed_after(folder: Path, lines: int, *arguments: str, number: int = signal.SIGKILL) -> str:
    """Start a session, send it a signal when it has written so many lines; what it printed."""
    process = started(folder, *arguments)
    try:
        wait_for(lambda: len(lines_of(folder)) >= lines, process)
        process.send_signal(number)
        return process.communicate(timeout=120)[0]
    finally:
        process.kill()


def figures(card: dict[str, Any]) -> list[dict[str, Any]]:
    """All that does not depend on the machine's speed and memory."""
    return [m for m in card["measurements"] if not touched(m["metric"], [RESUMED])]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = prepared(tmp_path_factory.mktemp("whole"))
    done = run_toys(folder, *SELECT, "--model=hears", "--model=other")
    assert done.returncode == 0, done.stdout
    return card_of(folder)


def test_killed_and_resumed(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    models = ("--model=hears", "--model=other")
    killed_after(folder, 30, *models)
    run = the_run(folder)
    before = lines_of(folder)
    assert 30 <= len(before) < UTTERANCES
    assert not (run / "scorecard.json").exists()

    done = run_toys(folder, f"--resume={run}")

    assert done.returncode == 0, done.stdout
    after = lines_of(folder)
    assert after[: len(before)] == before  # not one was made again
    assert sorted(line["index"] for line in after) == list(range(UTTERANCES))
    assert {line["session"] for line in after} == {1, 2}
    card = json.loads((run / "scorecard.json").read_text())
    assert figures(card) == figures(uninterrupted)
    assert card["run"]["conditions"] == [RESUMED]
    speed = {
        (m["model"], m["metric"]): m
        for m in card["measurements"]
        if m["metric"] in ("rtf", "peak_memory")
    }
    assert speed["hears", "rtf"]["conditions"] == [RESUMED]
    assert speed["hears", "peak_memory"]["conditions"] == [RESUMED]
    # Begun and ended in the second session (and "busy" where this machine is).
    assert RESUMED not in speed["other", "rtf"]["conditions"]

    # All is there now: no model is loaded again, and the figures are the same.
    again = run_toys(folder, "--resume=" + run.name)
    assert again.returncode == 0, again.stdout
    assert lines_of(folder) == after
    assert {path.name for path in (run / "hears").glob("worker*.log")} <= {"worker.log"}
    last = json.loads((run / "scorecard.json").read_text())
    assert last["measurements"] == card["measurements"]
    assert [m["device"] for m in last["models"]] == [m["device"] for m in card["models"]]


def test_a_sample_is_resumed_as_the_same_sample(tmp_path: Path) -> None:
    folder = prepared(tmp_path, sleep=0.1)
    killed_after(folder, 3, "--model=hears", "--limit=12", "--seed=2")
    before = lines_of(folder)
    assert 3 <= len(before) < 12
    run_toys(folder, f"--resume={the_run(folder)}")
    sample = read_manifest(folder / "toy" / "manifest.jsonl").sample(12, seed=2)
    after = lines_of(folder)
    assert after[: len(before)] == before
    assert [line["id"] for line in after] == [utterance.id for utterance in sample]


def test_a_half_written_line_is_dropped_and_made_again(tmp_path: Path) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    killed_after(folder, 10, "--model=hears")
    run = the_run(folder)
    file = run / "hears" / "asr" / "toy.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-25])

    done = run_toys(folder, f"--resume={run}")

    assert done.returncode == 0, done.stdout
    assert sorted(line["index"] for line in lines_of(folder)) == list(range(UTTERANCES))


def test_a_line_that_was_changed_is_refused_by_its_number(tmp_path: Path) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    killed_after(folder, 10, "--model=hears")
    run = the_run(folder)
    file = run / "hears" / "asr" / "toy.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace('"error": null', '"error": "none"')
    file.write_text("".join(lines))

    done = run_toys(folder, f"--resume={run}")

    assert done.returncode != 0
    assert "toy.jsonl:4: its checksum is not that of the line" in done.stdout + done.stderr
    assert len(lines_of(folder)) == len(lines)


CHANGES: dict[str, tuple[Sequence[str], str]] = {
    "another model": (
        ("--model=other",),
        "--model is another one: the run was begun with --model hears",
    ),
    "another seed": (("--seed=3",), "--seed is another one"),
    "other tests": (
        ("-m", "smoke"),
        "-m is another one: the run was begun with -m asr and not latency",
    ),
}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepared(tmp_path_factory.mktemp("interrupted"), sleep=0.02)
    killed_after(folder, 10, "--model=hears")
    return folder


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_as_it_was_is_refused_by_name(change: str, interrupted: Path) -> None:
    arguments, said = CHANGES[change]
    done = run_toys(interrupted, f"--resume={the_run(interrupted)}", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr, done.stderr


def test_changed_options_and_corpora_are_refused_by_name(interrupted: Path) -> None:
    catalog = interrupted / "catalog.yaml"
    entries = catalog.read_text()
    catalog.write_text(entries.replace("mode: shuffled", "mode: shuffled\n      drop_every: 7"))
    try:
        done = run_toys(interrupted, f"--resume={the_run(interrupted)}")
    finally:
        catalog.write_text(entries)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "model hears: options.drop_every was 10 and is 7" in done.stderr

    manifest = interrupted / "toy" / "manifest.jsonl"
    rows = manifest.read_text()
    manifest.write_text(rows.replace("turn on", "turn off", 1))
    try:
        done = run_toys(interrupted, f"--resume={the_run(interrupted)}")
    finally:
        manifest.write_text(rows)
    assert done.returncode == 1
    assert "hears on toy (asr): corpus was" in done.stdout


def test_two_sessions_never_write_to_one_run(tmp_path: Path) -> None:
    folder = prepared(tmp_path, sleep=0.1)
    first = started(folder, "--model=hears")
    try:
        wait_for(lambda: len(lines_of(folder)) >= 3, first)
        second = run_toys(folder, f"--resume={the_run(folder)}")
    finally:
        first.kill()
        first.communicate()
    assert second.returncode == pytest.ExitCode.USAGE_ERROR
    assert "another session is writing to it" in second.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_a_partial_scorecard(number: int, tmp_path: Path) -> None:
    folder = prepared(tmp_path, sleep=0.05)
    said = killed_after(folder, 10, "--model=other", "--model=hears", number=number)
    run = the_run(folder)
    card = json.loads((run / "scorecard.json").read_text())
    assert card["run"]["complete"] is False
    assert card["run"]["exit_status"] == pytest.ExitCode.INTERRUPTED
    wer = {
        m["model"]: m for m in card["measurements"] if m["metric"] == "wer" and m["slice"] == "all"
    }
    assert wer["other"]["value"] == 0
    assert wer["hears"]["verdict"] == "error"
    assert f"--resume {run.relative_to(folder)}" in said.replace("\n", " ")

    done = run_toys(folder, f"--resume={run}")

    assert done.returncode == 0, done.stdout
    assert json.loads((run / "scorecard.json").read_text())["run"]["complete"] is True


def test_a_killed_worker_costs_nothing(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    session = started(folder, "--model=hears", "--model=other")
    try:
        for lines in (5, 20, 40):
            wait_for(lambda: len(lines_of(folder)) >= lines, session)  # noqa: B023
            for child in children(session.pid):
                os.kill(child, signal.SIGKILL)
        said, _ = session.communicate(timeout=120)
    finally:
        session.kill()
    assert session.returncode == 0, said
    made = lines_of(folder)
    assert sorted(line["index"] for line in made) == list(range(UTTERANCES))
    assert not any(line["error"] for line in made)
    assert any(line["attempts"] == 2 for line in made)
    assert figures(card_of(folder)) == figures(uninterrupted)


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children()]


def test_a_full_disk_stops_the_session_and_spares_what_there_is(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    run_it = "import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", limit + run_it, *shared_arguments(folder), *SELECT, "--model=hears"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode not in (0, 1), done.stdout
    assert "toy.jsonl" in done.stdout
    assert "free some space" in done.stdout
    kept = lines_of(folder)
    assert 10 < len(kept) < UTTERANCES

    again = run_toys(folder, f"--resume={the_run(folder)}")

    assert again.returncode == 0, again.stdout
    assert lines_of(folder)[: len(kept)] == kept
    assert sorted(line["index"] for line in lines_of(folder)) == list(range(UTTERANCES))


def test_fewer_tests_do_not_pass_for_the_run(tmp_path: Path) -> None:
    """What failed before and is not asked again is no pass."""
    folder = prepared(tmp_path)
    done = run_toys(
        folder, "-m", "smoke or asr and not latency", "--model=hears", "--gate=production"
    )
    assert done.returncode == 1
    run = the_run(folder)
    named = run_toys(folder, f"--resume={run}", "../../evals/test_smoke.py")
    assert named.returncode == pytest.ExitCode.USAGE_ERROR
    assert "the tests that are named are not those that the run was begun with" in named.stderr
    fewer = run_toys(folder, f"--resume={run}", "--deselect=evals/test_asr.py", "--gate=off")
    assert fewer.returncode == 1
    assert "hears on toy (asr): the run was resumed without its test" in fewer.stdout
    card = json.loads((run / "scorecard.json").read_text())
    wer = [m for m in card["measurements"] if m["metric"] == "wer"]
    assert [m["verdict"] for m in wer] == ["error"]
    assert card["run"]["exit_status"] == 1


def test_another_engine_file_is_refused(interrupted: Path) -> None:
    engine = interrupted / "their_engine.py"
    before = engine.read_text(encoding="utf-8")
    engine.write_text(before + "\n# changed\n", encoding="utf-8")
    try:
        done = run_toys(interrupted, f"--resume={the_run(interrupted)}")
    finally:
        engine.write_text(before, encoding="utf-8")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "model hears: engine_sha256 was" in done.stderr


#: How an engine loads the module beside it: when it is read, with the checkpoint, on its first call,
#: or over one utterance alone.
LOADS = {
    "at the top": ("import ears\n", "", ""),
    "with the model": ("", "import ears", ""),
    "on the first call": ("", "", "import ears"),
    "late": ("", "", "if 'light d' in text_of(audio): import ears"),
}


def with_module(folder: Path, how: str) -> Path:
    """The engine of a prepared folder, with a module of its own beside it; the module's file."""
    top, on_load, on_call = LOADS[how]
    engine = folder / "their_engine.py"
    source = engine.read_text(encoding="utf-8")
    engine.write_text(
        f"{source}\nsys.path.insert(0, str(Path(__file__).parent))\n{top}\n"
        "class Eared(Toy):\n"
        f"    def load(self, spec):\n        {on_load or 'pass'}\n        super().load(spec)\n"
        f"    def transcribe(self, audio):\n        {on_call or 'pass'}\n"
        "        return super().transcribe(audio)\n"
        "ADAPTER = Eared\n",
        encoding="utf-8",
    )
    module = folder / "ears.py"
    module.write_text("VERSION = 1\n", encoding="utf-8")
    return module


@pytest.mark.parametrize("how", ["at the top", "with the model", "on the first call"])
def test_another_module_beside_the_engine_is_refused(tmp_path: Path, how: str) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    module = with_module(folder, how)
    killed_after(folder, 10, "--model=hears")
    run, before = the_run(folder), lines_of(folder)
    module.write_text("VERSION = 2\n", encoding="utf-8")
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    said = "ears.py, which its engine loads, has changed since the run's predictions were made"
    assert f"model hears: {folder.resolve()}/{said}" in done.stderr
    assert lines_of(folder) == before


def test_a_module_that_was_loaded_late_is_refused_too(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    module = with_module(folder, "late")
    done = run_toys(folder, *SELECT, "--model=hears", "--model=other")
    assert done.returncode == 0, done.stdout
    run = the_run(folder)
    module.write_text("VERSION = 2\n", encoding="utf-8")
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ears.py, which its engine loads, has changed" in done.stderr
    module.unlink()
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ears.py, which its engine loads, is gone" in done.stderr
    # As it was, it can be resumed.
    module.write_text("VERSION = 1\n", encoding="utf-8")
    done = run_toys(folder, f"--resume={run}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_file_beside_the_engine_is_none_of_its(interrupted: Path) -> None:
    """The folder may be a person's own, with all sorts of files that no engine loads."""
    beside = interrupted / "notes.py"
    beside.write_text("DONE = 1\n", encoding="utf-8")
    done = run_toys(interrupted, f"--resume={the_run(interrupted)}", "--collect-only")
    beside.write_text("DONE = 2\n", encoding="utf-8")
    again = run_toys(interrupted, f"--resume={the_run(interrupted)}", "--collect-only")
    assert (done.returncode, again.returncode) == (0, 0), again.stderr


def test_another_normalizer_is_that_of_the_session(tmp_path: Path) -> None:
    """It makes no prediction, so that it may be another one, and then is."""
    folder = prepared(tmp_path)
    run_toys(folder, *SELECT, "--model=hears")
    run = the_run(folder)
    limits = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))
    limits.setdefault("corpora", {})["toy"] = {"normalizer": "whisper-basic"}
    (folder / "limits.yaml").write_text(yaml.safe_dump(limits), encoding="utf-8")
    done = run_toys(folder, f"--resume={run}", f"--thresholds={folder / 'limits.yaml'}")
    assert done.returncode == 0, done.stdout
    card = json.loads((run / "scorecard.json").read_text())
    (wer,) = (m for m in card["measurements"] if (m["metric"], m["slice"]) == ("wer", "all"))
    assert wer["normalizer"] == "whisper-basic"
