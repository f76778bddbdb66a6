"""Voices of transformers of every kind: audio, long texts, options and checkpoints."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.transformers_tts import adapter as transformers_tts
from adapters.engines.transformers_tts import speaker as transformers_speakers
from adapters.engines.transformers_tts.adapter import TransformersTts
from adapters.interface import ModelError, Samples
from tests.adapters.engines.transformers_tts.shared import HOP, TEXT, loaded, same, say
from tests.contract.transformers_asr import malicious_pickle, set_in
from tests.contract.transformers_tts import BARK_DAMAGES, SPEECHT5_DAMAGES, VITS_DAMAGES, Damage

pytestmark = pytest.mark.engine

RATES = {"vits": 16_000, "speecht5": 16_000, "bark": 24_000}


def test_audio_is_what_the_harness_takes(kind: str, folder: Path) -> None:
    audio = say(folder)
    assert audio.sample_rate == RATES[kind]
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    assert 0.1 < audio.seconds < 5
    assert 0.01 < np.abs(audio.samples).max() <= 1.0
    assert audio.samples.std() > 0.001


def test_same_text_same_audio(folder: Path) -> None:
    adapter = loaded(folder, seed=3)
    first = adapter.synthesize(TEXT).audio
    other = adapter.synthesize("turn off the fan").audio
    assert not same(first, other)
    assert same(adapter.synthesize(TEXT).audio, first)
    assert same(say(folder, seed=3), first)
    assert not same(say(folder, seed=4), first)


@pytest.mark.parametrize("text", ["", "  \n"], ids=repr)
def test_nothing_to_say_is_no_samples(kind: str, folder: Path, text: str) -> None:
    audio = say(folder, text)
    assert (len(audio.samples), audio.sample_rate) == (0, RATES[kind])


@pytest.mark.parametrize("text", ["\u6771\u4eac", "\u2014 ... \u2026", "\u20ac"], ids=ascii)
def test_text_of_which_nothing_is_left_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(ModelError, match="knows none of the letters") as caught:
        say(folder, text)
    assert text in str(caught.value)


def test_unknown_characters_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    adapter = loaded(folder)
    adapter.synthesize(TEXT)
    assert not caplog.records
    adapter.synthesize("turn on \u6771 the light")
    (record,) = caplog.records
    assert "unknown in 'turn on \u6771 the light'" in record.getMessage()


def test_long_text_is_spoken_in_pieces_of_which_none_is_lost(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = loaded(folder)
    speaker = adapter._speaker
    said: list[transformers_speakers.Piece] = []
    sizes: list[int] = []
    say_one = speaker.say

    def record(piece: Any, settings: Any) -> Samples:
        samples: Samples = say_one(piece, settings)
        said.append(piece)
        sizes.append(len(samples))
        return samples

    monkeypatch.setattr(speaker, "say", record)
    monkeypatch.setattr(type(speaker), "longest", 50)
    text = "turn on the light, and the fan. who is there? " * 3 + "a" * 70
    audio = adapter.synthesize(text).audio
    assert len(said) > 3
    assert "".join("".join(piece.text.split()) for piece in said) == "".join(text.split())
    assert all(len(piece.text) <= 50 for piece in said)
    assert sum(sizes) == len(audio.samples)
    if speaker.room is not None:
        assert all(len(piece.ids) <= speaker.room for piece in said)
        assert any(len(piece.ids) > speaker.room // 3 for piece in said)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("One. Two three? Four", ["One. Two three?", "Four"]),
        ("No 3.5 here, no end", ["No 3.5 here,", "no end"]),
        ("only words are here now", ["only words are", "here now"]),
        ("a" * 20, ["a" * 16, "a" * 4]),
        ("\u4e00" * 12 + "\u3002" + "\u4e8c" * 5, ["\u4e00" * 12 + "\u3002", "\u4e8c" * 5]),
        ("just sixteen ab.", ["just sixteen ab."]),
        ("  ", []),
    ],
    ids=ascii,
)
def test_where_text_is_cut(text: str, pieces: list[str]) -> None:
    assert list(transformers_tts._pieces(text, 16)) == pieces


def test_audio_that_would_not_end_is_cut_off(kind: str, folder: Path) -> None:
    whole = say(folder)
    short = say(folder, max_seconds=0.1)
    assert len(short.samples) < len(whole.samples)
    # Bark's frames come in twos of a semantic token; SpeechT5's in steps of two.
    slack = {"vits": 0, "speecht5": HOP * 2, "bark": 24_000 // 20}[kind]
    assert 0 < len(short.samples) <= 0.1 * short.sample_rate + slack
    assert same(say(folder, max_seconds=30), whole)


def test_not_a_number_is_passed_on(kind: str, folder: Path) -> None:
    """The harness judges it."""
    import torch

    adapter = loaded(folder)
    speaker: Any = adapter._speaker
    last: Any = {
        "vits": lambda: speaker.model.decoder.conv_post.weight,
        "speecht5": lambda: speaker._vocoder.conv_post.weight,
        "bark": lambda: speaker.model.codec_model.decoder.layers[0].conv.bias,
    }[kind]()
    with torch.no_grad():
        last.fill_(float("nan"))
    assert np.isnan(adapter.synthesize(TEXT).audio.samples).any()


def test_closed_models_are_gone(folder: Path) -> None:
    adapter = loaded(folder)
    adapter.close()
    with pytest.raises(AttributeError):
        adapter.synthesize(TEXT)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"speed": 2}, "no option 'speed'. Options: voice"),
        ({"speaking_rate": 0}, "option speaking_rate"),
        ({"speaking_rate": "fast"}, "option speaking_rate"),
        ({"noise_scale": -1}, "option noise_scale"),
        ({"noise_scale_duration": float("nan")}, "option noise_scale_duration"),
        ({"max_seconds": 0}, "option max_seconds"),
        ({"max_seconds": None}, "option max_seconds"),
        ({"compute_type": "int8"}, "option compute_type"),
        ({"spell_numbers": 1}, "option spell_numbers"),
        ({"vocoder": None}, "option vocoder"),
        ({"vocoder_revision": 7}, "option vocoder_revision"),
        ({"voice": -1}, "option voice"),
        ({"voice": True}, "option voice"),
        ({"voice": ""}, "option voice"),
        ({"voice": []}, "option voice"),
        ({"voice": [1.0, "x"]}, "option voice"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        TransformersTts.check({**TransformersTts.options, **options})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vits", {"vocoder": "someone/else"}),
        ("vits", {"spell_numbers": True}),
        ("vits", {"compute_type": "bfloat16"}),
        ("speecht5", {"speaking_rate": 2}),
        ("bark", {"noise_scale": 0.5}),
        ("bark", {"vocoder_revision": None}),
    ],
    ids=str,
)
def test_options_that_would_do_nothing_are_refused(folder: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"option {next(iter(options))}.*no use"):
        loaded(folder, **options)


@pytest.mark.parametrize("kind", ["speecht5", "bark"])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "auto"])
def test_compute_type(folder: Path, name: str) -> None:
    adapter = loaded(folder, compute_type=name)
    expected = "float32" if name == "auto" else name
    assert str(adapter._speaker.model.dtype) == f"torch.{expected}"
    audio = adapter.synthesize(TEXT).audio
    assert audio.samples.dtype == np.float32
    assert np.isfinite(audio.samples).all()


@pytest.mark.parametrize(
    "of", ["csm", "fastspeech2_conformer_with_hifigan", "seamless_m4t_v2", "new"]
)
def test_models_of_other_kinds_are_refused_by_name(vits: Path, tmp_path: Path, of: str) -> None:
    folder = shutil.copytree(vits, tmp_path / "other")
    set_in("config.json", model_type=of)(folder)
    with pytest.raises(ModelError, match=f"'{of}' is not run.*vits, speecht5, bark") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


DAMAGES = {"vits": VITS_DAMAGES, "speecht5": SPEECHT5_DAMAGES, "bark": BARK_DAMAGES}


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        pytest.param(kind, damage, id=f"{kind}-{name}")
        for kind, damages in DAMAGES.items()
        for name, damage in damages.items()
    ],
)
def test_damaged_checkpoints_are_refused(
    kind: str, damage: Damage, folder: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(folder, tmp_path / "damaged")
    do, says = damage
    do(broken)
    options: dict[str, Any] = {"voice": "one"} if kind == "bark" else {}
    with pytest.raises(ModelError, match=says) as caught:
        loaded(broken, **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("pwned*"))


def test_plain_pickles_are_read_and_others_are_not(folder: Path, tmp_path: Path) -> None:
    import torch

    load_file = importlib.import_module("safetensors.torch").load_file
    plain = shutil.copytree(folder, tmp_path / "plain")
    torch.save(load_file(plain / "model.safetensors"), plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    # Weights that lie elsewhere in memory may be multiplied in another order.
    np.testing.assert_allclose(say(plain).samples, say(folder).samples, atol=1e-5)
    evil = shutil.copytree(folder, tmp_path / "evil")
    malicious_pickle(evil)
    with pytest.raises(ModelError, match="cannot load the weights"):
        loaded(evil)
    assert not (evil / "pwned").exists()
