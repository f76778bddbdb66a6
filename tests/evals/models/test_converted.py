"""Weights of CTranslate2 given to other engines: converted once, whoever asks, and kept whole."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.interface import ModelError
from evals.models.loaded import Settings, load_spec
from fixtures.fetch.cache import cache_dir
from fixtures.micro_whisper import expand
from tests.contract.installed import need

pytestmark = [pytest.mark.slow, pytest.mark.engine]


@pytest.fixture(scope="module")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro Whisper as CTranslate2 has it."""
    need("faster_whisper")
    need("transformers_asr")
    return expand("ctranslate2", tmp_path_factory.mktemp("source"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    return cache_dir()


def loads(pattern: str) -> str:
    (model,) = Catalog().select([pattern])
    return load_spec(model, "cpu", Settings()).checkpoint


def test_written_once_and_by_one_of_two_workers(micro: Path, cache: Path) -> None:
    asked = f"transformers_asr:{micro}"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = pool.map(loads, [asked] * 2)
    assert first == second
    weights = Path(first, "model.safetensors")
    written = weights.stat().st_mtime_ns
    assert loads(asked) == first
    assert weights.stat().st_mtime_ns == written
    (folder,) = (path for path in (cache / "converted").iterdir() if path.is_dir())
    assert Path(first).parent == folder


@pytest.mark.parametrize("damage", ["cut", "gone", "unstamped"])
def test_what_is_damaged_is_written_again(micro: Path, damage: str) -> None:
    asked = f"transformers_asr:{micro}"
    weights = Path(loads(asked), "model.safetensors")
    whole = weights.read_bytes()
    match damage:
        case "cut":
            weights.write_bytes(whole[:-1])
        case "gone":
            weights.unlink()
        case "unstamped":
            (weights.parents[1] / "sha256").unlink()
    assert Path(loads(asked), "model.safetensors") == weights
    assert weights.read_bytes() == whole


def test_only_engines_of_another_library_get_other_weights(micro: Path, cache: Path) -> None:
    assert loads(f"faster_whisper:{micro}") == str(micro)
    own = expand("transformers", cache)
    assert loads(f"transformers_asr:{own}") == str(own)
    assert not (cache / "converted").exists()


def test_ears_of_an_assistant_are_converted_too(micro: Path, tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(
        "schema_version: 1\nmodels:\n"
        f"  ears: {{engine: transformers_asr, tasks: [asr], checkpoint: '{micro}', revision: abc}}\n"
        "  whole: {engine: cascade, tasks: [chat], options: {asr: ears}}\n",
        encoding="utf-8",
    )
    spec = load_spec(Catalog([BUILTIN, file]).models["whole"], "cpu", Settings())
    ears = spec.options["asr"]
    assert ears["checkpoint"] == loads(f"transformers_asr:{micro}")
    # A revision is the source's.
    assert ears["revision"] is None


def test_why_weights_cannot_be_written_is_said(micro: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.bin").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"cannot be written for transformers: .*not a whole"):
        loads(f"transformers_asr:{broken}")


def test_packaged_whispers_are_one_set_of_weights() -> None:
    entries = [m for m in Catalog().select(["set:pretrained"]) if "whisper" in m.name]
    assert {m.engine.name for m in entries} == {
        "faster_whisper",
        "openai_whisper",
        "transformers_asr",
    }
    assert len({(m.checkpoint, m.revision) for m in entries}) == 1
