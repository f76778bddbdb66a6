"""What every adapter must do, on a checkpoint that goes through its real loading code.

Each engine brings its checkpoints in tests/contract/<engine>.py. The model runs in a
process of its own, as in every evaluation.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.catalog.engine import EngineRef, known_engines
from adapters.devices import KINDS, device_count
from adapters.interface import Audio, LoadSpec, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from evals.models.corpus_synthesizer import synthesizer
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, CLIP_TEXT, builtin_corpus
from fixtures.corpora.corpus import Utterance
from tests.contract.installed import need
from tests.contract.subject import Made, Subject

pytestmark = pytest.mark.engine

HEAVY_LOAD_SECONDS = 300.0

SUBJECTS: list[Subject] = [
    subject
    for engine in known_engines()
    for subject in importlib.import_module(f"tests.contract.{engine}").SUBJECTS
]


def _each(subjects: list[Subject]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("subject", subjects, ids=lambda s: s.name)


each = _each(SUBJECTS)
each_that_hears = _each([s for s in SUBJECTS if "asr" in s.tasks])
each_that_understands = _each([s for s in SUBJECTS if s.hears])
each_that_batches = _each([s for s in SUBJECTS if s.options.get("batch_size", 1) > 1])
each_that_speaks = _each([s for s in SUBJECTS if "tts" in s.tasks])


def _spec(subject: Subject, made: Made, **changes: Any) -> LoadSpec:
    adapter = EngineRef(subject.engine).adapter()
    options = {**adapter.options, **subject.options, **made.options, **changes.pop("options", {})}
    return LoadSpec(**{"checkpoint": made.checkpoint, "options": options, **changes})


def _started(subject: Subject, made: Made) -> ModelProcess:
    process = ModelProcess(
        EngineRef(subject.engine), _spec(subject, made), time_limit=HEAVY_LOAD_SECONDS
    )
    process.load()
    return process


def _load(process: ModelProcess, spec: LoadSpec) -> None:
    """Load something else in a process that has imported the engine: that takes most of the time.

    What cannot be loaded leaves the model that is loaded as it is.
    """
    process._ask(
        {
            "op": "load",
            "engine": process.engine.name,
            "file": process.engine.file,
            "spec": {**asdict(spec), "options": dict(spec.options)},
        }
    )


class Bench:
    """The checkpoints made so far and the models that run, each of them once for all tests."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._made: dict[str, Made] = {}
        self._running: dict[str, ModelProcess] = {}

    def made(self, subject: Subject) -> Made:
        need(subject.engine)
        if subject.name not in self._made:
            self._made[subject.name] = subject.make(self._folder("checkpoint"))
        return self._made[subject.name]

    def process(self, subject: Subject) -> ModelProcess:
        if subject.name not in self._running:
            self._running[subject.name] = _started(subject, self.made(subject))
        return self._running[subject.name]

    def close(self) -> None:
        for process in self._running.values():
            process.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    # Not fixtures with the subject as their parameter: pytest would start a model anew
    # wherever two tests have different lists of subjects.
    bench = Bench(tmp_path_factory.mktemp)
    yield bench
    bench.close()


@pytest.fixture
def made(subject: Subject, bench: Bench) -> Made:
    return bench.made(subject)


@pytest.fixture
def process(subject: Subject, bench: Bench) -> ModelProcess:
    return bench.process(subject)


@pytest.fixture(scope="module")
def clip() -> tuple[Utterance, Audio]:
    (utterance,) = builtin_corpus(CLIP, synthesizer)
    return utterance, Audio(utterance.load(), SAMPLE_RATE)


def _silence(seconds: float) -> Audio:
    return Audio(np.zeros(round(seconds * SAMPLE_RATE), np.float32), SAMPLE_RATE)


def _said(subject: Subject, clip: Audio) -> list[Turn]:
    """The standard input as a conversation: spoken, or written for what cannot hear."""
    return [Turn("user", CLIP_TEXT) if subject.reads else Turn("user", audio=clip)]


def _answer(subject: Subject, process: ModelProcess, clip: Audio) -> object:
    """The answer of one task to the standard input, comparable with =="""
    if "asr" in subject.tasks:
        return process.transcribe(clip).result
    if "tts" in subject.tasks:
        audio = process.synthesize("turn on the light").result.audio
        return audio.sample_rate, audio.samples.tobytes()
    reply = process.reply(_said(subject, clip)).result
    return reply.text, reply.audio.samples.tobytes() if reply.audio else None


def test_every_engine_is_tested() -> None:
    """On every task that it declares."""
    for engine in known_engines():
        tested = {t for s in SUBJECTS if s.engine == engine for t in s.tasks}
        assert tested == set(EngineRef(engine).tasks()), engine


@pytest.mark.parametrize("engine", known_engines())
def test_declarations(engine: str) -> None:
    ref = EngineRef(engine)
    adapter = ref.adapter()
    assert ref.tasks()
    assert adapter.devices
    assert set(adapter.devices) <= {*KINDS, "remote"}
    assert set(adapter.streams) <= set(ref.tasks())
    assert adapter.timestamps in (None, "word", "segment")
    assert adapter.batch_of(adapter.options) == 1
    for restriction in adapter.restrictions:
        assert restriction.device in adapter.devices
        assert restriction.option in adapter.options


@each_that_hears
@pytest.mark.parametrize("kind", ["silence", "0.1 s of speech", "60 s", "unheard-of loudness"])
def test_hears_anything(
    subject: Subject, process: ModelProcess, clip: tuple[Utterance, Audio], kind: str
) -> None:
    sound = clip[1].samples
    samples = {
        "silence": np.zeros(SAMPLE_RATE, np.float32),
        "0.1 s of speech": sound[SAMPLE_RATE : SAMPLE_RATE * 11 // 10],
        "60 s": np.tile(sound, 12),
        "unheard-of loudness": np.clip(sound * 100, -1, 1),
    }[kind]
    timed = process.transcribe(Audio(samples, SAMPLE_RATE))
    assert isinstance(timed.result.text, str)
    assert timed.seconds > 0
    if kind == "silence" and subject.hears:
        assert timed.result.text == ""
    if timed.first_token_seconds is not None:
        assert 0 < timed.first_token_seconds <= timed.seconds


@each
def test_streams_as_declared(
    subject: Subject, process: ModelProcess, clip: tuple[Utterance, Audio]
) -> None:
    adapter = EngineRef(subject.engine).adapter()
    if "asr" in subject.tasks:
        timed = process.transcribe(clip[1])
        if timed.result.text:
            assert (timed.first_token_seconds is not None) == ("asr" in adapter.streams)
    if "tts" in subject.tasks:
        spoken = process.synthesize("turn on the light")
        assert (spoken.first_audio_seconds is not None) == ("tts" in adapter.streams)
    if "chat" in subject.tasks:
        reply = process.reply(_said(subject, clip[1]))
        times = (reply.first_token_seconds, reply.first_audio_seconds)
        assert any(t is not None for t in times) == ("chat" in adapter.streams)
        assert all(0 < t <= reply.seconds for t in times if t is not None)


@each_that_understands
def test_hears_right(
    subject: Subject, process: ModelProcess, clip: tuple[Utterance, Audio]
) -> None:
    assert process.transcribe(clip[1]).result.text == clip[0].text


@each_that_batches
def test_a_batch_is_each_alone(
    subject: Subject, process: ModelProcess, clip: tuple[Utterance, Audio]
) -> None:
    assert process.batch_size == subject.options["batch_size"]
    half = Audio(clip[1].samples[: len(clip[1].samples) // 2], SAMPLE_RATE)
    audios = [half, _silence(1.0), clip[1]]
    alone = [process.transcribe(audio).result for audio in audios]
    timed = process.transcribe_batch(audios)
    assert list(timed.result) == alone
    assert timed.seconds > 0


@each_that_speaks
@pytest.mark.parametrize(
    "text", ["", "a", "Füße, naïve: 東京 — 3½ €!", "turn on the light. " * 8], ids=repr
)
def test_speaks_anything(subject: Subject, process: ModelProcess, text: str) -> None:
    refusal: WorkerError | None = None
    try:
        audio = process.synthesize(text).result.audio
    except WorkerError as error:
        refusal = error
    if refusal is not None:  # a reason in words is an answer, a traceback is not
        assert refusal.kind == "refused"
        assert process.alive
        return
    assert audio.sample_rate >= 8000
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max(initial=0.0) <= 1.0


@each
def test_same_answer_in_two_processes(
    subject: Subject, made: Made, bench: Bench, clip: tuple[Utterance, Audio]
) -> None:
    """And from one that has answered much before."""
    runs_on = subject.engine == "espeak"  # its wave phase, from one utterance to the next
    other = _started(subject, made) if runs_on else bench.process(subject)
    fresh = _started(subject, made)
    try:
        answers = [_answer(subject, process, clip[1]) for process in (other, fresh)]
        if not runs_on:
            answers.append(_answer(subject, fresh, clip[1]))
    finally:
        fresh.close()
        if runs_on:
            other.close()
    assert all(answer == answers[0] for answer in answers)


@each
def test_options_are_honoured(
    subject: Subject, made: Made, process: ModelProcess, clip: tuple[Utterance, Audio]
) -> None:
    assert subject.setting is not None
    option, value = subject.setting
    assert option in EngineRef(subject.engine).adapter().options
    usual = _answer(subject, process, clip[1])
    _load(process, _spec(subject, made, options={option: value}))
    other = _answer(subject, process, clip[1])
    _load(process, _spec(subject, made))
    assert other != usual


@_each([s for s in SUBJECTS if s.damages])
def test_missing_checkpoint(
    subject: Subject, made: Made, process: ModelProcess, tmp_path: Path
) -> None:
    nowhere = tmp_path / "not" / "there"
    with pytest.raises(WorkerError) as caught:
        _load(process, _spec(subject, made, checkpoint=str(nowhere)))
    assert caught.value.kind == "refused"
    assert str(nowhere) in str(caught.value)


_DAMAGED = [
    pytest.param(subject, damage, id=f"{subject.name}-{damage}")
    for subject in SUBJECTS
    for damage in subject.damages
]


@pytest.mark.parametrize(("subject", "damage"), _DAMAGED)
def test_damaged_checkpoint(
    subject: Subject, damage: str, made: Made, process: ModelProcess, tmp_path: Path
) -> None:
    whole = Path(made.checkpoint)
    copy = tmp_path / whole.name
    shutil.copytree(whole, copy) if whole.is_dir() else shutil.copy(whole, copy)
    do, says = subject.damages[damage]
    do(copy)
    with pytest.raises(WorkerError, match=says) as caught:
        _load(process, _spec(subject, made, checkpoint=str(copy)))
    assert caught.value.kind == "refused"
    assert process.alive
    assert "\n" not in str(caught.value).strip()
    assert not list(tmp_path.rglob("pwned*")), "a pickle was executed"


_ABSENT = [
    pytest.param(subject, kind, id=f"{subject.name}-{kind}")
    for subject in SUBJECTS
    for kind in EngineRef(subject.engine).adapter().devices
    if kind not in ("cpu", "remote") and not device_count(kind)
]


@pytest.mark.parametrize(("subject", "kind"), _ABSENT)
def test_absent_device(subject: Subject, kind: str, made: Made, process: ModelProcess) -> None:
    with pytest.raises(WorkerError) as caught:
        _load(process, _spec(subject, made, device=f"{kind}:0" if kind == "cuda" else kind))
    assert caught.value.kind == "refused"
