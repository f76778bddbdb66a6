"""What faster-whisper refuses, its features in pieces, and checkpoints by name."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.faster_whisper import adapter as faster_whisper
from adapters.engines.faster_whisper.adapter import FasterWhisper
from adapters.engines.faster_whisper.features import VOICE_FRAMES, voice_in_pieces
from adapters.interface import Audio, LoadSpec, ModelError
from fixtures.audio.read import SAMPLE_RATE
from tests.adapters.engines.faster_whisper.shared import Load, with_pauses
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam_size", 0),
        ("best_of", "5"),
        ("temperature", []),
        ("temperature", float("inf")),
        ("compute_type", "auto"),
        ("compute_type", 8),
        ("without_timestamps", "yes"),
        ("condition_on_previous_text", None),
        ("vad_filter", 1),
        ("vad_parameters", {"threshold": 0.5}),
        ("word_timestamps", "true"),
        ("max_new_tokens", 0),
        ("batch_size", 0),
        ("chunk_length", 31),
        ("chunk_length", 2.5),
        ("compression_ratio_threshold", "high"),
        ("logprob_threshold", True),
        ("no_speech_threshold", []),
        ("initial_prompt", 3),
        ("hotwords", ["light"]),
        ("language", "klingon"),
        ("no_such_option", 1),
    ],
)
def test_bad_values_are_named(load: Load, option: str, value: Any) -> None:
    with pytest.raises(ModelError, match=option) as caught:
        load(**{option: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "batch_size", "says"),
    [
        ({"loudness": 1}, 1, "no 'loudness'.*speech_pad_ms"),
        ({"threshold": "high"}, 1, "threshold: 'high' is not a number"),
        ({"max_speech_duration_s": 10}, 4, "no 'max_speech_duration_s'"),
    ],
)
def test_bad_vad_parameters(
    load: Load, parameters: dict[str, Any], batch_size: int, says: str
) -> None:
    with pytest.raises(ModelError, match=f"vad_parameters: {says}"):
        load(vad_filter=True, vad_parameters=parameters, batch_size=batch_size)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("temperature", 0.5),
        ("temperature", [0.0, 0.2]),
        ("condition_on_previous_text", True),
        ("logprob_threshold", -0.5),
        ("no_speech_threshold", 0.5),
        ("compression_ratio_threshold", 2.0),
    ],
)
def test_what_batches_would_ignore_is_refused(load: Load, option: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"option {option}: .* no effect with batch_size 2"):
        load(batch_size=2, **{option: value})


def test_restrictions_are_the_library_s(load: Load) -> None:
    """On this CPU, CTranslate2 refuses what is declared not to work, and does the rest."""
    import ctranslate2

    (restriction,) = FasterWhisper.restrictions
    able = ctranslate2.get_supported_compute_types("cpu")
    assert not able & set(restriction.values)
    assert able >= set(faster_whisper._COMPUTE_TYPES) - set(restriction.values)
    for value in restriction.values:
        with pytest.raises(ModelError, match=f"compute_type '{value}' does not work on cpu"):
            load(compute_type=value)


def test_mel_in_pieces_is_the_library_s(load: Load) -> None:
    extractor = load()._model.feature_extractor
    samples = tiled(130).samples[:-1234]
    ours, whole = extractor(samples), extractor._extractor(samples)
    assert ours.shape == whole.shape
    assert ours.dtype == whole.dtype
    np.testing.assert_allclose(ours, whole, rtol=0, atol=1e-6)
    extractor(samples, chunk_length=7)
    assert extractor.nb_max_frames == 700


def test_voice_in_pieces_is_the_library_s(load: Load) -> None:
    vad: Any = importlib.import_module("faster_whisper.vad")
    library = vad.get_vad_model
    samples = with_pauses().samples
    padded = np.pad(samples, (0, 512 - len(samples) % 512))
    whole = library()(padded.copy())
    with voice_in_pieces():
        assert vad.get_vad_model is not library
        ours = vad.get_vad_model()(padded.copy())
    assert vad.get_vad_model is library
    assert len(padded) // 512 > VOICE_FRAMES
    np.testing.assert_allclose(ours, whole, rtol=0, atol=1e-6)


def test_empty_audio(load: Load) -> None:
    empty = Audio(np.zeros(0, np.float32), SAMPLE_RATE)
    for batch_size in (1, 2):
        assert load(batch_size=batch_size).transcribe(empty).text == ""


@pytest.fixture
def hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path) -> Path:
    """The hub's cache, with the micro Whisper as if it were Systran's tiny; its snapshot."""
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--Systran--faster-whisper-tiny"
    snapshot = repository / "snapshots" / ("a" * 40)
    shutil.copytree(checkpoint, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    return snapshot


@pytest.mark.parametrize("name", ["tiny", "Systran/faster-whisper-tiny"])
@pytest.mark.parametrize("revision", [None, "a" * 40])
def test_names_in_the_cache(hub_cache: Path, name: str, revision: str | None) -> None:
    assert FasterWhisper.cached(name, revision) is True
    adapter = FasterWhisper()
    adapter.load(LoadSpec(name, revision))
    assert adapter.transcribe(clip()).text == TEXT
    (hub_cache / "model.bin").unlink()
    assert FasterWhisper.cached(name, revision) is False
    with pytest.raises(ModelError, match=r"not whole \(no model.bin\)"):
        adapter.load(LoadSpec(name, revision))


@pytest.mark.parametrize(
    ("name", "revision"), [("tiny", "b" * 40), ("base", None), ("Systran/unheard-of", None)]
)
def test_names_are_not_fetched_unasked(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, revision: str | None
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: pytest.fail("the network was asked"))
    assert FasterWhisper.cached(name, revision) is False
    with pytest.raises(ModelError, match=r"is not on this machine.*adapters download"):
        FasterWhisper().load(LoadSpec(name, revision))


def test_unknown_names(hub_cache: Path) -> None:
    assert FasterWhisper.cached("teeny", None) is False
    for ask in (
        lambda: FasterWhisper().load(LoadSpec("teeny")),
        lambda: FasterWhisper.download("teeny", None),
    ):
        with pytest.raises(ModelError, match=r"teeny: no such folder.*It knows: tiny.en, tiny"):
            ask()


def test_download_takes_what_the_library_would(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path
) -> None:
    import huggingface_hub

    asked: list[tuple[str, dict[str, Any]]] = []

    def snapshot_download(repository: str, **arguments: Any) -> str:
        asked.append((repository, arguments))
        return str(hub_cache)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert FasterWhisper.download("tiny", "a" * 40) == str(hub_cache)
    (repository, arguments) = asked[0]
    assert repository == "Systran/faster-whisper-tiny"
    assert arguments["revision"] == "a" * 40
    assert set(arguments["allow_patterns"]) == set(faster_whisper._PATTERNS)
    with pytest.raises(ModelError, match="local path"):
        FasterWhisper.download(str(checkpoint), None)


def test_features_that_are_left_out(checkpoint: Path, tmp_path: Path) -> None:
    """Without its configuration the library takes 80 mel bands, which are right here."""
    folder = shutil.copytree(checkpoint, tmp_path / "micro")
    (folder / "preprocessor_config.json").unlink()
    adapter = FasterWhisper()
    adapter.load(LoadSpec(str(folder)))
    assert adapter.transcribe(clip()).text == TEXT


def test_tokenizer_without_timestamps(checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "micro")
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    for table in (tokenizer["model"]["vocab"],):
        table.pop("<|notimestamps|>", None)
    tokenizer["added_tokens"] = [
        token for token in tokenizer["added_tokens"] if token["content"] != "<|notimestamps|>"
    ]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(
        ModelError, match=r"tokenizer.json is not the one .*notimestamps.* not in it"
    ):
        FasterWhisper().load(LoadSpec(str(folder)))
