"""A corpus on a Ray cluster: the predictions of a run without it, whoever dies meanwhile."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.cluster import connect
from evals.cluster import replica as ray_replica
from evals.cluster.connect import ClusterError, connected, wait_for_room
from evals.cluster.executor import RayReport, _Received, transcribe_on_ray
from evals.cluster.replica import Job, Replica, code_hash, row_of
from evals.models.loaded import Settings, running
from evals.models.transcribe import transcribe_corpus
from evals.records.predictions import Prediction, PredictionFile, read_predictions
from fixtures.corpora.corpus import Corpus, read_manifest
from fixtures.fetch.fetch import fetched
from tests.support import toy_engine
from tests.support.sessions import run_toys
from tests.support.toy_engine import RATE, samples_of, toy_corpus

pytestmark = pytest.mark.slow

TEXTS = [f"light {number} in the {room}" for number in range(12) for room in ("hall", "attic")]
CLIP = Audio((samples_of("warm up") / 32768).astype(np.float32), RATE)
SETTINGS = Settings(device="cpu", time_limit=20.0)
#: Over which the model's process dies, each time that it is tried.
FATAL = "light 5 in the hall"


def toy(**options: Any) -> Model:
    engine = EngineRef("toy_engine", toy_engine.__file__)
    options = {**toy_engine.Toy.options, **options}
    return Model("toy", engine, "builtin", ("asr",), "candidate", options=options)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_manifest(toy_corpus(tmp_path_factory.mktemp("ray") / "toy", TEXTS, speaker="s"))


def plain(predictions: Mapping[int, Prediction]) -> dict[int, dict[str, Any]]:
    """All that does not depend on when and where it was made: no times, of logs no names."""
    kept = {}
    for index, prediction in predictions.items():
        row = dataclasses.asdict(prediction)
        for name in (
            "processing_seconds",
            "waited_seconds",
            "joules",
            "energy_method",
            "contended",
        ):
            del row[name]
        row["error"] = re.sub(r"output is in [^ ]+", "", row["error"]) if row["error"] else None
        kept[index] = row
    return kept


def by_index(predictions: list[Prediction]) -> dict[int, Prediction]:
    """Refuses one that is there twice."""
    found = {prediction.index: prediction for prediction in predictions}
    assert len(found) == len(predictions)
    return {index: one for index, one in found.items() if index is not None}


def without_ray(entry: Model, corpus: Corpus, folder: Path) -> dict[int, Prediction]:
    with (
        running(entry, SETTINGS, folder / "worker.log") as model,
        PredictionFile(folder / "lines.jsonl") as file,
    ):
        model.warm_up("asr", lambda: model.transcribe(CLIP))
        transcribe_corpus(model, corpus, file)
    return by_index(list(read_predictions(file.path)))


# What needs no Ray.


def job(entry: Model, logs: Path, **changes: Any) -> Job:
    values = {"settings": SETTINGS, "clip": CLIP, "code": code_hash(), **changes}
    return Job(entry=entry, logs=logs, contended=True, **values)


def replied(
    entry: Model, corpus: Corpus, logs: Path, again: bool = False, **changes: Any
) -> list[dict[str, Any]]:
    replica = Replica(job(entry, logs, **changes), "first", again)
    try:
        return replica([row_of(utterance) for utterance in corpus.utterances[:3]])
    finally:
        replica.close()


def test_a_block_that_comes_twice_counts_once(corpus: Corpus, tmp_path: Path) -> None:
    rows = replied(toy(), corpus, tmp_path)
    received = _Received({0, 1, 2})
    assert [prediction.index for prediction in received.new(rows[:2])] == [0, 1]
    with pytest.raises(ClusterError, match="1 predictions did not come"):
        received.report()
    other = replied(toy(), corpus, tmp_path, again=True)
    again = [{**row, "facts": row["facts"].replace('"pid": ', '"pid": 9')} for row in other]
    assert [prediction.index for prediction in received.new(again)] == [2]
    report = received.report()
    assert (report.repeated, report.replicas, report.restarts) == (2, 1, 1)
    assert report.figures["peak_memory"].value


@pytest.mark.parametrize("name", ["checkpoint_sha256", "environment"])
def test_hosts_that_differ_are_not_one_model(corpus: Corpus, tmp_path: Path, name: str) -> None:
    rows = replied(toy(), corpus, tmp_path)
    facts = json.loads(rows[2]["facts"])
    other = {**json.loads(facts["property"]), name: {"python": "2.7"}}
    rows[2]["facts"] = json.dumps({**facts, "host": "old", "property": json.dumps(other)})
    received = _Received({0, 1, 2})
    came: list[Prediction] = []
    with pytest.raises(ClusterError, match=rf"{name} is .* and \{{'python': '2.7'\}} on old"):
        came.extend(received.new(rows))
    assert [prediction.index for prediction in came] == [0, 1]


def test_other_code_on_a_host(corpus: Corpus, tmp_path: Path) -> None:
    (row,) = replied(toy(), corpus, tmp_path, code="another")
    with pytest.raises(
        WorkerError, match=r"toy cannot be loaded on .*is not the session's: install"
    ):
        list(_Received({0}).new([row]))


def test_secrets_of_a_host_stay_there(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTS_API_KEY", "in the hall")
    rows = replied(toy(), corpus, tmp_path)
    assert "in the hall" not in json.dumps(rows)
    assert "light 0 [HOSTS_API_KEY]" in rows[0]["line"]


def test_audio_that_a_host_does_not_see(corpus: Corpus, tmp_path: Path) -> None:
    gone = dataclasses.replace(corpus.utterances[0], path=tmp_path / "gone.wav")
    replica = Replica(job(toy(), tmp_path), "first")
    try:
        (row,) = replica([row_of(gone)])
    finally:
        replica.close()
    with pytest.raises(ClusterError, match=rf"{ray_replica.host()}: .*gone.wav cannot be read"):
        list(_Received({0}).new([row]))


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ClusterError, match="uv sync --inexact --extra ray"), connected():
        pass


# What does.

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None and not os.environ.get("MODEL_LAB_ALL_EXTRAS"),
    reason="uv sync --inexact --extra ray installs it",
)


@needs_ray  # which brings fsspec
def test_a_host_without_shared_storage_fetches_the_corpus_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = toy_corpus(tmp_path / "toy", TEXTS[:3])
    url = manifest.as_uri()
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "session"))
    copy, _ = fetched(url)
    here = read_manifest(copy)
    here = dataclasses.replace(here, utterances=tuple(here))  # before the copy is hidden
    copy.parent.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "host"))
    rows = replied(toy(), here, tmp_path, fetched=(url, copy.parent))
    made = list(_Received({0, 1, 2}).new(rows))
    assert [prediction.hypothesis for prediction in made] == TEXTS[:3]
    assert [prediction.audio for prediction in made] == [str(u.path) for u in here]
    manifest.write_text(manifest.read_text() + "\n")
    (row,) = replied(toy(), here, tmp_path, fetched=(url, copy.parent))
    assert "has changed since the session fetched it" in row["line"]


@needs_ray
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ray://10.0.0.1:10001", "HOST:PORT of the head node is expected"),
        ("10.0.0.1", "HOST:PORT is expected"),
        ("127.0.0.1:{free}", "nothing answers there"),
        ("no.such.host.invalid:6379", "nothing answers there"),
    ],
)
def test_an_address_that_is_none(address: str, why: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listened on
        address = address.format(free=taken.getsockname()[1])
        with (
            pytest.raises(ClusterError, match=f"--ray-address {address}.*{why}"),
            connected(address),
        ):
            pass


@needs_ray
def test_an_address_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself would try for minutes to join it."""
    monkeypatch.setattr(connect, "HEALTH_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            pytest.raises(ClusterError, match=f"{address}: .* head node of Ray"),
            connected(address),
        ):
            pass


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One for all tests, as a session has it: it takes seconds to start."""
    handler = signal.getsignal(signal.SIGTERM)
    with connected(cores=2) as is_local:
        assert is_local
        assert signal.getsignal(signal.SIGTERM) is handler
        assert "raylet" in children()
        yield
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not any(name.startswith("RAY_AUTH") for name in os.environ)
    assert not any("ray" in name or "gcs" in name for name in children())
    assert not list(Path("/tmp").glob(f"{connect.FOLDER}{os.getpid()}-*"))


def children() -> list[str]:
    return [process.name() for process in psutil.Process().children(recursive=True)]


@needs_ray
def test_a_replica_that_is_killed_half_way(cluster: None, corpus: Corpus, tmp_path: Path) -> None:
    """And one utterance that kills the model: all is as without Ray, nothing lost or doubled."""
    entry = toy(mode="exits", on=FATAL, sleep=0.1)
    came: list[Prediction] = []
    told: list[tuple[str, str]] = []
    killed: list[int] = []

    def append(prediction: Prediction) -> None:
        assert told  # before the first one
        came.append(prediction)
        if not killed:
            log = next(tmp_path.glob("toy/worker-*.log"))
            killed.append(int(log.stem.rpartition("-")[2]))
            os.kill(killed[0], signal.SIGKILL)

    report = transcribe_on_ray(
        entry, SETTINGS, corpus, CLIP, append, logs=tmp_path, replicas=2, loaded=told.append
    )
    expected = without_ray(entry, corpus, tmp_path / "local")
    assert plain(by_index(came)) == plain(expected)
    assert [p.reference for p in expected.values() if p.error] == [FATAL]
    assert all(prediction.contended for prediction in came)
    assert (report.replicas, report.restarts) == (2, 1)
    assert report.hosts == [ray_replica.host()]
    assert told == [report.model]
    assert {"load_time", "first_inference", "peak_memory"} <= report.figures.keys()
    assert is_over(lambda: models_at_work(tmp_path) == [])


def models_at_work(logs: Path) -> list[int]:
    """Processes whose output goes to a log there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if logs in (process / "fd" / "1").readlink().parents:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def is_over(ended: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not ended() and time.monotonic() < deadline:
        time.sleep(0.1)
    return ended()


@needs_ray
def test_a_model_that_cannot_be_loaded(cluster: None, corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(
        WorkerError, match=r"toy cannot be loaded on .*: the toy checkpoint is broken"
    ):
        on_ray(toy(mode="unloadable"), corpus, tmp_path, replicas=1)


def on_ray(
    entry: Model, corpus: Corpus, logs: Path, settings: Settings = SETTINGS, **more: Any
) -> tuple[list[Prediction], RayReport]:
    came: list[Prediction] = []
    report = transcribe_on_ray(entry, settings, corpus, CLIP, came.append, logs=logs, **more)
    return came, report


@needs_ray
@pytest.mark.parametrize(
    ("settings", "more", "why"),
    [
        (Settings(device="cpu", threads=99), {}, "no node has the 99 CPU .* cluster has 2 CPU"),
        (SETTINGS, {"replicas": 3}, "--ray-replicas 3: 2 fit on this machine"),
        (Settings(device="mps"), {}, "there is no --device mps"),
        (Settings(isolated=False), {}, "there is no --isolation none"),
    ],
)
def test_what_the_cluster_cannot_do(
    cluster: None, corpus: Corpus, tmp_path: Path, settings: Settings, more: Any, why: str
) -> None:
    with pytest.raises(ClusterError, match=why):
        on_ray(toy(), corpus, tmp_path, settings, **more)


@needs_ray
def test_room_that_no_autoscaler_makes(cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A joined cluster is asked for it, and not for ever."""
    monkeypatch.setattr(connect, "ROOM_SECONDS", 0.5)
    said: list[str] = []
    with pytest.raises(ClusterError, match="no node has the 1 GPU"):
        wait_for_room({"GPU": 1}, False, said.append)
    assert said == ["no node has 1 GPU: waiting up to 0.5 s for the cluster to start one"]


def test_nothing_left_to_do(corpus: Corpus, tmp_path: Path) -> None:
    """A finished corpus that is resumed starts no cluster."""
    nothing = dataclasses.replace(corpus, utterances=())
    assert on_ray(toy(), nothing, tmp_path) == ([], RayReport(None, {}, (), (), 0, 0, 0))


def test_a_session_begun_here_is_ended_on_a_cluster(tmp_path: Path) -> None:
    """The same store: what comes back from replicas finishes what one process began."""
    from tests.sessions.runs.test_resume import SELECT, killed_after, lines_of, prepared, the_run

    folder = prepared(tmp_path / "session", sleep=0.02)
    killed_after(folder, 15, "--model=hears")
    before = lines_of(folder)
    done = run_toys(folder, f"--resume={the_run(folder)}", "--executor=ray", "--ray-replicas=2")
    assert done.returncode == 0, done.stdout
    after = lines_of(folder)
    assert after[: len(before)] == before
    whole = prepared(tmp_path / "whole")
    assert run_toys(whole, *SELECT, "--model=hears").returncode == 0

    def said(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return sorted((x["index"], x["id"], x["hypothesis"], x["error"]) for x in found)

    assert said(after) == said(lines_of(whole))
    card = json.loads((the_run(folder) / "scorecard.json").read_text())
    assert card["run"]["conditions"] == ["contended", "resumed"]
    (wer,) = (m for m in card["measurements"] if (m["metric"], m["slice"]) == ("wer", "all"))
    assert wer["value"] == card_wer(whole)


def card_wer(folder: Path) -> float:
    card = json.loads((folder / "runs/latest/scorecard.json").read_text())
    (wer,) = (m for m in card["measurements"] if (m["metric"], m["slice"]) == ("wer", "all"))
    return float(wer["value"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ray-replicas=2",), "--ray-replicas: it needs --executor ray"),
        (("--executor=ray", "--ray-replicas=0"), "at least 1 is needed"),
        (("--executor=ray", "-n", "2"), "leave out -n"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    from tests.sessions.runs.test_resume import prepared

    done = run_toys(prepared(tmp_path / "x"), "--model=hears", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
