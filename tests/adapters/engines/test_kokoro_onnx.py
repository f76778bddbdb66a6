"""kokoro-onnx: its own audio, from both layouts of a checkpoint, and no text lost in silence."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.onnx.kokoro_onnx import KokoroOnnx
from adapters.interface import Audio, LoadSpec, ModelError
from tests.contract.installed import need
from tests.contract.kokoro_onnx import DAMAGES, Damage
from tests.support import tiny_kokoro

pytestmark = pytest.mark.engine

TEXT = "turn on the light, please."


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("kokoro_onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_kokoro.kokoro(tmp_path_factory.mktemp("kokoro") / "hub")


def loaded(folder: Path, **options: Any) -> KokoroOnnx:
    adapter = KokoroOnnx()
    adapter.load(LoadSpec(str(folder), options=options))
    return adapter


def say(folder: Path, text: str = TEXT, **options: Any) -> Audio:
    return loaded(folder, **options).synthesize(text).audio


def same(one: Audio, other: Audio) -> bool:
    return one.sample_rate == other.sample_rate and np.array_equal(one.samples, other.samples)


@pytest.fixture(scope="module")
def usual(folder: Path) -> Audio:
    return say(folder)


def test_audio_is_what_the_harness_takes(usual: Audio) -> None:
    assert usual.sample_rate == 24_000
    assert usual.samples.dtype == np.float32
    assert usual.samples.ndim == 1
    assert 0.1 < np.abs(usual.samples).max() <= 1.0
    # About one phoneme a letter, and a sign before and after.
    assert 15 * tiny_kokoro.SAMPLES < len(usual.samples) < 40 * tiny_kokoro.SAMPLES


def test_it_is_the_packages_answer(tmp_path: Path, folder: Path, usual: Audio) -> None:
    bundled = tiny_kokoro.kokoro(tmp_path, bundled=True)
    package: Any = importlib.import_module("kokoro_onnx")
    theirs = package.Kokoro(str(bundled / "kokoro-v1.0.onnx"), str(bundled / "voices-v1.0.bin"))
    samples, rate = theirs.create(TEXT, "af_heart")
    assert same(usual, Audio(np.asarray(samples, np.float32), rate))


def test_both_layouts_and_both_names_of_the_input(tmp_path: Path, usual: Audio) -> None:
    assert same(say(tiny_kokoro.kokoro(tmp_path / "a", bundled=True)), usual)
    assert same(say(tiny_kokoro.kokoro(tmp_path / "b", "tokens")), usual)


def test_same_text_same_audio(folder: Path, usual: Audio) -> None:
    adapter = loaded(folder)
    other = adapter.synthesize("turn off the fan").audio
    assert not same(other, usual)
    assert same(adapter.synthesize(TEXT).audio, usual)


def test_options(folder: Path, usual: Audio) -> None:
    louder = say(folder, speed=1.5)
    assert np.abs(louder.samples).mean() > np.abs(usual.samples).mean()
    assert not same(say(folder, voice="bf_emma"), usual)
    assert not same(say(folder, "car", language="en-gb"), say(folder, "car"))


def test_options_of_an_utterance_hold_for_it_alone(folder: Path, usual: Audio) -> None:
    adapter = loaded(folder)
    emma = adapter.synthesize(TEXT, {"voice": "bf_emma", "speed": 1.2}).audio
    assert same(emma, say(folder, voice="bf_emma", speed=1.2))
    assert same(adapter.synthesize(TEXT).audio, usual)
    with pytest.raises(
        ModelError, match="no voice option 'rate'; there are voice, speed, language"
    ):
        adapter.synthesize(TEXT, {"rate": 2})
    with pytest.raises(ModelError, match="option speed"):
        adapter.synthesize(TEXT, {"speed": 3})


@pytest.mark.parametrize("text", ["", " \n"], ids=repr)
def test_nothing_to_say_is_no_samples(folder: Path, text: str) -> None:
    assert len(say(folder, text).samples) == 0


@pytest.mark.parametrize("text", ["...", "\u2014 ?!"], ids=ascii)
def test_text_of_which_nothing_is_left_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(ModelError, match="nothing to speak"):
        say(folder, text)


def test_long_text_is_all_spoken(folder: Path) -> None:
    one = say(folder, "turn on the light.")
    many = say(folder, "turn on the light. " * 60)
    assert len(many.samples) > 50 * (len(one.samples) - 2 * tiny_kokoro.SAMPLES)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 1}, "no option 'rate'. Options: voice, speed, language"),
        ({"voice": "nobody"}, "no 'nobody' among af_heart, bf_emma"),
        ({"voice": None}, "option voice"),
        ({"speed": 0.4}, "option speed"),
        ({"speed": float("nan")}, "option speed"),
        ({"speed": True}, "option speed"),
        ({"language": "klingon"}, "option language: 'klingon'"),
        ({"language": ""}, "option language"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(folder: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        loaded(folder, **options)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_checkpoints_are_refused(folder: Path, tmp_path: Path, damage: Damage) -> None:
    broken = shutil.copytree(folder, tmp_path / "damaged")
    do, says = damage
    do(broken)
    with pytest.raises(ModelError, match=says) as caught:
        loaded(broken)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("pwned*"))


def test_other_models_are_refused(tmp_path: Path) -> None:
    folder = tiny_kokoro.kokoro(tmp_path, "text")
    with pytest.raises(ModelError, match="is not Kokoro: its inputs are speed, style, text"):
        loaded(folder)


def test_cached_means_whole(folder: Path, tmp_path: Path) -> None:
    assert KokoroOnnx.cached(str(folder), None) is True
    half = shutil.copytree(folder, tmp_path / "half")
    shutil.rmtree(half / "voices")
    assert KokoroOnnx.cached(str(half), None) is False
