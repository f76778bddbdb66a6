"""transformers' text to speech: the library's own audio, the same one every time, and never too much."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.shared import hub
from adapters.engines.transformers_tts import adapter as transformers_tts
from adapters.engines.transformers_tts import speaker as transformers_speakers
from adapters.engines.transformers_tts.adapter import TransformersTts
from adapters.interface import Audio, LoadSpec, ModelError, Samples
from tests.contract.installed import need
from tests.contract.transformers_asr import malicious_pickle, set_in
from tests.contract.transformers_tts import BARK_DAMAGES, SPEECHT5_DAMAGES, VITS_DAMAGES, Damage
from tests.support import tiny_tts

pytestmark = pytest.mark.engine

TEXT = "turn on the light"
#: Frames of all three have 64 samples.
HOP = 64
RATES = {"vits": 16_000, "speecht5": 16_000, "bark": 24_000}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("transformers_tts")


@pytest.fixture(scope="module", autouse=True)
def _offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.vits(tmp_path_factory.mktemp("vits"))


@pytest.fixture(scope="module")
def speecht5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.speecht5(tmp_path_factory.mktemp("speecht5"))


@pytest.fixture(scope="module")
def bark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tts.bark(tmp_path_factory.mktemp("bark"))


@pytest.fixture(params=["vits", "speecht5", "bark"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(kind)
    return made


def loaded(folder: Path, seed: int = 0, **options: Any) -> TransformersTts:
    if (folder / "vocoder").is_dir():
        options = {"vocoder": str(folder / "vocoder"), "voice": tiny_tts.voice(0), **options}
    adapter = TransformersTts()
    adapter.load(LoadSpec(str(folder), seed=seed, options=options))
    return adapter


def say(folder: Path, text: str = TEXT, seed: int = 0, **options: Any) -> Audio:
    return loaded(folder, seed, **options).synthesize(text).audio


def same(one: Audio, other: Audio) -> bool:
    return one.sample_rate == other.sample_rate and np.array_equal(one.samples, other.samples)


# All kinds


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


# VITS


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


# SpeechT5


def test_speecht5_is_the_librarys_answer(speecht5: Path) -> None:
    import torch

    transformers: Any = importlib.import_module("transformers")
    model = transformers.SpeechT5ForTextToSpeech.from_pretrained(speecht5).eval()
    vocoder = transformers.SpeechT5HifiGan.from_pretrained(speecht5 / "vocoder").eval()
    made = transformers.AutoTokenizer.from_pretrained(speecht5)(TEXT, return_tensors="pt")
    torch.manual_seed(5)
    theirs = model.generate_speech(
        made["input_ids"], torch.tensor([tiny_tts.voice(0)]), vocoder=vocoder
    )
    assert np.array_equal(say(speecht5, seed=5).samples, theirs.numpy())


def test_speecht5_voices(speecht5: Path, tmp_path: Path) -> None:
    first, second = (say(speecht5, voice=tiny_tts.voice(seed)) for seed in (0, 1))
    assert not same(first, second)
    file = tmp_path / "voice.npy"
    np.save(file, np.asarray(tiny_tts.voice(1), np.float32))
    assert same(say(speecht5, voice=str(file)), second)
    adapter = loaded(speecht5)
    assert same(adapter.synthesize(TEXT, {"voice": str(file)}).audio, second)
    assert same(adapter.synthesize(TEXT).audio, first)


def test_speecht5_voices_that_are_none(speecht5: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([object()]), allow_pickle=True)
    empty = tmp_path / "empty.npy"
    empty.touch()
    for voice, says in (
        (None, "needs an x-vector.*16 numbers"),
        (3, "needs an x-vector"),
        (str(tmp_path / "absent.npy"), "cannot be read"),
        (str(pickled), "cannot be read"),
        (str(empty), "cannot be read"),
        ([1.0, 2.0], "takes 16 finite numbers, and these are 2"),
    ):
        with pytest.raises(ModelError, match=says):
            loaded(speecht5, voice=voice)


def test_speecht5_with_another_vocoder(speecht5: Path, tmp_path: Path) -> None:
    other = shutil.copytree(speecht5 / "vocoder", tmp_path / "other")
    set_in("config.json", sampling_rate=22_050)(other)
    audio = say(speecht5, vocoder=str(other))
    assert audio.sample_rate == 22_050
    assert np.array_equal(audio.samples, say(speecht5).samples)
    set_in("config.json", model_type="hifigan")(other)  # as published
    assert same(say(speecht5, vocoder=str(other)), audio)
    with pytest.raises(ModelError, match="nothing is downloaded unasked"):
        loaded(speecht5, vocoder="someone/vocoder")


def test_speecht5_spells_numbers_where_asked(speecht5: Path) -> None:
    assert same(say(speecht5, "turn 2 on", spell_numbers=True), say(speecht5, "turn two on"))
    assert not same(say(speecht5, "turn 2 on"), say(speecht5, "turn two on"))
    with pytest.raises(ModelError, match="knows none"):
        say(speecht5, "2", spell_numbers=False)


def test_speecht5_stays_within_the_places_of_its_decoder(tmp_path: Path) -> None:
    folder = tiny_tts.speecht5(tmp_path, max_speech_positions=40)
    assert len(say(folder).samples) == 2 * 40 * HOP


def test_speecht5_names_the_package_that_it_lacks(
    speecht5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="install sentencepiece"):
        loaded(speecht5)


# Bark


def test_bark_is_the_librarys_answer(bark: Path) -> None:
    import torch

    transformers: Any = importlib.import_module("transformers")
    model = transformers.BarkModel.from_pretrained(bark).eval()
    processor = transformers.BarkProcessor.from_pretrained(bark)
    for voice in (None, "v2/two"):
        made = processor(TEXT, voice_preset=voice, max_length=24)
        torch.manual_seed(5)
        theirs = model.generate(**made)[0].numpy()
        ours = say(bark, seed=5, voice=voice).samples
        assert np.array_equal(ours, np.clip(theirs, -1, 1))


def test_bark_voices(bark: Path) -> None:
    adapter = loaded(bark, voice="one")
    one = adapter.synthesize(TEXT).audio
    two = adapter.synthesize(TEXT, {"voice": "v2/two"}).audio
    assert not same(one, two)
    assert same(adapter.synthesize(TEXT).audio, one)
    with pytest.raises(ModelError, match="has 2 voices, such as one, v2/two; 'three' is none"):
        adapter.synthesize(TEXT, {"voice": "three"})


def test_bark_voices_stay_in_the_checkpoint(bark: Path, tmp_path: Path) -> None:
    """The file that lists them may name any path."""
    folder = shutil.copytree(bark, tmp_path / "inner" / "bark")
    outside = tmp_path / "inner" / "outside.npy"
    shutil.copy(folder / "speaker_embeddings" / "one_semantic_prompt.npy", outside)
    parts = ("semantic_prompt", "coarse_prompt", "fine_prompt")
    set_in("speaker_embeddings_path.json", out=dict.fromkeys(parts, "../outside.npy"))(folder)
    with pytest.raises(ModelError, match="cannot load the voice out"):
        loaded(folder, voice="out")


# The hub


def _hub(
    monkeypatch: pytest.MonkeyPatch, folder: Path, repositories: dict[str, dict[str, str]]
) -> list[tuple[str, str | None, list[str]]]:
    """A hub with these repositories of file name -> content; tells what each download fetched."""
    fetched: list[tuple[str, str | None, list[str]]] = []

    def download(checkpoint: str, revision: str | None, *, patterns: list[str]) -> str:
        files = repositories[checkpoint]
        wanted = {f: text for f, text in files.items() if any(fnmatch(f, p) for p in patterns)}
        fetched.append((checkpoint, revision, sorted(wanted)))
        here = folder / checkpoint
        for file, text in wanted.items():
            (here / file).parent.mkdir(parents=True, exist_ok=True)
            (here / file).write_text(text)
        return str(here)

    monkeypatch.setattr(hub, "download", download)
    return fetched


def test_download_takes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"config.json": '{"model_type": "vits"}', "vocab.json": "", "model.safetensors": ""}
    others = dict.fromkeys(("README.md", "pytorch_model.bin", "full_models/G.pth", "x.onnx"), "")
    fetched = _hub(monkeypatch, tmp_path, {"a/vits": {**wanted, **others}})
    TransformersTts.download("a/vits", "abc")
    assert fetched == [("a/vits", "abc", sorted(wanted))]


def test_download_of_speecht5_brings_its_vocoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocoder = TransformersTts.options["vocoder"]
    files = {"config.json": '{"model_type": "speecht5"}', "spm_char.model": "", "pytorch_model.bin": ""}  # fmt: skip
    fetched = _hub(
        monkeypatch,
        tmp_path,
        {"a/t5": files, vocoder: {"config.json": "{}", "pytorch_model.bin": ""}},
    )
    TransformersTts.download("a/t5", None)
    assert fetched[1] == ("a/t5", None, sorted(files))
    revision = TransformersTts.options["vocoder_revision"]
    assert fetched[-1] == (vocoder, revision, ["config.json", "pytorch_model.bin"])


def test_download_of_bark_brings_its_voices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": '{"model_type": "bark"}', "pytorch_model.bin": ""}
    files |= {"speaker_embeddings/v2/en_speaker_0_fine_prompt.npy": "", "tokenizer.json": ""}
    fetched = _hub(monkeypatch, tmp_path, {"a/bark": {**files, "speaker_embeddings/x.npz": ""}})
    TransformersTts.download("a/bark", None)
    assert fetched[-1][2] == sorted(files)


def test_download_without_weights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _hub(monkeypatch, tmp_path, {"a/b": {"config.json": "{}"}})
    with pytest.raises(ModelError, match="no weights"):
        TransformersTts.download("a/b", None)


def test_cached_means_whole(vits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert TransformersTts.cached("someone/model", None) is False
    assert TransformersTts.cached(str(vits), None) is True
    (tmp_path / "empty").mkdir()
    assert TransformersTts.cached(str(tmp_path / "empty"), None) is False


def test_speecht5_is_cached_with_its_vocoder(
    speecht5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"a/t5": speecht5}

    def folder(checkpoint: str, revision: str | None, **how: Any) -> Path:
        if checkpoint not in there:
            raise ModelError("not on this machine")
        return there[checkpoint]

    monkeypatch.setattr(hub, "folder", folder)
    assert TransformersTts.cached("a/t5", None) is False
    there[TransformersTts.options["vocoder"]] = speecht5 / "vocoder"
    assert TransformersTts.cached("a/t5", None) is True
