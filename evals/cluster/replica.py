"""The side of the worker: one model replica, which a Ray actor holds on the host that it got.

Nothing here needs Ray: a replica takes rows of utterances and gives rows of predictions.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import adapters
import evals
import fixtures
from adapters.catalog.model import Model
from adapters.devices import DeviceError
from adapters.devices import check as check_device
from adapters.interface import Audio, ModelError
from adapters.redaction import redact
from adapters.worker.results import WorkerError
from evals.models.loaded import LoadedModel, Settings, running
from evals.models.transcribe import Asking, Heard, transcribe_all
from evals.records.predictions import Prediction
from fixtures.audio.read import SAMPLE_RATE, AudioError, Samples
from fixtures.corpora.corpus import CorpusError, Utterance
from fixtures.fetch.fetch import fetched

Row = dict[str, Any]
#: The index of a row that is no prediction: why the replica cannot go on.
FAILED = -1
#: Of compressed speech; of WAV at 16 kHz it is a quarter.
_BYTES_A_SECOND = 8_000


@dataclass(frozen=True)
class Job:
    """What a replica is to do; all of it is sent to every worker.

    settings: with the device as the worker has it: a GPU that Ray lent is always "cuda".
    logs: the folder for the models' output, used where the worker sees it too.
    code: `code_hash` of the session. fetched: of a corpus that is elsewhere, what `--corpus`
    called it and the folder into which the session fetched it.
    """

    entry: Model
    settings: Settings
    clip: Audio
    logs: Path
    contended: bool
    code: str
    fetched: tuple[str, Path] | None = None


class Replica:
    """The model, loaded and warm; where it cannot be, its answer to all rows says so.

    name: tells it from the others, and stays the same when it is started again. again: whether
    it was.
    """

    def __init__(self, job: Job, name: str, again: bool = False) -> None:
        self._job = job
        self._name = name
        self._again = again
        self._stack = ExitStack()
        self._model: LoadedModel | None = None
        #: Over all blocks: how many utterances it takes at once, how often it has died.
        self._asking = Asking(1)
        self._failure = ""
        try:
            self._model = self._loaded()
            self._asking.size = max(1, self._model.batch_size)
        except (WorkerError, ModelError, DeviceError) as error:
            self._stack.close()
            self._failure = f"model {job.entry.name} cannot be loaded on {host()}: {error}"

    def _loaded(self) -> LoadedModel:
        job = self._job
        if code_hash() != job.code:
            where = Path(evals.__file__ or "").parents[1]
            raise ModelError(
                f"the project's code in {where} is not the session's: install the same version on "
                "every host"
            )
        check_device(job.settings.device)
        model = self._stack.enter_context(running(job.entry, job.settings, self._log()))
        model.warm_up("asr", lambda: model.transcribe(job.clip))
        model.start_peak()
        return model

    def _log(self) -> Path:
        # In the run where this host sees it, else where the host has its temporary files.
        base = self._job.logs
        if not base.is_dir():
            base = Path(tempfile.gettempdir()) / "model-lab"
        return base / self._job.entry.name / f"worker-{host()}-{os.getpid()}.log"

    def __call__(self, rows: Sequence[Row]) -> list[Row]:
        """A row for each, in their order, or a single one with index FAILED.

        Each has `index`, the prediction as JSON in `line`, and what is known of the replica by
        then as JSON in `facts`. A failure's `line` begins with "model" or "host".
        """
        if self._model is None:
            return [_failed(self._failure)]
        try:
            made = self._transcribed(self._model, [utterance_of(row) for row in rows])
        except (AudioError, CorpusError) as error:
            return [_failed(f"host {host()}: {error}")]
        facts = json.dumps(self._facts(self._model))
        return [
            {"index": row["index"], "line": _line(made[row["index"]], row), "facts": facts}
            for row in rows
        ]

    def _transcribed(
        self, model: LoadedModel, utterances: Sequence[Utterance]
    ) -> Mapping[int | None, Prediction]:
        """The predictions by index; those of a batch come in the order of their lengths."""
        heard = (Heard(one, Audio(self._samples(one), SAMPLE_RATE, one.lang)) for one in utterances)
        made = transcribe_all(model, heard, contended=self._job.contended, asking=self._asking)
        return {prediction.index: prediction for prediction in made}

    def _samples(self, utterance: Utterance) -> Samples:
        path = utterance.path
        if not path.exists() and self._job.fetched is not None:
            # No shared storage: this host fetches the corpus itself, once for all its replicas.
            asked, folder = self._job.fetched
            here = fetched(asked)[0].parent
            if here.name != folder.name:
                raise CorpusError(f"{asked} has changed since the session fetched it")
            path = here / path.relative_to(folder.absolute())
        try:
            return replace(utterance, path=path).load()
        except AudioError as error:
            raise AudioError(f"{path} {error}: it must be there on every host") from None

    def _facts(self, model: LoadedModel) -> Mapping[str, Any]:
        figures = {**model.cold_figures(), **model.memory_figures()}
        return {
            "actor": self._name,
            "again": self._again,
            "host": host(),
            "pid": os.getpid(),
            "property": model.as_property()[1],
            "figures": {name: asdict(figure) for name, figure in figures.items()},
        }

    def close(self) -> None:
        """End the model's process."""
        self._stack.close()


def _line(prediction: Prediction, row: Row) -> str:
    # As the session names the file. And what this host keeps secret, the session's does not know.
    named = {**asdict(prediction), "audio": json.loads(row["utterance"])["audio"]}
    return redact(json.dumps(named, allow_nan=False))


def _failed(line: str) -> Row:
    return {"index": FAILED, "line": redact(line), "facts": ""}


def row_of(utterance: Utterance) -> Row:
    """An utterance as `index` and a JSON text, which carries what a column of Arrow's cannot."""
    values = {
        "index": utterance.index,
        "id": utterance.id,
        "path": str(utterance.path.absolute()),
        "audio": str(utterance.path),
        "text": utterance.text,
        "offset": utterance.offset,
        "duration": utterance.duration,
        "lang": utterance.lang,
        "speaker": utterance.speaker,
        "category": utterance.category,
        "line": utterance.line,
        "metadata": dict(utterance.metadata),
    }
    return {"index": utterance.index, "utterance": json.dumps(values)}


def seconds_of(row: Mapping[str, Any]) -> float:
    """About how long an utterance is; where its row does not say, by the bytes of its file."""
    utterance = utterance_of(row)
    if utterance.duration is not None:
        return utterance.duration
    try:
        return utterance.path.stat().st_size / _BYTES_A_SECOND
    except OSError:  # only the hosts see it
        return 0.0


def utterance_of(row: Mapping[str, Any]) -> Utterance:
    """The utterance of a row."""
    values = json.loads(row["utterance"])
    del values["audio"]
    return Utterance(**{**values, "path": Path(values["path"])})


@cache
def host() -> str:
    """This machine's name."""
    return socket.gethostname()


@cache
def code_hash() -> str:
    """SHA-256 of the code that makes predictions, as it is installed here."""
    digest = hashlib.sha256()
    for package in (adapters, evals, fixtures):
        folder = Path(package.__file__ or "").parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(folder.parent).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()
