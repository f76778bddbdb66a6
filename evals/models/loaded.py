"""A model that is loaded and warm: what the tests of every task get."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.catalog import packages
from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.devices import Placement, place
from adapters.interface import Audio, LoadSpec, ModelError, Options, Reply, Speech, Transcript, Turn
from adapters.meters.peak_memory import PeakMemory
from adapters.worker.client import ModelProcess
from adapters.worker.results import BatchTimed, Timed, WorkerError
from evals.measures.speed.cpu_contention import timed_once
from evals.models.converted import converted
from evals.models.environments import EnvironmentFailed, environment
from evals.records.measurement import Figure
from fixtures.builtin import embedded

#: The name under which a loaded model's provenance travels in user_properties.
MODEL_PROPERTY = "model_lab.model"


@dataclass(frozen=True, slots=True)
class Settings:
    """How every model of a session is run, so that none has an advantage."""

    device: str = "auto"
    threads: int = 1
    seed: int = 0
    time_limit: float = 120.0
    #: None is ten times `time_limit`.
    load_time_limit: float | None = None
    isolated: bool = True
    #: Build an environment for an engine that is not installed here.
    environments: bool = False
    #: Which of the processes that share the machine this is, from 0.
    worker: int = 0
    #: Told, in a line, what takes long.
    say: Callable[[str], None] = lambda text: None


class LoadedModel:
    """A catalogue entry whose process is up, with what starting it took.

    load_seconds: importing the engine and loading the checkpoint, in a fresh process.
    That and the first call for each task are the cold times; every other call is warm.
    """

    def __init__(
        self, entry: Model, process: ModelProcess, placement: Placement, log: Path
    ) -> None:
        self.entry = entry
        self.placement = placement
        self.log = log
        self._process = process
        self.load_seconds = process.load_seconds
        self._load_waited_seconds = process.load_waited_seconds
        self._first_calls: dict[str, Timed[Any]] = {}
        self._warm_up: tuple[str, Callable[[], Timed[Any]]] | None = None
        self._load_peak = process.load_memory
        self._seen_modules: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def alive(self) -> bool:
        """False once the process died."""
        return self._process.alive

    def as_property(self) -> tuple[str, str]:
        """For user_properties: what was really loaded, and where."""
        row = {
            "name": self.name,
            "device": self.placement.device,
            "device_name": self._process.device_name,
            "device_note": self.placement.note,
            "revision": self.revision,
            "checkpoint_sha256": self.checkpoint_sha256,
            "parts": self.parts,
            "environment": self._environment,
            "modules": self._modules(),
        }
        return MODEL_PROPERTY, json.dumps(row)

    def _modules(self) -> Mapping[str, str]:
        """The modules of its engine that no version tells apart, as they were first seen."""
        with suppress(WorkerError):  # its process is gone
            self._seen_modules = {**self._process.modules(), **self._seen_modules}
        return self._seen_modules

    @cached_property
    def _environment(self) -> Mapping[str, Any] | None:
        """The Python and packages of the model's process; None once that is gone."""
        try:
            modules = [*self.entry.engine.modules(self._process.spec.options)]
            if self.entry.is_packaged:
                modules.append(packages.parsed(self.entry.checkpoint)[0])
            found = self._process.packages(modules)
        except WorkerError:
            return None
        return {"python": found.python, "packages": dict(found.versions)}

    @property
    def languages(self) -> Sequence[str] | None:
        """The codes of the languages that it recognizes, None where nobody can tell."""
        return self._process.languages

    @cached_property
    def revision(self) -> str | None:
        """What is pinned, else the commit of the hub's snapshot that was found."""
        place = Path(self._process.loaded_from or "")
        if place.parent.name == "snapshots":
            return place.name
        return self.entry.revision

    @cached_property
    def checkpoint_sha256(self) -> str | None:
        """SHA-256 over the checkpoint's files.

        None where the engine's package holds it, or where the revision says as much.
        """
        return content_sha256(Path(self._process.loaded_from or self._process.spec.checkpoint))

    @cached_property
    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        """What a model that is made of others is made of, by what each part is there for."""
        options = self._process.spec.options
        return {
            name: {
                "engine": part["engine"],
                "checkpoint": part["checkpoint"],
                "revision": part.get("revision"),
                "checkpoint_sha256": content_sha256(Path(part["checkpoint"])),
            }
            for name, part in options.items()
            if isinstance(part, Mapping) and {"engine", "checkpoint"} <= part.keys()
        }

    def transcribe(self, audio: Audio) -> Timed[Transcript]:
        """Recognize one utterance of 16 kHz audio. Raises WorkerError."""
        return self._process.transcribe(audio)

    @property
    def batch_size(self) -> int:
        """How many utterances `transcribe_batch` takes at once; 1: it is not for this model."""
        return self._process.batch_size

    def transcribe_batch(self, audios: Sequence[Audio]) -> BatchTimed:
        """Recognize utterances of 16 kHz audio in one call. Raises WorkerError for all of them."""
        return self._process.transcribe_batch(audios)

    @property
    def has_unbatched(self) -> bool:
        """Whether it does several things at once, and can do one after another too."""
        return self._process.has_unbatched

    def transcribe_unbatched(self, audio: Audio) -> str:
        """The text of one utterance with nothing done at once. Raises WorkerError."""
        return self._process.transcribe_unbatched(audio)

    def synthesize(self, text: str, voice: Mapping[str, Any] | None = None) -> Timed[Speech]:
        """Speak one utterance. Raises WorkerError."""
        return self._process.synthesize(text, voice)

    def reply(self, turns: Sequence[Turn]) -> Timed[Reply]:
        """The assistant's next turn. Raises WorkerError."""
        return self._process.reply(turns)

    def warm_up(self, task: str, call: Callable[[], Timed[Any]]) -> None:
        """Make the first call for a task, unless it was made, and note how long it takes.

        call: is made again after each `restart`. Raises WorkerError.
        """
        self._warm_up = task, call
        if task not in self._first_calls:
            self._first_calls[task] = call()

    def restart(self) -> None:
        """A fresh process after the last one died, warmed up like the first. Raises WorkerError."""
        self._process.load()
        try:
            if self._warm_up is not None:
                self._warm_up[1]()
        except WorkerError:
            # Left alive it would be cold, and its next call would be counted.
            self._process.close()
            raise

    def cold_figures(self) -> Mapping[str, Figure]:
        """`load_time` and `first_inference`, in s, of the first process and the present task."""
        first = self._first_calls.get(self._warm_up[0]) if self._warm_up else None
        return {
            "load_time": timed_once(self.load_seconds, self._load_waited_seconds),
            "first_inference": timed_once(
                first.seconds if first else None, first.waited_seconds if first else None
            ),
        }

    def start_peak(self) -> None:
        """Forget the memory of the runs so far, so that one corpus's peak is not another's."""
        if self.alive:
            self._process.peak_memory(reset=True)

    def memory_figures(self) -> Mapping[str, Figure]:
        """Peaks since `start_peak`, or of loading if that was higher, in MB (10^6 bytes).

        `peak_memory` is the process's resident set, or why there is none;
        `peak_device_memory` is there where the device has memory of its own.
        """
        try:
            now = self._process.peak_memory()
        except WorkerError as error:
            gone = Figure(None, 0, reason=f"the model's process is gone: {error}")
            return {"peak_memory": gone} | ({"peak_device_memory": gone} if self._on_device else {})
        figures = {"peak_memory": _memory_figure(self._load_peak.host, now.host)}
        if now.device is not None:
            loading = self._load_peak.device or now.device
            figures["peak_device_memory"] = _memory_figure(loading, now.device)
        return figures

    @property
    def _on_device(self) -> bool:
        return self._load_peak.device is not None


def content_sha256(path: Path) -> str | None:
    """SHA-256 over a checkpoint's files; None where it is no file or folder of this machine,
    or a snapshot of the hub, whose name says as much.
    """
    if path.is_dir() and path.parent.name == "snapshots":
        return None
    return packages.files_sha256(path) if path.is_file() or path.is_dir() else None


def _memory_figure(loading: PeakMemory, since: PeakMemory) -> Figure:
    peak = max(loading, since, key=lambda peak: peak.bytes)
    how = None if peak.method == "VmHWM" else f"method: {peak.method}"
    return Figure(peak.bytes / 1e6, 1, reason=how)


def load_spec(
    entry: Model,
    device: str,
    settings: Settings,
    python: Path | None = None,
) -> LoadSpec:
    """What an adapter needs to load the entry; what the repo ships is unpacked on first use.

    A checkpoint inside a package becomes its path, and its content is checked; weights of another
    library than the engine's are converted.

    python: of the model's environment, whose packages the unpacking may need.
    Raises ModelError for one that names none, and for weights that are not the expected ones.
    """

    def unpacked(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: unpacked(item) for key, item in value.items()}
        return embedded.resolve(value, python) if embedded.is_embedded(value) else value

    checkpoint = unpacked(entry.checkpoint)
    if entry.is_packaged:
        checkpoint = packages.resolve(checkpoint, entry.revision, python)
    options = unpacked(entry.engine.adapter().prepare(entry.resolved_options))
    spec = LoadSpec(
        checkpoint=checkpoint,
        revision=entry.revision,
        device=device,
        threads=settings.threads,
        seed=settings.seed,
        options=packages.with_paths(options, python),
    )
    return converted(spec, entry.engine.adapter(), python, settings.say)


def interpreter(
    engine: EngineRef,
    settings: Settings,
    options: Options | None = None,
) -> Path | None:
    """The Python of the environment that an engine needs; None where it runs in the harness's.

    options: as for `EngineRef.missing`.
    Raises WorkerError, kind "refused", where the engine is not installed and no
    environment may be, or can be, built.
    """
    missing = engine.missing()
    if missing is None:
        absent_part = engine.missing(options)
        if absent_part is not None:
            raise WorkerError("refused", absent_part)
        return None
    if not settings.environments:
        raise WorkerError("refused", missing)
    if not settings.isolated:
        raise WorkerError("refused", f"{missing} (--isolation none leaves no place for --envs)")
    try:
        return environment(engine, settings.say)
    except EnvironmentFailed as error:
        raise WorkerError("refused", str(error)) from None


@contextmanager
def running(entry: Model, settings: Settings, log: Path) -> Iterator[LoadedModel]:
    """The model, loaded; its process ends with the block.

    log: where the process's output goes. Raises WorkerError where it cannot be loaded.
    """
    placement = place(
        settings.device, entry.engine.adapter().devices, entry.engine.name, settings.worker
    )
    refusal = entry.engine.refusal(placement.device, entry.options)
    if refusal is not None:
        raise WorkerError("refused", refusal)
    python = interpreter(entry.engine, settings, entry.resolved_options)
    try:
        spec = load_spec(entry, placement.device, settings, python)
    except (ModelError, ValueError, OSError, ImportError) as error:
        raise WorkerError("refused", str(error)) from None
    process = ModelProcess(
        entry.engine,
        spec,
        isolated=settings.isolated,
        time_limit=settings.time_limit,
        load_time_limit=settings.load_time_limit,
        log=log,
        python=python,
    )
    try:
        process.load()
        yield LoadedModel(entry, process, placement, log)
    finally:
        process.close()
