"""Moonshine on its own weights: each utterance alone, one thread, and options that count."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.catalog import packages
from adapters.catalog.catalog import Catalog
from adapters.engines.onnx.moonshine import Moonshine
from adapters.interface import Audio, LoadSpec, ModelError
from tests.contract.installed import need
from tests.support.real_speech import BECKETT, TWO_CITIES, speech

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("moonshine")


@pytest.fixture(scope="module")
def folder() -> str:
    return packages.resolve("package:moonshine_voice/assets/tiny-en")


@pytest.fixture(scope="module")
def model(folder: str) -> Moonshine:
    return loaded(folder)


@pytest.fixture(scope="module")
def short() -> Audio:
    return speech(BECKETT)


def loaded(folder: str, threads: int = 1, **options: Any) -> Moonshine:
    adapter = Moonshine()
    adapter.load(LoadSpec(folder, threads=threads, options=options))
    return adapter


def test_text_is_what_a_fresh_transcriber_of_the_library_hears(
    model: Moonshine, folder: str, short: Audio
) -> None:
    """With its defaults, so that the options here are them."""
    library: Any = importlib.import_module("moonshine_voice")
    theirs = library.Transcriber(model_path=folder, model_arch=library.ModelArch.TINY)
    lines = theirs.transcribe_without_streaming(short.samples.tolist(), short.sample_rate).lines
    theirs._handle = None  # freeing it ends the process
    assert len(lines) > 3
    assert model.transcribe(short).text == " ".join(line.text for line in lines).strip()


def test_without_the_detector_no_text_depends_on_what_was_heard_before(
    folder: str, short: Audio
) -> None:
    """The library's detector goes on where the call before it ended, by a frame even in new streams."""
    clips = _cuts(speech(TWO_CITIES), seconds=2.5)
    one = loaded(folder, vad_threshold=0.0)
    forward = [one.transcribe(clip).text for clip in clips[:6]]
    one.transcribe(short)
    assert [one.transcribe(clip).text for clip in clips[5::-1]] == forward[::-1]
    assert all(forward)


def test_words_of_one_utterance_are_not_heard_in_the_next(model: Moonshine, short: Audio) -> None:
    """As `transcribe_without_streaming` does in the middle of a corpus."""
    text = model.transcribe(short).text
    begin = _cuts(speech(TWO_CITIES), seconds=2.5)[0]
    for _ in range(2):
        assert model.transcribe(begin).text.startswith("It was")
        assert model.transcribe(short).text == text


def test_one_thread_uses_one_cpu(model: Moonshine, short: Audio) -> None:
    model.transcribe(short)
    cpu, wall = time.process_time(), time.perf_counter()
    model.transcribe(short)
    assert time.process_time() - cpu <= 1.05 * (time.perf_counter() - wall)


def test_segments_are_no_longer_than_asked(folder: str, model: Moonshine) -> None:
    start = _cuts(speech(TWO_CITIES), seconds=12.0)[0]
    cut = loaded(folder, segment_seconds=2.0).transcribe(start).text
    assert cut != model.transcribe(start).text


@pytest.mark.parametrize("samples", [0, 1, 160])
def test_hardly_any_sound_is_no_words(model: Moonshine, samples: int) -> None:
    assert model.transcribe(Audio(np.zeros(samples, np.float32), 16_000)).text == ""


def test_close_and_load_again(folder: str, short: Audio) -> None:
    """The library's own way to free a model ends the process."""
    first = loaded(folder)
    text = first.transcribe(short).text
    first.close()
    del first
    assert loaded(folder).transcribe(short).text == text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"architecture": "large"}, "architecture"),
        ({"language": ""}, "language"),
        ({"vad_threshold": 2}, "from 0 to 1"),
        ({"vad_threshold": float("nan")}, "from 0 to 1"),
        ({"segment_seconds": True}, "from 1 to 30"),
        ({"beam_size": 5}, "no option 'beam_size'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Moonshine.check({**Moonshine.options, **options})


def test_folder_of_another_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not whole"):
        loaded(str(tmp_path))


def _cuts(audio: Audio, seconds: float) -> list[Audio]:
    step = round(seconds * audio.sample_rate)

    def each() -> Iterator[Audio]:
        for start in range(0, len(audio.samples) - step, step):
            yield Audio(audio.samples[start : start + step], audio.sample_rate)

    return list(each())


def test_a_model_of_the_librarys_own_names_is_where_the_library_keeps_it(
    folder: str, short: Audio, model: Moonshine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library would fetch is put in its cache from the wheel."""
    monkeypatch.setenv("MOONSHINE_VOICE_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"nothing is downloaded unasked.*adapters download"):
        loaded("tiny-en")
    assert Moonshine.cached("tiny-en", None) is False
    library: Any = importlib.import_module("moonshine_voice.download")
    fetched: list[str] = []

    def fetch(url: str, path: str) -> None:
        fetched.append(url)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(Path(folder, Path(path).name).read_bytes())

    monkeypatch.setattr(library, "download_model", fetch)
    there = Moonshine.download("tiny-en", None)
    assert Moonshine.cached("tiny-en", None) is True
    assert all(url.startswith("https://") and "/tiny-en/" in url for url in fetched)
    found = loaded("tiny-en")
    assert found.loaded_from == there
    assert found.transcribe(short).text == model.transcribe(short).text


@pytest.mark.parametrize("name", ["small-streaming-en", "huge-en"])
def test_a_model_that_cannot_be_had_is_said(name: str) -> None:
    with pytest.raises(ModelError, match=rf"no model '{name}'; it has .*tiny-en, "):
        Moonshine.download(name, None)


def test_a_server_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    library: Any = importlib.import_module("moonshine_voice.download")

    def refused(url: str, path: str) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(library, "download_model", refused)
    with pytest.raises(ModelError, match=r"^base-en cannot be had: .*connection refused"):
        Moonshine.download("base-en", None)


def test_the_catalogues_names_are_the_librarys() -> None:
    entries = [m for m in Catalog().models.values() if m.engine.name == "moonshine"]
    names = [entry.checkpoint for entry in entries if ":" not in str(entry.checkpoint)]
    assert len(names) > 5
    for name in names:
        assert str(name) in str(importlib.import_module("moonshine_voice.download").MODEL_INFO)
