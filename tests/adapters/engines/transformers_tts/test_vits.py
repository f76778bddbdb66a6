"""VITS in transformers."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.interface import ModelError
from tests.adapters.engines.transformers_tts.shared import HOP, TEXT, loaded, same, say
from tests.contract.transformers_asr import set_in
from tests.support import tiny_tts

pytestmark = pytest.mark.engine


def test_vits_is_the_librarys_answer(vits: Path) -> None:
    import torch

    transformers: Any = importlib.import_module("transformers")
    model = transformers.VitsModel.from_pretrained(vits).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(vits)
    made = tokenizer(TEXT, return_tensors="pt")
    torch.manual_seed(5)
    with torch.no_grad():
        theirs = model(**made).waveform[0].numpy()
    assert np.array_equal(say(vits, seed=5).samples, theirs)


def test_vits_has_the_rate_of_its_config(tmp_path: Path) -> None:
    assert say(tiny_tts.vits(tmp_path, sampling_rate=22_050)).sample_rate == 22_050


def test_vits_leaves_out_what_it_does_not_know(vits: Path) -> None:
    assert same(say(vits, "turn on the light!?"), say(vits))
    assert same(say(vits, "TURN on the 3\u00bd light"), say(vits, "turn on the  light"))
    assert not same(say(vits, "turn on light"), say(vits))


def test_vits_names_unknown_characters(vits: Path, caplog: pytest.LogCaptureFixture) -> None:
    say(vits, "Turn on 3 lights!")
    assert caplog.messages == ["unknown in 'Turn on 3 lights!': ! 3"]


def test_vits_options(vits: Path) -> None:
    usual = say(vits)
    own: dict[str, Any] = {"speaking_rate": 8.0, "noise_scale": 0.667, "noise_scale_duration": 0.8}
    assert same(say(vits, **own), usual)
    slow = say(vits, speaking_rate=4.0)
    assert 1.5 < slow.seconds / usual.seconds < 2.5
    assert not same(say(vits, noise_scale=0.1), usual)
    assert len(say(vits, noise_scale=0.1).samples) == len(usual.samples)
    assert len(say(vits, noise_scale_duration=0.0).samples) != len(usual.samples)
    still: dict[str, Any] = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    assert same(say(vits, seed=1, **still), say(vits, seed=2, **still))


def test_vits_options_of_an_utterance_hold_for_it_alone(vits: Path) -> None:
    adapter = loaded(vits)
    usual = adapter.synthesize(TEXT).audio
    slow = adapter.synthesize(TEXT, {"speaking_rate": 4.0}).audio
    assert same(slow, say(vits, speaking_rate=4.0))
    assert same(adapter.synthesize(TEXT).audio, usual)
    with pytest.raises(
        ModelError, match="no voice option 'max_seconds'; there are voice, speaking"
    ):
        adapter.synthesize(TEXT, {"max_seconds": 1})
    with pytest.raises(ModelError, match="option speaking_rate"):
        adapter.synthesize(TEXT, {"speaking_rate": 0})


def test_vits_without_end_takes_no_memory(vits: Path) -> None:
    """Durations of exp(1000) frames: they are cut before the sound is made."""
    import torch

    adapter = loaded(vits, max_seconds=0.5)
    with torch.no_grad():
        adapter._speaker.model.duration_predictor.flows[0].translate.fill_(-1000.0)
    audio = adapter.synthesize(TEXT).audio
    assert len(audio.samples) == int(0.5 * 16_000 / HOP) * HOP


def test_vits_is_cut_off_and_not_squeezed(vits: Path) -> None:
    """Durations before the cut stay what they were."""
    import torch

    adapter = loaded(vits)
    speaker: Any = adapter._speaker
    logs = torch.log(torch.tensor([[[2.5, 2.9, 1.2, 6.9, 3.9]]]))
    speaker._scale = 1.0
    for most, expected in (
        (100, [3, 3, 2, 7, 4]),
        (19, [3, 3, 2, 7, 4]),
        (10, [3, 3, 2, 2, 0]),
        (3, [3, 0, 0, 0, 0]),
    ):
        speaker._most = most
        frames = torch.ceil(torch.exp(speaker._bounded(logs)))
        assert frames.flatten().tolist() == expected, most


@pytest.mark.parametrize(("drawn", "says"), [(True, "cannot speak"), (False, "not numbers")])
def test_vits_durations_that_are_no_numbers_are_refused(
    tmp_path: Path, drawn: bool, says: str
) -> None:
    import torch

    adapter = loaded(tiny_tts.vits(tmp_path, use_stochastic_duration_prediction=drawn))
    assert len(adapter.synthesize(TEXT).audio.samples)
    with torch.no_grad():
        for weight in adapter._speaker.model.duration_predictor.parameters():
            weight.fill_(float("nan"))
    with pytest.raises(ModelError, match=says) as caught:
        adapter.synthesize(TEXT)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speakers")
    return tiny_tts.vits(folder, num_speakers=3, speaker_embedding_size=8)


def test_vits_voices(vits: Path, speakers: Path) -> None:
    adapter = loaded(speakers, voice=0)
    sounds = [adapter.synthesize(TEXT, {"voice": voice}).audio for voice in range(3)]
    assert not any(
        same(one, other) for one, other in zip(sounds, sounds[1:] + sounds[:1], strict=True)
    )
    assert same(adapter.synthesize(TEXT).audio, sounds[0])
    assert same(say(speakers, voice=2), sounds[2])
    for voice in (None, 3, "one"):
        with pytest.raises(ModelError, match="has the speakers 0 to 2"):
            loaded(speakers, voice=voice)
    with pytest.raises(ModelError, match="has the speakers 0 to 2"):
        adapter.synthesize("", {"voice": 3})
    with pytest.raises(ModelError, match="has one voice"):
        loaded(vits, voice=0)


def test_published_vits_has_its_weights_in_an_older_form(vits: Path, tmp_path: Path) -> None:
    """With weight_g and weight_v, as torch named them before it had parametrizations."""
    safetensors: Any = importlib.import_module("safetensors.torch")
    old = shutil.copytree(vits, tmp_path / "old")
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}  # fmt: skip
    state = {}
    for key, value in safetensors.load_file(vits / "model.safetensors").items():
        for new, name in names.items():
            key = key.replace(new, name)
        state[key] = value
    assert any("weight_g" in key for key in state)
    safetensors.save_file(state, old / "model.safetensors", metadata={"format": "pt"})
    assert same(say(old), say(vits))


PHONEMES = "_ ,.abdefhijklmnoprstuvwz\u00e6\u00f0\u014b\u0251\u0254\u0259\u025c\u025b\u0261\u026a\u0279\u0283\u028a\u02c8\u02cc\u02d0"


def test_vits_of_phonemes_is_the_librarys_answer(tmp_path: Path) -> None:
    if importlib.util.find_spec("phonemizer") is None:
        pytest.skip("needs the package phonemizer")
    import torch

    transformers: Any = importlib.import_module("transformers")
    folder = tiny_tts.vits(tmp_path, phonemize=True, letters=PHONEMES)
    adapter = loaded(folder)  # tells phonemizer where espeak-ng is
    ours = adapter.synthesize("turn on the light, please.").audio.samples
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    made = tokenizer("turn on the light, please.", return_tensors="pt")
    assert "".join(adapter._speaker.read("light").known) == "l\u02c8a\u026at"
    model = transformers.VitsModel.from_pretrained(folder).eval()
    keep = made["input_ids"] < len(PHONEMES)
    torch.manual_seed(0)
    with torch.no_grad():
        theirs = model(made["input_ids"][keep][None]).waveform[0].numpy()
    assert keep.all(), "the test's alphabet lacks a phoneme of its text"
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("settings", "package"), [({"phonemize": True}, "phonemizer"), ({"is_uroman": True}, "uroman")]
)
def test_vits_names_the_package_that_it_lacks(
    vits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    package: str,
) -> None:
    folder = shutil.copytree(vits, tmp_path / "needy")
    set_in("tokenizer_config.json", **settings)(folder)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(ModelError, match=f"install {package}"):
        loaded(folder)
