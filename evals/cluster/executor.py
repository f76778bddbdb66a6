"""Running a speech recognizer over a corpus on a Ray cluster, a model replica per device.

The corpus is a Ray Data pipeline of small blocks of rows, mapped by a pool of actors that hold a
`Replica` each; Ray starts actors again whose process or host is gone and gives them their blocks
again. What they make comes back here as it is made, and is appended by this process alone, so
that a run on a cluster has the same files as any other.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from adapters.catalog.model import Model
from adapters.interface import Audio
from adapters.worker.results import WorkerError
from adapters.worker.time_limits import allowed
from evals.cluster.connect import (
    ClusterError,
    Resources,
    connected,
    has_gpus,
    last_line,
    library,
    wait_for_room,
)
from evals.cluster.replica import FAILED, Job, Replica, code_hash, row_of, seconds_of
from evals.models.loaded import MODEL_PROPERTY, Settings
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from evals.run.shards import figure_of
from fixtures.corpora.corpus import Utterance

#: Utterances of a block: what is done again when its actor dies, and what Ray takes its few
#: milliseconds for.
BLOCK = 8
#: Blocks that an actor has before it, so that it need not wait for the next one.
_IN_FLIGHT = 2
#: How often in a row an actor's process may end while its replica is loaded.
_LOADING_DEATHS = 3


@dataclass(frozen=True)
class RayReport:
    """What a run on a cluster knows beside its predictions.

    model: for user_properties, as `LoadedModel.as_property`; None where nothing was left to do.
    figures: times of loading and of the first call, and peaks of memory: the largest of the
    replicas. hosts, devices: those used. replicas: how many there were. restarts: how often one
    was started again because its process or host was gone. repeated: predictions that came a
    second time after that, and were dropped.
    """

    model: tuple[str, str] | None
    figures: Mapping[str, Figure]
    hosts: Sequence[str]
    devices: Sequence[str]
    replicas: int
    restarts: int
    repeated: int


def transcribe_on_ray(
    entry: Model,
    settings: Settings,
    utterances: Iterable[Utterance],
    clip: Audio,
    append: Callable[[Prediction], None],
    *,
    logs: Path,
    address: str | None = None,
    replicas: int | None = None,
    fetched: tuple[str, Path] | None = None,
    contended: bool = True,
    advance: Callable[[], None] = lambda: None,
    loaded: Callable[[tuple[str, str]], None] = lambda model: None,
) -> RayReport:
    """One prediction per utterance, each appended once, as they come.

    utterances: those that are missing. address: as for
    `connected`. replicas: at most so many; None: as many as fit. logs: the run's folder, where
    the models' output goes if their host sees it. fetched: see `Job`; a host that does not see
    that folder fetches the corpus itself. contended: whether the times count as taken on
    machines that did something else too, which nobody knows of a cluster's.

    Raises ClusterError where Ray, the cluster or a host cannot do it, and WorkerError where the
    model cannot be loaded. What was appended by then stays.
    """
    rows = [row_of(utterance) for utterance in utterances]
    if not rows:
        return RayReport(None, {}, (), (), 0, 0, 0)
    if not settings.isolated:
        raise ClusterError(
            "--executor ray: models run in processes of their own on the hosts, so that there is "
            "no --isolation none"
        )
    with connected(address) as local:
        each, device = _resources(entry, settings)
        fit = wait_for_room(each, local, settings.say)
        if replicas is not None and local and replicas > fit:
            raise ClusterError(f"--ray-replicas {replicas}: {fit} fit on this machine")
        if replicas is not None and replicas > fit:
            settings.say(f"{fit} of {replicas} replicas fit into the cluster as it is now")
        size = replicas or fit
        job = Job(
            entry=entry,
            settings=replace(settings, device=device, worker=0, say=_unsaid),
            clip=clip,
            logs=logs.resolve(),
            contended=contended,
            code=code_hash(),
            fetched=fetched,
        )
        block = _block(entry, len(rows), size)
        size = min(size, math.ceil(len(rows) / block))
        received = _Received({row["index"] for row in rows}, loaded)
        with closing(_predicted(rows, job, each, size, block)) as answers:
            for answer in answers:
                for prediction in received.new(answer):
                    append(prediction)
                    advance()
        return received.report()


class _Received:
    """What has come back, each prediction once, and from whom."""

    def __init__(
        self, wanted: set[int], loaded: Callable[[tuple[str, str]], None] = lambda model: None
    ) -> None:
        self._missing = wanted
        self._loaded = loaded
        self._repeated = 0
        self._first: Mapping[str, Any] | None = None
        #: Actor, host and process to what it last told of itself.
        self._facts: dict[tuple[str, str, int], Mapping[str, Any]] = {}
        self._figures: dict[str, Figure] = {}

    def new(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Prediction]:
        """Those of a block's predictions that were not there yet. Raises as `transcribe_on_ray`."""
        told = ""
        for row in rows:
            if row["index"] == FAILED:
                kind, _, text = row["line"].partition(" ")
                if kind == "model":
                    raise WorkerError("refused", text)
                raise ClusterError(f"--executor ray: {text}")
            if row["facts"] != told:  # the same in all rows of a replica's block
                told = row["facts"]
                self._note(json.loads(told))
            if row["index"] not in self._missing:
                self._repeated += 1
                continue
            self._missing.remove(row["index"])
            yield Prediction(**json.loads(row["line"]))

    def _note(self, facts: Mapping[str, Any]) -> None:
        self._facts[facts["actor"], facts["host"], facts["pid"]] = facts
        for name, row in facts["figures"].items():
            self._figures[name] = _larger(self._figures.get(name), figure_of(row))
        if self._first is None:
            self._first = facts
            self._loaded((MODEL_PROPERTY, facts["property"]))
        for name in ("revision", "checkpoint_sha256", "parts", "environment"):
            ours, theirs = (json.loads(f["property"])[name] for f in (self._first, facts))
            # Unknown where the model's process had died by then.
            if ours != theirs and (name != "environment" or (ours and theirs)):
                raise ClusterError(
                    f"--executor ray: the model's {name} is {ours} on {self._first['host']} and "
                    f"{theirs} on {facts['host']}: install the same on every host"
                )

    def report(self) -> RayReport:
        """Raises ClusterError where a prediction is missing: it must not pass for a shorter run."""
        if self._missing or self._first is None:
            raise ClusterError(f"--executor ray: {len(self._missing)} predictions did not come")
        actors = {actor for actor, _, _ in self._facts}
        rows = [json.loads(facts["property"]) for facts in self._facts.values()]
        names = sorted({row["device_name"] for row in rows if row["device_name"]})
        row = {**rows[0], "device_name": ", ".join(names) or None}
        return RayReport(
            model=(MODEL_PROPERTY, json.dumps(row)),
            figures=self._figures,
            hosts=sorted({facts["host"] for facts in self._facts.values()}),
            devices=sorted({row["device"] for row in rows}),
            replicas=len(actors),
            restarts=sum(facts["again"] for facts in self._facts.values()),
            repeated=self._repeated,
        )


def _larger(one: Figure | None, other: Figure) -> Figure:
    if one is None or one.value is None:
        return other
    return other if other.value is not None and other.value > one.value else one


def _resources(entry: Model, settings: Settings) -> tuple[Resources, str]:
    """What Ray is asked for, for each replica, and the device as the replica then has it."""
    kind = settings.device.partition(":")[0]
    supported = entry.engine.adapter().devices
    if "remote" in supported or kind == "cpu":
        return {"CPU": settings.threads}, "cpu"
    if kind not in ("auto", "cuda"):
        raise ClusterError(
            f"--executor ray: Ray gives out CPUs and CUDA devices, so that there is no --device "
            f"{settings.device}"
        )
    if "cuda" in supported and (kind == "cuda" or has_gpus()):
        # Ray shows the actor the one that is its own, which is the first there.
        return {"GPU": 1}, "cuda"
    # An engine that cannot use CUDA says so, as it does elsewhere.
    return {"CPU": settings.threads}, "cuda" if kind == "cuda" else "cpu"


def _block(entry: Model, utterances: int, replicas: int) -> int:
    """Utterances of a block: fewer of a small corpus, so that every replica has its part."""
    batch = entry.engine.adapter().batch_of(entry.options)
    if batch > 1:
        return 2 * batch  # of like length among these
    return max(1, min(BLOCK, math.ceil(utterances / (4 * replicas))))


def _unsaid(text: str) -> None:
    """What is said on a worker, nobody hears."""


def _predicted(
    rows: Sequence[Mapping[str, Any]], job: Job, each: Resources, size: int, block: int
) -> Generator[Sequence[Mapping[str, Any]], None, None]:
    """The blocks of rows that the replicas make, in the order in which they are done."""
    ray_data = library("ray.data")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Ray, about its own settings
        blocks = math.ceil(len(rows) / block)
        data = ray_data.from_items(list(rows), override_num_blocks=blocks)
        made = data.map_batches(
            _Actor,
            batch_size=block,
            batch_format="pyarrow",
            compute=ray_data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=_IN_FLIGHT),
            fn_constructor_args=(job,),
            num_cpus=each.get("CPU"),
            num_gpus=each.get("GPU"),
        )
        context = made.context
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # A block with an error is none to leave out.
        context.max_errored_blocks = 0
        # A host that goes while a replica is loaded on it is no reason to give up either.
        context.max_consecutive_actor_init_deaths = _LOADING_DEATHS
        context.execution_no_progress_timeout_s = _longest_silence(
            job.settings, block, max(seconds_of(row) for row in rows)
        )
        batches = iter(
            made.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        )
    while True:
        try:
            table = next(batches)
        except StopIteration:
            return
        except Exception as error:
            raise ClusterError(f"--executor ray: {last_line(error)}") from error
        yield table.to_pylist()


def _longest_silence(settings: Settings, block: int, longest: float) -> float:
    """Seconds after which nothing will come any more, as where no host is left.

    Loading, the first call and every utterance of a block at their longest, each twice.
    longest: seconds of the longest utterance.
    """
    loading = settings.load_time_limit or 10 * settings.time_limit
    return 2 * (loading + settings.time_limit + block * allowed(settings.time_limit, longest))


class _Actor:
    """What Ray holds: a replica, with its rows as Arrow tables."""

    def __init__(self, job: Job) -> None:
        here = library().get_runtime_context()
        again = bool(here.was_current_actor_reconstructed)
        self._replica = Replica(job, here.get_actor_id(), again)

    def __call__(self, table: Any) -> Any:
        rows = self._replica(table.to_pylist())
        return {name: np.array([row[name] for row in rows]) for name in ("index", "line", "facts")}
