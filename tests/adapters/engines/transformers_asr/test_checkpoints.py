"""What transformers' recognizers refuse, and the checkpoints that they read and fetch."""

from __future__ import annotations

import importlib
import json
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from adapters.engines.shared import hub
from adapters.engines.transformers_asr.adapter import TransformersAsr
from adapters.interface import Audio, ModelError, Samples
from tests.adapters.engines.transformers_asr.shared import RATE, hear, loaded
from tests.contract.transformers_asr import (
    CTC_DAMAGES,
    MOONSHINE_DAMAGES,
    PARAKEET_DAMAGES,
    WHISPER_DAMAGES,
    Damage,
    malicious_pickle,
    set_in,
    without_tensor,
)

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"beams": 2}, "no option 'beams'"),
        ({"language": ""}, "option language"),
        ({"language": "xx"}, "does not know 'xx'"),
        ({"task": "sing"}, "option task"),
        ({"beam_size": 0}, "option beam_size"),
        ({"beam_size": True}, "option beam_size"),
        ({"temperature": -1}, "option temperature"),
        ({"temperature": []}, "option temperature"),
        ({"temperature": "hot"}, "option temperature"),
        ({"temperature": float("nan")}, "option temperature"),
        (
            {
                "temperature": [0.0, 0.5],
                "compression_ratio_threshold": None,
                "logprob_threshold": None,
                "no_speech_threshold": None,
            },
            "falls back only where",
        ),
        ({"temperature": 0.5, "beam_size": 2}, "choose one"),
        ({"logprob_threshold": "low"}, "option logprob_threshold"),
        ({"logprob_threshold": None}, "set both"),
        ({"condition_on_previous_text": 1}, "option condition_on_previous_text"),
        ({"max_new_tokens": 0}, "option max_new_tokens"),
        ({"max_new_tokens": 445}, "room for 444"),
        ({"max_new_tokens": 300, "condition_on_previous_text": True}, "room for 220"),
        ({"compute_type": "int8"}, "option compute_type"),
        ({"chunk_seconds": 0.5}, "option chunk_seconds"),
        ({"chunk_seconds": 31}, "hears 30 s at once"),
        ({"batch_size": 0}, "option batch_size"),
        ({"chunk_seconds": 20, "condition_on_previous_text": True}, "do not see the text"),
        ({"attn_implementation": "telepathy"}, "telepathy"),
        ({"trust_remote_code": "yes"}, "option trust_remote_code"),
    ],
    ids=str,
)
def test_bad_options_are_refused(whisper: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        loaded(whisper, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("wav2vec2", {"language": "en"}),
        ("wav2vec2", {"beam_size": 2}),
        ("wav2vec2", {"max_new_tokens": 5}),
        ("wav2vec2", {"temperature": 0.5}),
        ("moonshine", {"word_timestamps": True}),
        ("moonshine", {"batch_size": 2}),
        ("moonshine", {"condition_on_previous_text": True}),
        ("moonshine", {"temperature": [0.5]}),
    ],
    ids=str,
)
def test_options_that_would_do_nothing_are_refused(
    kind: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ModelError, match=f"option {next(iter(options))}"):
        loaded(request.getfixturevalue(kind), **options)


DAMAGES = {
    "whisper": WHISPER_DAMAGES,
    "wav2vec2": CTC_DAMAGES,
    "parakeet": PARAKEET_DAMAGES,
    "moonshine": MOONSHINE_DAMAGES,
}


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        pytest.param(kind, damage, id=f"{kind}-{name}")
        for kind, damages in DAMAGES.items()
        for name, damage in damages.items()
    ],
)
def test_damaged_checkpoints_are_refused(
    kind: str, damage: Damage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = shutil.copytree(request.getfixturevalue(kind), tmp_path / "damaged")
    do, says = damage
    do(folder)
    with pytest.raises(ModelError, match=says) as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("pwned*"))


def test_a_checkpoints_own_thresholds_do_not_count(
    whisper: Path, clip: Samples, tmp_path: Path
) -> None:
    """Only options do, since they alone are recorded."""
    folder = shutil.copytree(whisper, tmp_path / "own")
    set_in("generation_config.json", no_speech_threshold=-1.0, logprob_threshold=0.0)(folder)
    assert hear(folder, clip).text == "turn the bathroom lights white"


def test_long_audio_needs_timestamp_tokens(whisper: Path, speech: Samples, tmp_path: Path) -> None:
    folder = shutil.copytree(whisper, tmp_path / "old")
    settings = json.loads((folder / "generation_config.json").read_text())
    del settings["no_timestamps_token_id"]
    (folder / "generation_config.json").write_text(json.dumps(settings))
    adapter = loaded(folder, language="en")
    with pytest.raises(ModelError, match="needs chunk_seconds"):
        adapter.transcribe(Audio(speech, RATE))
    with pytest.raises(ModelError, match="without_timestamps"):
        loaded(folder, word_timestamps=True)


def test_tensors_of_training_may_be_missing(wav2vec2: Path, clip: Samples, tmp_path: Path) -> None:
    """Published wav2vec2 checkpoints leave out what masks their input in training."""
    folder = shutil.copytree(wav2vec2, tmp_path / "published")
    without_tensor("masked_spec_embed")(folder)
    assert hear(folder, clip) == hear(wav2vec2, clip)


def test_plain_pickles_are_read_and_others_are_not(
    wav2vec2: Path, clip: Samples, tmp_path: Path
) -> None:
    import torch

    load_file = importlib.import_module("safetensors.torch").load_file
    plain = shutil.copytree(wav2vec2, tmp_path / "plain")
    torch.save(load_file(plain / "model.safetensors"), plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    assert hear(plain, clip) == hear(wav2vec2, clip)

    evil = shutil.copytree(wav2vec2, tmp_path / "evil")
    malicious_pickle(evil)
    with pytest.raises(ModelError, match="cannot load the weights"):
        loaded(evil)
    # The pickle does what it is for: read without care, it makes its file.
    assert not (evil / "pwned").exists()
    torch.load(evil / "pytorch_model.bin", weights_only=False)
    assert (evil / "pwned").exists()


def test_safetensors_win_over_a_pickle(wav2vec2: Path, clip: Samples, tmp_path: Path) -> None:
    both = shutil.copytree(wav2vec2, tmp_path / "both")
    weights = (both / "model.safetensors").read_bytes()
    malicious_pickle(both)
    (both / "model.safetensors").write_bytes(weights)
    assert hear(both, clip) == hear(wav2vec2, clip)
    assert not (both / "pwned").exists()


_REMOTE = """
from pathlib import Path
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC
Path({victim!r}).write_text("")
class OwnConfig(Wav2Vec2Config):
    model_type = "own"
class OwnForCTC(Wav2Vec2ForCTC):
    config_class = OwnConfig
"""


def test_code_of_a_checkpoint_runs_only_where_it_is_trusted(
    wav2vec2: Path, clip: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "m"))
    folder = shutil.copytree(wav2vec2, tmp_path / "own")
    (folder / "own.py").write_text(_REMOTE.format(victim=str(tmp_path / "ran")))
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCTC": "own.OwnForCTC"}
    set_in("config.json", model_type="own", auto_map=own)(folder)
    with pytest.raises(ModelError, match="trust_remote_code") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert hear(folder, clip, trust_remote_code=True) == hear(wav2vec2, clip)
    assert (tmp_path / "ran").exists()


def _hub(monkeypatch: pytest.MonkeyPatch, folder: Path, files: list[str]) -> list[list[str]]:
    """A hub with one repository of these files; tells what each download fetched."""
    fetched: list[list[str]] = []

    def download(checkpoint: str, revision: str | None, *, patterns: list[str]) -> str:
        wanted = [file for file in files if any(fnmatch(file, p) for p in patterns)]
        fetched.append(wanted)
        for file in wanted:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("{}")
        return str(folder)

    monkeypatch.setattr(hub, "download", download)
    return fetched


def test_download_leaves_duplicates_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["config.json", "generation_config.json", "merges.txt", "model.safetensors"]
    wanted += ["preprocessor_config.json", "vocab.json", "sentencepiece.bpe.model"]
    others = ["flax_model.msgpack", "tf_model.h5", "pytorch_model.bin", "onnx/model.onnx"]
    others += ["model.fp32-00001-of-00002.safetensors", "parakeet.nemo", "README.md"]
    others += ["adapter.deu.safetensors", "model.ckpt", ".gitattributes"]
    fetched = _hub(monkeypatch, tmp_path, wanted + others)
    TransformersAsr.download("someone/model", None)
    assert [sorted(files) for files in fetched] == [sorted(wanted)]


def test_download_takes_pickles_where_there_is_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = _hub(monkeypatch, tmp_path, ["config.json", "pytorch_model.bin", "tf_model.h5"])
    TransformersAsr.download("someone/model", None)
    assert fetched[-1] == ["config.json", "pytorch_model.bin"]
    other = tmp_path / "other"
    other.mkdir()
    _hub(monkeypatch, other, ["config.json", "tf_model.h5"])
    with pytest.raises(ModelError, match="no weights"):
        TransformersAsr.download("someone/model", None)


def test_cached_means_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert TransformersAsr.cached("someone/model", None) is False
    with pytest.raises(ModelError, match="nothing is downloaded unasked"):
        loaded(Path("someone/model"))
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert TransformersAsr.cached(str(folder), None) is False
    (folder / "model.safetensors").write_bytes(b"")
    assert TransformersAsr.cached(str(folder), None) is True
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert TransformersAsr.cached(str(folder), None) is False
