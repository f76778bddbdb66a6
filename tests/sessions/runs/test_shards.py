"""A corpus that processes and machines share: the same predictions and figures as in one go."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gate.baseline import Baseline, BaselineError
from evals.measures.run_conditions import CONTENDED, RESUMED, touched
from evals.run import shards as parts
from evals.run.shards import Part, merged_facts
from reports.runs.history import read_history
from tests.sessions.runs.test_resume import killed_after, lines_of, started, the_run, wait_for
from tests.support.sessions import ROOT, TEXTS, card_of, check_rescored, run_toys, write_toys
from tests.support.toy_engine import toy_corpus
from tests.support.written_runs import as_version_1

pytestmark = pytest.mark.slow

SELECT = ("-m", "asr")
MODELS = {
    "hears": {"mode": "shuffled"},
    "raises": {"mode": "raises", "on": "light d in the garden"},
}


@given(st.integers(1, 60), st.integers(1, 9))
def test_parts_have_everything_once(items: int, of: int) -> None:
    from fixtures.corpora.corpus import Corpus, Utterance

    utterances = [Utterance(str(i), Path("x.wav"), "", index=i) for i in range(items)]
    whole = Corpus("c", Path("m.jsonl"), utterances)
    found = [u.index for n in range(1, of + 1) for u in whole.shard(n, of)]
    assert sorted(found) == list(range(items))


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3", "01/2", ""])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(ValueError, match="NUMBER/OF"):
        parts.parse(text)


def test_facts_of_parts_are_put_together() -> None:
    def figure(value: float | None) -> dict[str, Any]:
        return {"value": value, "n": 1, "ci": None, "reason": None, "conditions": []}

    first = {
        "normalizer": "x",
        "unfair": [],
        "observed": {"peak_memory": figure(3.0), "load_time": figure(1.0)},
    }
    second = {
        "normalizer": "x",
        "unfair": [CONTENDED],
        "observed": {"peak_memory": figure(5.0), "load_time": figure(None)},
    }
    whole = merged_facts([first, second])
    assert whole["observed"]["peak_memory"]["value"] == 5.0  # the largest of any part
    assert (
        whole["observed"]["load_time"]["value"] is None
    )  # what one part could not tell, nobody can
    assert whole["unfair"] == [CONTENDED]
    with pytest.raises(ValueError, match="normalizer"):
        merged_facts([first, {**second, "normalizer": "y"}])


def test_a_part_says_what_it_is() -> None:
    assert parts.parse("2/8") == Part(2, 8)
    assert str(Part(2, 8)) == "2/8"
    with pytest.raises(ValueError, match="1/N to N/N"):
        Part(3, 2)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepared(tmp_path_factory.mktemp("serial"))
    run_toys(folder, *SELECT, *named())
    return folder


def named() -> list[str]:
    return [f"--model={name}" for name in MODELS]


def prepared(folder: Path, **options: Any) -> Path:
    models = {name: {**toy, **options} for name, toy in MODELS.items()}
    write_toys(folder, models, tier="baseline")
    toy_corpus(folder / "toy", TEXTS)
    return folder


def said(folder: Path, model: str) -> list[tuple[Any, ...]]:
    lines = sorted(lines_of(folder, model), key=lambda line: line["index"])
    return [
        (line["index"], line["id"], line["reference"], line["hypothesis"], bool(line["error"]))
        for line in lines
    ]


def figures(card: dict[str, Any], *, task: str = "asr") -> list[dict[str, Any]]:
    """All that does not depend on speed and memory."""
    return [
        m for m in card["measurements"] if m["task"] == task and not touched(m["metric"], [RESUMED])
    ]


def test_two_workers_say_what_one_says(tmp_path: Path, serial: Path) -> None:
    folder = prepared(tmp_path)
    done = run_toys(folder, *SELECT, *named(), "-n", "2")
    for name in MODELS:
        assert said(folder, name) == said(serial, name)
        case = folder / "runs" / "latest" / name / "asr"
        assert [path.name for path in case.glob("*~*")] == []
        # Both workers had a part of it.
        assert len(list((case.parent).glob("worker-gw*.log"))) <= 2
    card = card_of(folder)
    assert figures(card) == figures(card_of(serial))
    assert card["run"]["conditions"] == [CONTENDED]
    assert "6 passed" in done.stdout or "passed" in done.stdout, done.stdout


def test_a_session_of_two_workers_is_killed_and_ended_by_one(tmp_path: Path, serial: Path) -> None:
    folder = prepared(tmp_path, sleep=0.02)
    session = started(folder, *named(), "-n", "2")
    wait_for(lambda: len(lines_of(folder)) >= 20, session)
    below = psutil.Process(session.pid).children(recursive=True)
    assert len(below) >= 2
    session.kill()
    session.communicate()
    # Nobody goes on writing to the run: neither the workers nor their models.
    assert psutil.wait_procs(below, timeout=10)[1] == []
    run = the_run(folder)
    before = {(line["id"], line["checksum"]) for name in MODELS for line in lines_of(folder, name)}
    assert before
    done = run_toys(folder, f"--resume={run}")
    for name in MODELS:
        assert said(folder, name) == said(serial, name), done.stdout
    after = {(line["id"], line["checksum"]) for name in MODELS for line in lines_of(folder, name)}
    assert before <= after
    assert figures(json.loads((run / "scorecard.json").read_text())) == figures(card_of(serial))


def test_more_threads_than_cores_is_refused(tmp_path: Path) -> None:
    done = run_toys(prepared(tmp_path), *SELECT, *named(), "-n", "2", "--threads", "4000")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--threads 4000 with -n 2 needs 8000 cores" in done.stderr


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions, each of half of the corpus, in one folder."""
    folder = prepared(tmp_path_factory.mktemp("shards"))
    for number in (1, 2):
        done = run_toys(folder, *SELECT, *named(), f"--shard={number}/2")
        assert done.returncode == 0, done.stdout
        assert f"Shard {number}/2: held to no limit" in done.stdout
    return folder


def runs_of(folder: Path) -> list[Path]:
    return sorted(
        path for path in (folder / "runs").glob("20*") if (path / "scorecard.json").exists()
    )


def merged(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", "merge", f"--runs-dir={folder / 'all'}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_shards_put_together_are_the_whole(shards: Path, serial: Path) -> None:
    one, two = runs_of(shards)
    for number, run in enumerate((one, two), start=1):
        card = json.loads((run / "scorecard.json").read_text())
        assert card["run"]["shard"] == f"{number}/2"
        assert card["recommendation"]["model"] is None
        rows = [m for m in card["measurements"] if m["metric"] == "wer" and m["slice"] == "all"]
        assert {m["n"] for m in rows} == {len(TEXTS) // 2}
        assert not any(m["gated"] for m in card["measurements"])
    done = merged(shards, str(two), str(one))
    (run,) = (path for path in (shards / "all").glob("20*"))
    whole = json.loads((run / "scorecard.json").read_text())
    before = card_of(serial)
    assert figures(whole) == figures(before)
    assert {m["metric"] for m in whole["measurements"]} == {
        m["metric"] for m in before["measurements"]
    }
    assert whole["run"]["shards"] == [one.name, two.name]
    assert whole["run"]["conditions"] == []
    assert done.returncode == before["run"]["exit_status"], done.stdout + done.stderr
    assert (run / "scorecard.html").exists()
    check_rescored(run)
    shutil.rmtree(shards / "all")


def test_shards_of_an_old_scorecard_are_put_together(shards: Path, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs_of(shards)]
    for copy in copies:
        as_version_1(copy)
    done = merged(tmp_path, *map(str, copies))
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (path for path in (tmp_path / "all").glob("20*"))
    check_rescored(run)


def test_shards_that_do_not_make_a_whole_are_refused(
    shards: Path, serial: Path, tmp_path: Path
) -> None:
    one, two = runs_of(shards)

    def refused(*runs: Path) -> str:
        done = merged(tmp_path, *map(str, runs))
        assert done.returncode == 1
        assert not list((tmp_path / "all").glob("20*"))
        return done.stderr

    assert refused(one) == "shard 2/2 is missing\n"
    assert "are both shard 1/2" in refused(one, one, two)
    assert "not a shard: its session had no --shard" in refused(one, runs_of(serial)[0])
    changed = tmp_path / "changed"
    shutil.copytree(two, changed)
    card = json.loads((changed / "scorecard.json").read_text())
    card["provenance"]["corpora"][0]["content_hash"] = "0" * 64
    (changed / "scorecard.json").write_text(json.dumps(card))
    assert "does not belong to" in refused(one, changed)
    shutil.rmtree(changed)
    shutil.copytree(two, changed)
    begun = json.loads((changed / "run.json").read_text())
    begun["models"]["hears"]["options"]["drop_every"] = 7
    (changed / "run.json").write_text(json.dumps(begun))
    assert "models.hears.options.drop_every was 10 and is 7" in refused(one, changed)
    shutil.rmtree(changed)
    shutil.copytree(two, changed)
    lines = changed / "hears" / "asr" / "toy.jsonl"
    lines.write_text("".join(lines.read_text().splitlines(keepends=True)[:-1]))
    assert "39 lines, where 40 were written" in refused(one, changed)


def test_a_shard_is_no_baseline_and_no_point_in_history(shards: Path, tmp_path: Path) -> None:
    one, _ = runs_of(shards)
    with pytest.raises(BaselineError, match="of shard 1/2 alone"):
        Baseline(one / "scorecard.json")
    found = read_history(one.parent, tmp_path, lambda m: True)
    assert found.runs == []
    assert [text.partition(": ")[2] for text in found.unread] == [
        f"shard {number}/2 of a corpus alone" for number in (1, 2)
    ]


def test_a_limit_that_the_whole_breaks_fails_the_merge(shards: Path, tmp_path: Path) -> None:
    done = merged(tmp_path, *map(str, runs_of(shards)), "--gate=production")
    assert done.returncode == 1
    assert "hears on toy (asr):" in done.stdout
    assert "wer" in done.stdout


@pytest.mark.parametrize("arguments", [("--gate=production",), ("--baseline=main",)])
def test_what_is_for_the_whole_is_refused_of_a_shard(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_toys(prepared(tmp_path), *SELECT, *named(), "--shard=1/2", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "give it to python -m reports merge" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_two_workers_in_order(number: int, tmp_path: Path, serial: Path) -> None:
    folder = prepared(tmp_path, sleep=0.05)
    killed_after(folder, 10, *named(), "-n", "2", number=number)
    run = the_run(folder)
    card = json.loads((run / "scorecard.json").read_text())
    assert card["run"]["complete"] is False
    assert not [m for m in card["measurements"] if m["metric"] == "wer" and m["verdict"] == "pass"]
    done = run_toys(folder, f"--resume={run}", "-n", "2")
    for name in MODELS:
        assert said(folder, name) == said(serial, name), done.stdout
    assert json.loads((run / "scorecard.json").read_text())["run"]["complete"] is True


@pytest.mark.parametrize(("first", "then"), [("serial", "-n2"), ("-n2", "-n2"), ("-n2", "-n3")])
def test_workers_go_on_with_what_is_there(
    first: str, then: str, tmp_path: Path, serial: Path
) -> None:
    """However many there were and are, no prediction is made again."""
    folder = prepared(tmp_path, sleep=0.05)
    killed_after(
        folder, 12, *named(), *([first] if first != "serial" else []), number=signal.SIGKILL
    )
    run = the_run(folder)
    before = {(line["id"], line["checksum"]) for name in MODELS for line in lines_of(folder, name)}
    assert 12 <= len(before) < 2 * len(TEXTS)
    done = run_toys(folder, f"--resume={run}", then)
    for name in MODELS:
        assert said(folder, name) == said(serial, name), done.stdout
    after = {(line["id"], line["checksum"]) for name in MODELS for line in lines_of(folder, name)}
    assert before <= after
    assert len(after) == 2 * len(TEXTS)


def test_a_failed_smoke_test_of_a_shard_fails_the_whole(tmp_path: Path) -> None:
    """It is the first shard's alone, and no figure shows that it failed."""
    folder = tmp_path / "smoke"
    folder.mkdir()
    write_toys(folder, {"moody": {"mode": "moody"}}, tier="baseline")
    toy_corpus(folder / "toy", TEXTS)
    codes = [
        run_toys(
            folder, "-m", "smoke or asr and not latency", "--model=moody", f"--shard={n}/2"
        ).returncode
        for n in (1, 2)
    ]
    assert codes == [1, 0]
    done = merged(tmp_path, *map(str, runs_of(folder)))
    assert done.returncode == 1
    assert "two runs of one clip gave two texts" in done.stdout


def test_shards_of_other_tests_are_refused(shards: Path, tmp_path: Path) -> None:
    one, _ = runs_of(shards)
    other = tmp_path / "other"
    other.mkdir()
    prepared(other)
    run_toys(other, "-m", "asr and not latency", *named(), "--shard=2/2")
    done = merged(tmp_path, str(one), str(runs_of(other)[0]))
    assert done.returncode == 1
    assert "options.-m was asr and is asr and not latency" in done.stderr


def test_shards_of_robustness_are_put_together(tmp_path: Path) -> None:
    """It takes some utterances of the corpus alone, and shares those out."""
    folder = prepared(tmp_path)
    few = ("-m", "robustness", "--model=hears", "--robustness-utterances=10")
    for number in (1, 2):
        run_toys(folder, *few, f"--shard={number}/2")
    done = merged(folder, *map(str, runs_of(folder)), "--gate=off")
    assert done.returncode == 0, done.stderr
    run_toys(folder, *few, "--gate=off")
    (whole,) = (folder / "all").glob("20*")
    one_go = card_of(folder)
    assert figures(
        json.loads((whole / "scorecard.json").read_text()), task="robustness"
    ) == figures(one_go, task="robustness")


def test_a_part_that_was_left_out_is_no_pass(tmp_path: Path) -> None:
    done = run_toys(prepared(tmp_path), *SELECT, *named(), "-n", "2", "-k", "not 2of2")
    assert done.returncode == 1
    assert "hears on toy (asr): not all parts of the corpus were run" in done.stdout
    card = card_of(tmp_path)
    wer = [m for m in card["measurements"] if m["metric"] == "wer"]
    assert {m["verdict"] for m in wer} == {"error"}
    assert len(wer) == len({(m["model"], m["slice"]) for m in wer})


def test_tests_of_one_name_are_refused(tmp_path: Path) -> None:
    write_toys(tmp_path, {"m": {}, "m-x": {}})
    toy_corpus(tmp_path / "toy", TEXTS[:2])
    toy_corpus(tmp_path / "x-toy", TEXTS[:2])
    done = run_toys(
        tmp_path, "-m", "asr", "--model=m*", f"--corpus={tmp_path / 'x-toy' / 'manifest.jsonl'}"
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "would both be called m-x-toy" in done.stderr
