"""SpeechT5 and Bark in transformers, and what is fetched of each."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.shared import hub
from adapters.engines.transformers_tts.adapter import TransformersTts
from adapters.interface import ModelError
from tests.adapters.engines.transformers_tts.shared import HOP, TEXT, loaded, same, say
from tests.contract.transformers_asr import set_in
from tests.support import tiny_tts

pytestmark = pytest.mark.engine


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
