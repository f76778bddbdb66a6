"""The catalogue's entries, held against what the engines' own packages know."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from fixtures.builtin import embedded
from fixtures.micro_whisper import FORMATS
from tests.contract.installed import need

MODELS = Catalog().models
# What is made of others is fetched as those; their entries pin it.
FETCHED = [
    model
    for model in MODELS.values()
    if not model.shipped and not model.components and model.engine.adapter().devices != ("remote",)
]
#: The options that all three engines for Whisper have.
SHARED = (
    "language", "beam_size", "temperature", "condition_on_previous_text",
    "without_timestamps", "logprob_threshold", "no_speech_threshold", "compute_type",
)  # fmt: skip
WHISPER_SIZES = {
    "tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en",
    "large-v1", "large-v2", "large-v3", "large-v3-turbo",
}  # fmt: skip


@pytest.mark.parametrize("model", FETCHED, ids=lambda m: m.name)
def test_what_is_fetched_is_pinned(model: Model) -> None:
    assert model.parameters
    if model.engine.name == "moonshine" and model.revision is None:
        assert model.licence
        return  # its makers' server has one version under each name, and says no size
    assert model.download_mb
    assert model.revision is not None
    if model.checkpoint.startswith("rhasspy/piper-voices/"):
        # The release; what licence a voice has depends on its recordings, and none is claimed.
        assert (model.revision, model.licence) == ("v1.0.0", None)
    else:
        assert re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", model.revision)
        assert model.licence
    # From 1 byte (int8) to 4 (float32) a parameter, and nothing much beside the weights.
    assert 0.9 < model.download_mb * 1e6 / model.parameters < 4.4


def test_every_whisper_for_every_engine() -> None:
    for prefix in ("whisper-", "faster-whisper-", "transformers-whisper-"):
        sizes = {n.removeprefix(prefix) for n in MODELS if n.startswith(prefix)}
        assert sizes == WHISPER_SIZES | {"micro"}, prefix


def test_engines_are_compared_not_settings() -> None:
    """One size has the same decode options in every engine, as far as they share them."""
    for size in WHISPER_SIZES:
        names = [f"{engine}whisper-{size}" for engine in ("", "faster-", "transformers-")]
        first, *others = ({key: MODELS[n].options[key] for key in SHARED} for n in names)
        for other in others:
            assert {k: v or False for k, v in other.items()} == {k: v or False for k, v in first.items()}, size  # fmt: skip


def test_checkpoints_without_an_entry_are_decoded_alike() -> None:
    """`--model ENGINE:CHECKPOINT` has the adapter's defaults, which are one way of decoding too."""
    engines = ("openai_whisper", "faster_whisper", "transformers_asr")
    first, *others = (EngineRef(engine).adapter().options for engine in engines)
    for other in others:
        for key in SHARED:
            assert (other[key] or False) == (first[key] or False), key
    # Of tokens as 2.4 is of text.
    assert (others[0]["compression_ratio_threshold"], others[1]["compression_ratio_threshold"]) == (
        2.4,
        1.35,
    )


def test_english_models_are_told_english() -> None:
    for model in FETCHED:
        if model.name.endswith(".en") or "distil" in model.name:
            assert model.options["language"] == "en", model.name


def test_micro_models_of_every_format() -> None:
    shipped = {m.checkpoint for m in MODELS.values() if embedded.is_embedded(m.checkpoint)}
    assert {f"embedded:micro-whisper/{name}" for name in FORMATS} <= shipped


def test_revisions_of_openai_whisper_are_its_own() -> None:
    need("openai_whisper")
    urls = importlib.import_module("whisper")._MODELS
    for model in FETCHED:
        if model.engine.name == "openai_whisper" and not model.is_packaged:
            assert urls[model.checkpoint].split("/")[-2] == model.revision, model.name


def test_repositories_of_faster_whisper_are_its_own() -> None:
    need("faster_whisper")
    known = importlib.import_module("faster_whisper.utils")._MODELS
    for size in WHISPER_SIZES:
        assert MODELS[f"faster-whisper-{size}"].checkpoint == known[size]
    assert MODELS["faster-distil-whisper-large-v3"].checkpoint == known["distil-large-v3"]


def test_all_that_is_wrong_in_a_catalogue_is_told_at_once(tmp_path: Path) -> None:
    entries = [f"  m{n}: {{engine: nowhere, tasks: [asr]}}\n" for n in range(4)]
    entries += ["  good: {engine: espeak, tasks: [tts]}\n"]
    entries += [
        "  deaf: {engine: espeak, tasks: [asr]}\n  espeak: {engine: espeak, tasks: [tts]}\n"
    ]
    file = tmp_path / "c.yaml"
    file.write_text("schema_version: 1\nmodels:\n" + "".join(entries))
    with pytest.raises(ConfigError) as caught:
        Catalog([BUILTIN, file])
    said = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in said] == [
        "models.m0.engine", "models.m1.engine", "models.m2.engine", "models.m3.engine",
        "models.deaf.tasks", "models.espeak",
    ]  # fmt: skip
