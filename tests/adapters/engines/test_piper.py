"""Piper on a real voice: the library's own audio, drawn anew for every utterance."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.onnx.piper import Piper
from adapters.engines.shared import hub
from adapters.interface import Audio, LoadSpec, ModelError
from tests.contract.installed import need
from tests.contract.piper import voice

pytestmark = pytest.mark.engine

TEXT = "Turn on the light. Then call me at half past eight."


@pytest.fixture(scope="module")
def folder() -> Path:
    need("piper")
    return voice()


@pytest.fixture(scope="module")
def model(folder: Path) -> Piper:
    return loaded(folder)


def loaded(folder: Path, seed: int = 0, **options: Any) -> Piper:
    adapter = Piper()
    adapter.load(LoadSpec(str(folder), seed=seed, options=options))
    return adapter


def pieces(model: Piper, text: str = TEXT, **options: Any) -> list[Audio]:
    """One utterance, as the worker asks for it."""
    model.start_over()
    spoken = model.synthesize(text, options)
    return list(spoken) if isinstance(spoken, Iterator) else [spoken.audio]


def sound(model: Piper, text: str = TEXT, **options: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([piece.samples for piece in pieces(model, text, **options)])


def test_audio_is_the_librarys_own(model: Piper, folder: Path) -> None:
    library: Any = importlib.import_module("piper")
    runtime: Any = importlib.import_module("onnxruntime")
    (file,) = folder.glob("*.onnx")
    runtime.set_seed(0)
    theirs = list(library.PiperVoice.load(file).synthesize(TEXT))
    ours = pieces(model)
    assert [len(piece.samples) for piece in ours] == [len(c.audio_float_array) for c in theirs]
    for piece, chunk in zip(ours, theirs, strict=True):
        assert piece.sample_rate == chunk.sample_rate == 22_050
        # Sums of several threads are in another order.
        np.testing.assert_allclose(piece.samples, chunk.audio_float_array, atol=1e-3)


def test_a_sentence_can_be_heard_before_the_next_is_made(
    model: Piper, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.start_over()
    made: list[object] = []
    make = model._voice.phoneme_ids_to_audio

    def counted(ids: object, *more: object, **options: object) -> object:
        made.append(ids)
        return make(ids, *more, **options)

    monkeypatch.setattr(model._voice, "phoneme_ids_to_audio", counted)
    spoken = model.synthesize(f"{TEXT} {TEXT}")
    assert isinstance(spoken, Iterator)
    assert [len(made) for _ in spoken] == [1, 2, 3, 4]


def test_what_is_drawn_does_not_depend_on_what_was_said_before(model: Piper) -> None:
    first = sound(model)
    sound(model, "Something else.")
    assert np.array_equal(sound(model), first)


def test_seed_decides_what_is_drawn(model: Piper, folder: Path) -> None:
    usual = sound(model)
    assert np.array_equal(sound(loaded(folder, seed=0)), usual)
    other = sound(loaded(folder, seed=1))
    assert other.shape != usual.shape or not np.array_equal(other, usual)


def test_without_noise_no_seed_matters(folder: Path) -> None:
    still: dict[str, Any] = {"noise_scale": 0, "noise_w": 0}
    one = sound(loaded(folder, seed=1, **still))
    assert np.array_equal(sound(loaded(folder, seed=2, **still)), one)


@pytest.mark.parametrize("option", ["length_scale", "noise_scale", "noise_w"])
def test_scales_count(model: Piper, option: str) -> None:
    usual = sound(model)
    scale: dict[str, Any] = {option: 1.5}
    other = sound(model, **scale)
    assert len(other) != len(usual) or not np.array_equal(other, usual)
    if option == "length_scale":
        assert 1.3 * len(usual) < len(other) < 1.7 * len(usual)


@pytest.mark.parametrize("text", ["", " \n"])
def test_blank_text_is_no_samples(model: Piper, text: str) -> None:
    assert len(sound(model, text)) == 0


@pytest.mark.parametrize("speaker", [1, -1, "lessac"])
def test_speaker_that_the_voice_does_not_have(model: Piper, speaker: object) -> None:
    with pytest.raises(ModelError, match="speaker"):
        pieces(model, speaker=speaker)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"speaker": True}, "speaker"),
        ({"speaker": 1.5}, "speaker"),
        ({"length_scale": 0}, "from 0.1 to 10"),
        ({"noise_scale": float("inf")}, "from 0 to 5"),
        ({"noise_w": "0.8"}, "from 0 to 5"),
        ({"rate": 160}, "no option 'rate'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Piper.check({**Piper.options, **options})


def test_file_alone_is_the_voice_too(model: Piper, folder: Path) -> None:
    (file,) = folder.glob("*.onnx")
    assert np.array_equal(sound(loaded(file)), sound(model))


def test_configuration_that_lacks_a_key(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "joe")
    (config,) = copy.glob("*.json")
    keys = json.loads(config.read_text(encoding="utf-8"))
    del keys["phoneme_id_map"]
    config.write_text(json.dumps(keys), encoding="utf-8")
    with pytest.raises(ModelError, match="no configuration of a Piper voice"):
        loaded(copy)


def test_a_voice_of_a_repository_is_one_folder_of_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "snapshot"
    shutil.copytree(folder, snapshot / "en" / "joe" / "medium")
    asked: list[Any] = []

    def there(name: str, revision: str | None, **more: Any) -> Path:
        asked.append((name, revision, tuple(more["patterns"])))
        return snapshot

    monkeypatch.setattr(hub, "folder", there)
    monkeypatch.setattr(hub, "download", lambda *a, **k: str(there(*a, **k)))
    name = "someone/voices/en/joe/medium"
    model = Piper()
    model.load(LoadSpec(name, revision="v1.0.0"))
    np.testing.assert_array_equal(sound(model), sound(loaded(folder)))
    assert Piper.cached(name, "v1.0.0") is True
    assert Piper.cached("someone/voices/en/other", "v1.0.0") is False
    assert Piper.download(name, "v1.0.0") == str(snapshot / "en" / "joe" / "medium")
    wanted = ("en/joe/medium/*.onnx", "en/joe/medium/*.onnx.json")
    assert asked[0] == ("someone/voices", "v1.0.0", wanted)


def test_a_repository_alone_is_no_voice() -> None:
    assert Piper.cached("someone/voices", None) is False
    with pytest.raises(ModelError, match=r"OWNER/NAME/FOLDER"):
        Piper.download("someone/voices", None)
