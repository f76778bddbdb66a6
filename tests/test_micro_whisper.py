"""The packed micro Whisper: expansion, and that it hears."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from adapters.engines.espeak import Espeak
from adapters.interface import LoadSpec
from fixtures import micro_whisper
from fixtures.builtin import voice_commands
from fixtures.micro_whisper import WEIGHTS, expand

Hear = Callable[..., str]
Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model(cache: Path) -> Any:
    from faster_whisper import WhisperModel

    folder = expand("ctranslate2", cache)
    return WhisperModel(
        str(folder), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True
    )


@pytest.fixture(scope="module")
def hear(model: Any) -> Hear:
    def hear(samples: Samples, **options: object) -> str:
        decoding = {
            "beam_size": 1,
            "temperature": 0.0,
            "without_timestamps": True,
            "language": "en",
        }
        segments, _ = model.transcribe(samples, **{**decoding, **options})
        return "".join(segment.text for segment in segments).strip()

    return hear


@pytest.fixture(scope="module")
def clips() -> list[tuple[voice_commands.PlannedUtterance, Samples]]:
    """The corpus's first utterance of each category, 16 kHz."""
    engine = Espeak()
    engine.load(LoadSpec("espeak-ng"))
    clips = []
    for row in voice_commands.plan(len(voice_commands.CATEGORIES)):
        voice = {"voice": row.voice, "rate": row.rate, "pitch": row.pitch}
        audio = engine.synthesize(row.text, voice).audio
        clips.append((row, soxr.resample(audio.samples, audio.sample_rate, 16000, quality="HQ")))
    return clips


def test_packed_file_is_small_and_plain() -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        for name in arrays.files:
            assert arrays[name].dtype != object
            if "." in name:
                assert arrays[name].dtype == np.float16
                assert np.isfinite(arrays[name]).all()
        rows = arrays["decoder.token_embedding.weight"]
        assert len(rows) == len(arrays["token_ids"]) < 300


def test_every_word_of_the_grammar_has_a_token() -> None:
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        trained = set(arrays["token_ids"].tolist())
        known = {
            str(text)
            for text, token in zip(arrays["names"], arrays["name_ids"], strict=True)
            if int(token) in trained
        }
    assert {"\u0120" + word for word in voice_commands.words()} <= known


def test_expands_once(cache: Path) -> None:
    folder = expand("ctranslate2", cache)
    stamp = (folder / "model.bin").stat().st_mtime_ns
    assert expand("ctranslate2", cache) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == stamp
    assert [path.name for path in cache.iterdir()] == [folder.name]


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "manifest"])
def test_damaged_cache_is_repaired(cache: Path, tmp_path: Path, damage: str) -> None:
    whole = expand("ctranslate2", cache)
    folder = shutil.copytree(whole, tmp_path / whole.name)
    file = folder / "model.bin"
    good = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(good[:1000])
    elif damage == "flip":
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    elif damage == "delete":
        (folder / "tokenizer.json").unlink()
    else:
        (folder / "sha256.json").write_text("{")
    assert expand("ctranslate2", tmp_path) == folder
    assert file.read_bytes() == good
    assert (folder / "tokenizer.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_processes_may_expand_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        folders = set(pool.map(expand, ["ctranslate2"] * 3, [tmp_path] * 3))
    assert len(folders) == 1
    assert [path for path in tmp_path.iterdir() if path not in folders] == []


def test_other_weights_go_elsewhere(tmp_path: Path) -> None:
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    content["decoder.ln.bias"] = content["decoder.ln.bias"] + np.float16(1)
    np.savez(tmp_path / "other.npz", allow_pickle=False, **content)
    first = expand("ctranslate2", tmp_path)
    assert expand("ctranslate2", tmp_path, tmp_path / "other.npz") != first


def test_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no format 'onnx'; there are ctranslate2"):
        expand("onnx", tmp_path)
    assert set(micro_whisper.FORMATS) >= {"ctranslate2", "openai"}


def test_tokenizer_has_whispers_ids(model: Any) -> None:
    tokenizer = model.hf_tokenizer
    assert model.model.is_multilingual
    assert model.model.num_languages == 99
    assert tokenizer.token_to_id("<|startoftranscript|>") == 50258
    assert tokenizer.token_to_id("<|en|>") == 50259
    assert tokenizer.token_to_id("<|notimestamps|>") == 50363
    ids = tokenizer.encode(" turn on the lights", add_special_tokens=False).ids
    assert tokenizer.decode(ids) == " turn on the lights"
    assert all(0 < token < 50257 for token in ids)


def test_hears_held_out_commands(
    hear: Hear, clips: list[tuple[voice_commands.PlannedUtterance, Samples]]
) -> None:
    wrong = [(row.text, hear(samples)) for row, samples in clips if hear(samples) != row.text]
    assert len(wrong) <= 1, wrong


def test_hears_a_command_exactly(
    hear: Hear, clips: list[tuple[voice_commands.PlannedUtterance, Samples]]
) -> None:
    row, samples = clips[0]
    assert hear(samples) == row.text
    assert hear(np.pad(samples, (0, 480_000 - len(samples)))) == row.text
    assert hear(samples, without_timestamps=False) == row.text


@pytest.mark.parametrize("level", [0.0, 0.001])
def test_silence_and_faint_noise_have_no_words(hear: Hear, level: float) -> None:
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    assert hear(noise * np.float32(level)) == ""


def test_names_the_language(
    model: Any, clips: list[tuple[voice_commands.PlannedUtterance, Samples]]
) -> None:
    _, info = model.transcribe(clips[0][1], beam_size=1)
    assert info.language == "en"


def test_manifest_lists_every_file(cache: Path) -> None:
    folder = expand("ctranslate2", cache)
    listed = set(json.loads((folder / "sha256.json").read_text()))
    assert listed == {path.name for path in folder.iterdir()} - {"sha256.json"}
    assert {"model.bin", "config.json", "vocabulary.json", "tokenizer.json"} <= listed
    assert "preprocessor_config.json" in listed
