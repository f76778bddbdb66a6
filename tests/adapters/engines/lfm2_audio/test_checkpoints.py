"""LFM2-Audio's devices and checkpoints: whole, in shards, damaged, from the hub, with Mimi."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.lfm2_audio import adapter as lfm2_audio
from adapters.engines.lfm2_audio import checkpoint
from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from adapters.interface import LoadSpec, ModelError, Turn
from tests.adapters.engines.lfm2_audio.shared import EXACT, Recorded, loaded_from, noise_of, said_of
from tests.contract.installed import need
from tests.contract.lfm2_audio import without

pytestmark = pytest.mark.engine


def test_dtype(adapter: Lfm2Audio, folder: Path) -> None:
    import torch

    assert {p.dtype for p in adapter._model.parameters()} == {torch.float32}
    half = loaded_from(folder, dtype="bfloat16")
    try:
        assert {p.dtype for p in half._model.parameters()} == {torch.bfloat16}
        assert {p.dtype for p in half._detokenizer.parameters()} == {torch.float32}
        assert "".join(half.transcribe(noise_of(1.0)))
        assert len(said_of(list(half.synthesize("hi")))) == 39 * 1920
    finally:
        half.close()


def test_cpu_never_asks_for_cuda(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("CUDA was asked for")

    monkeypatch.setattr(torch.nn.Module, "cuda", refuse)
    monkeypatch.setattr(torch.Tensor, "cuda", refuse)
    adapter = loaded_from(folder)
    assert len(said_of(list(adapter.synthesize("hi")))) == 39 * 1920
    assert any(p.audio for p in adapter.reply([Turn("user", audio=noise_of(1.0))]))


@pytest.mark.parametrize(
    ("device", "dtype"), [("cuda:1", "bfloat16"), ("mps", "float32"), ("cpu", "float32")]
)
def test_every_part_goes_to_the_device(
    folder: Path, monkeypatch: pytest.MonkeyPatch, device: str, dtype: str
) -> None:
    """Without the device: torch is told to take the CPU in its place, where it is told."""
    import torch
    from liquid_audio import LFM2AudioModel, LFM2AudioProcessor
    from liquid_audio.detokenizer import LFM2AudioDetokenizer

    told: dict[str, Any] = {}

    def watch(cls: Any) -> None:
        original = cls.from_pretrained

        def load(*arguments: Any, **named: Any) -> Any:
            told[cls.__name__] = str(named.pop("device"))
            told["dtype"] = named.get("dtype", told.get("dtype"))
            return original(*arguments, device="cpu", **named)

        monkeypatch.setattr(cls, "from_pretrained", load)

    def moved(self: Any, where: Any) -> Any:
        told["LFM2AudioDetokenizer"] = str(where)
        return self

    watch(LFM2AudioModel)
    watch(LFM2AudioProcessor)
    monkeypatch.setattr(LFM2AudioDetokenizer, "to", moved)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda *_: pytest.fail("CUDA was asked for"))
    adapter = loaded_from(folder, device)
    parts = ("LFM2AudioModel", "LFM2AudioProcessor", "LFM2AudioDetokenizer")
    assert told == {**dict.fromkeys(parts, device), "dtype": getattr(torch, dtype)}
    assert adapter._processor.audio_detokenizer is adapter._detokenizer


def test_flash_attention_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its being installed must not change the answers, or break them on a CPU."""
    from liquid_audio.model import lfm2_audio as library

    monkeypatch.setattr(library, "module_exists", lambda name: True)
    assert loaded_from(folder)._model.lfm.config._attn_implementation == "sdpa"


def test_missing_tensors(folder: Path, tmp_path: Path) -> None:
    """For each part of the model on its own: the library would load them all silently."""
    import shutil

    for prefix in (
        "conformer.layers.0.norm_out",
        "lfm.layers.1",
        "depthformer",
        "depth_embeddings.7",
    ):
        copy = tmp_path / prefix
        shutil.copytree(folder, copy)
        without("model.safetensors", prefix)(copy)
        with pytest.raises(ModelError, match=rf"tensors are missing \({prefix}"):
            loaded_from(copy)


def test_a_configuration_of_other_weights(folder: Path, tmp_path: Path) -> None:
    _linked(folder, tmp_path)
    for change, says in (
        ({"codebooks": "eight"}, "liquid-audio cannot load"),
        ({"model_type": "lfm2_audio"}, "liquid-audio cannot load .* 'model_type'"),
        ({"codebooks": 4}, "liquid-audio cannot load"),
    ):
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (tmp_path / "config.json").unlink()
        (tmp_path / "config.json").write_text(json.dumps({**config, **change}), "utf-8")
        with pytest.raises(ModelError, match=says) as caught:
            loaded_from(tmp_path)
        assert "\n" not in str(caught.value)


def test_shards(adapter: Lfm2Audio, folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _linked(folder, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    tensors = load_file(str(folder / "model.safetensors"))
    shards = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(sorted(tensors))}
    for shard in set(shards.values()):
        part = {n: t for n, t in tensors.items() if shards[n] == shard}
        save_file(part, str(tmp_path / shard), metadata={"format": "pt"})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}), "utf-8")
    sharded = loaded_from(tmp_path)
    assert list(sharded.transcribe(noise_of(1.0))) == list(adapter.transcribe(noise_of(1.0)))
    without("model-1.safetensors", "lfm.layers")(tmp_path)
    with pytest.raises(ModelError, match="tensors are missing"):
        loaded_from(tmp_path)
    (tmp_path / "pickled.bin").touch()
    index.write_text(json.dumps({"weight_map": {"a": "pickled.bin"}}), "utf-8")
    with pytest.raises(ModelError, match=r"pickled.bin', which is no safetensors file"):
        loaded_from(tmp_path)


def _linked(folder: Path, copy: Path) -> None:
    copy.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        (copy / file.name).symlink_to(file)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which is asked for nothing."""
    need("lfm2_audio")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def test_a_name_of_the_hub(adapter: Lfm2Audio, folder: Path, hub_cache: Path) -> None:
    name = "LiquidAI/LFM2.5-Audio-1.5B"
    assert Lfm2Audio.cached(name, None) is False
    with pytest.raises(ModelError, match="is not on this machine"):
        Lfm2Audio().load(LoadSpec(name))
    commit = "0123456789abcdef0123456789abcdef01234567"
    stored = hub_cache / "models--LiquidAI--LFM2.5-Audio-1.5B"
    _linked(folder, stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    assert Lfm2Audio.cached(name, None) is True
    assert Lfm2Audio.cached(name, commit) is True
    assert Lfm2Audio.cached(name, "9" * 40) is False
    found = Lfm2Audio()
    found.load(LoadSpec(name, revision=commit, options={"max_new_tokens": 40}))
    assert list(found.transcribe(noise_of(1.0))) == list(adapter.transcribe(noise_of(1.0)))
    (stored / "snapshots" / commit / "audio_detokenizer").unlink()
    assert Lfm2Audio.cached(name, None) is False  # nothing to make it audible


def test_downloads_what_is_needed(
    folder: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fnmatch

    import huggingface_hub

    asked: dict[str, Any] = {}

    def snapshot_download(name: str, **arguments: Any) -> str:
        asked.update(arguments, name=name)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert Lfm2Audio.download("LiquidAI/LFM2.5-Audio-1.5B", "abc") == str(folder)
    assert (asked["name"], asked["revision"]) == ("LiquidAI/LFM2.5-Audio-1.5B", "abc")
    files = [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()]
    published = [*files, "README.md", "assets/demo.wav", "pytorch_model.bin", "LICENSE"]
    wanted = [f for f in published if any(fnmatch.fnmatch(f, p) for p in asked["allow_patterns"])]
    assert wanted == files


@pytest.fixture(scope="module")
def mimi(folder: Path) -> Any:
    """Random: the trained one has the same fixed size, which is too much for a file of tests."""
    import torch
    from liquid_audio.moshi.models.loaders import get_mimi

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return get_mimi(None, device="cpu")


@pytest.fixture
def with_mimi(
    folder: Path, mimi: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Lfm2Audio]:
    """Load the checkpoint as if Mimi were in it."""
    from safetensors.numpy import save_file

    _linked(folder, tmp_path)
    save_file({"a": np.zeros(1)}, tmp_path / checkpoint.MIMI)
    monkeypatch.setattr(lfm2_audio, "load_mimi", lambda file, device: mimi)

    def load(**options: Any) -> Lfm2Audio:
        return loaded_from(tmp_path, **options)

    return load


def test_mimi_speaks(mimi: Any, with_mimi: Callable[..., Lfm2Audio], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    import torch

    adapter = with_mimi(audio_decoder="mimi", max_new_tokens=12, chunk_frames=3)
    recorded = Recorded(adapter, monkeypatch)
    pieces = list(adapter.synthesize("hi"))
    codes = torch.stack([t for t in recorded.tokens if t.numel() > 1], dim=1)
    with torch.no_grad():
        whole = mimi.decode(codes[None])[0, 0].numpy()
    assert [len(p.samples) // 1920 for p in pieces] == [3, 3, 3, 2]
    assert np.abs(said_of(pieces) - np.clip(whole, -1, 1)).max() < EXACT
    # Its state goes with the answer.
    assert said_of(list(adapter.synthesize("hi"))).tobytes() == said_of(pieces).tobytes()


def test_which_decoder(with_mimi: Callable[..., Lfm2Audio], tmp_path: Path) -> None:
    assert with_mimi()._mimi is None
    (tmp_path / "audio_detokenizer").unlink()
    alone = with_mimi()
    assert alone._mimi is not None
    assert alone._detokenizer is None
    with pytest.raises(ModelError, match=r"no audio_detokenizer/config\.json"):
        with_mimi(audio_decoder="detokenizer")
    (tmp_path / checkpoint.MIMI).unlink()
    with pytest.raises(ModelError, match="neither audio_detokenizer/ nor tokenizer-e351c8d8"):
        with_mimi()
    with pytest.raises(ModelError, match="no tokenizer-e351c8d8"):
        with_mimi(audio_decoder="mimi")


def test_spoken_history(
    folder: Path, with_mimi: Callable[..., Lfm2Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="spoken_history needs Mimi"):
        loaded_from(folder, spoken_history=True)
    adapter = with_mimi(spoken_history=True, max_new_tokens=8)
    recorded = Recorded(adapter, monkeypatch)
    # 26 frames of 80 ms, in 24 kHz; the text is 8 tokens and <|text_end|>.
    earlier = Turn("assistant", text="12345678", audio=noise_of(2.08, 24_000))
    list(adapter.reply([Turn("user", text="a"), earlier, Turn("user", text="b")]))
    assert "assistant\n123456{codes}78<|text_end|>{codes}<|im_end|>" in recorded.prompt()
    codes = recorded.calls[0]["audio_out"]
    assert codes.shape == (8, 27)
    assert codes[:, -1].tolist() == [2048] * 8
    assert int(codes[:, :-1].max()) < 2048
    alone = Turn("assistant", audio=noise_of(1.04, 12_000))
    list(adapter.reply([Turn("user", text="a"), alone, Turn("user", text="b")]))
    assert "assistant\n<|audio_start|>{codes}<|im_end|>" in recorded.prompt()
    assert recorded.calls[1]["audio_out"].shape == (8, 14)


def test_mimi_with_missing_tensors(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / "mimi.safetensors"
    save_file({"decoder.model.0.conv.conv.bias": np.zeros(1024, np.float32)}, file)
    with pytest.raises(ModelError, match="tensors are missing"):
        checkpoint.load_mimi(file, "cpu")
