"""openai-whisper's files: damaged, by name, by revision; and what is changed of the library."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib
import pickle
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines import openai_whisper
from adapters.engines.openai_whisper import OpenAIWhisper
from adapters.interface import LoadSpec, ModelError
from tests.adapters.engines.openai_whisper.shared import Load
from tests.contract.openai_whisper import Trap, edit, pickle_among_weights
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the library's, and no way to the network but file: addresses."""
    urlopen = urllib.request.urlopen

    def only_files(url: str) -> Any:
        assert url.startswith("file:"), f"{url} was fetched"
        return urlopen(url)

    monkeypatch.setattr(urllib.request, "urlopen", only_files)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "whisper"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, offline: Path, checkpoint: Path, tmp_path: Path) -> Path:
    """The library knows the micro Whisper as "micro", to be had from a folder; its cached file."""
    import whisper

    sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    source = tmp_path / "server" / sha / "micro.pt"
    source.parent.mkdir(parents=True)
    source.write_bytes(checkpoint.read_bytes())
    heads = np.zeros((2, 3), bool)
    heads[1, 0] = True
    monkeypatch.setitem(whisper._MODELS, "micro", source.as_uri())
    monkeypatch.setitem(
        whisper._ALIGNMENT_HEADS, "micro", base64.b85encode(gzip.compress(heads.tobytes()))
    )
    return offline / "micro.pt"


def _no_mels(content: dict[str, Any]) -> None:
    content["dims"]["n_mels"] = 64
    weight = content["model_state_dict"]["encoder.conv1.weight"]
    content["model_state_dict"]["encoder.conv1.weight"] = weight[:, :64].clone()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda file: file.write_bytes(b""), "cannot load"),
        (lambda file: file.write_bytes(pickle.dumps({"dims": {}})), "refused"),
        (lambda file: file.write_bytes(pickle.dumps(Trap(file.with_name("pwned")))), "refused"),
        (pickle_among_weights, "refused"),
        (edit(lambda content: content.pop("dims")), "cannot load .*dims"),
        (edit(lambda content: content.pop("model_state_dict")), "cannot load .*model_state_dict"),
        (edit(lambda content: content["dims"].update(n_mels="many")), "cannot load"),
        (edit(lambda content: content["dims"].update(n_wheels=4)), "cannot load .*n_wheels"),
        (edit(_no_mels), "64 mel bands; Whisper has 80 or 128"),
    ],
    ids=[
        "empty",
        "plain pickle",
        "pickled trap",
        "trap among weights",
        "no dims",
        "no weights",
        "dims of words",
        "dims unheard of",
        "mels unheard of",
    ],
)
def test_damaged_files(
    checkpoint: Path, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    file = tmp_path / "broken.pt"
    file.write_bytes(checkpoint.read_bytes())
    damage(file)
    with pytest.raises(ModelError, match=says) as caught:
        OpenAIWhisper().load(LoadSpec(str(file)))
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_the_trap_works(checkpoint: Path, tmp_path: Path) -> None:
    """Without weights_only the pickle runs, so the tests above can fail."""
    import torch

    file = tmp_path / "broken.pt"
    file.write_bytes(checkpoint.read_bytes())
    pickle_among_weights(file)
    torch.load(file, weights_only=False)
    assert (tmp_path / "pwned").exists()


def test_names_are_not_fetched_unasked(offline: Path) -> None:
    with pytest.raises(ModelError, match=r"tiny is not on this machine.*adapters download"):
        OpenAIWhisper().load(LoadSpec("tiny"))
    assert OpenAIWhisper.cached("tiny", None) is False
    assert not offline.exists()
    with pytest.raises(ModelError, match=r"teeny: no such file.*It knows: tiny.en, tiny"):
        OpenAIWhisper().load(LoadSpec("teeny"))
    assert OpenAIWhisper.cached("teeny", None) is False
    with pytest.raises(ModelError, match="teeny: no such file"):
        OpenAIWhisper.download("teeny", None)


def test_downloaded_names_are_loaded(named: Path) -> None:
    sha = hashlib.sha256
    assert OpenAIWhisper.cached("micro", None) is False
    assert OpenAIWhisper.download("micro", None) == str(named)
    assert OpenAIWhisper.cached("micro", None) is True
    assert OpenAIWhisper.cached("micro", sha(named.read_bytes()).hexdigest()) is True
    assert OpenAIWhisper.cached("micro", "0" * 64) is False
    adapter = OpenAIWhisper()
    adapter.load(LoadSpec("micro", sha(named.read_bytes()).hexdigest()))
    assert adapter.transcribe(clip()).text == TEXT
    assert adapter._model.alignment_heads.indices().T.tolist() == [[1, 0]]


def test_other_revisions_are_refused(named: Path) -> None:
    OpenAIWhisper.download("micro", None)
    with pytest.raises(ModelError, match=r"micro: its SHA-256 is .* not the revision asked for"):
        OpenAIWhisper().load(LoadSpec("micro", "0" * 64))
    with pytest.raises(ModelError, match="not the revision asked for"):
        OpenAIWhisper.download("micro", "0" * 64)


def test_damaged_downloads_are_refused(named: Path, tmp_path: Path) -> None:
    OpenAIWhisper.download("micro", None)
    good = named.read_bytes()
    named.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert OpenAIWhisper.cached("micro", None) is False
    with pytest.raises(ModelError, match=r"damaged, or not .*adapters download"):
        OpenAIWhisper().load(LoadSpec("micro"))
    assert OpenAIWhisper.download("micro", None) == str(named)  # asked for: fetched again
    assert named.read_bytes() == good
    (source,) = (tmp_path / "server").glob("*/micro.pt")
    source.write_bytes(b"something else")
    named.unlink()
    with pytest.raises(ModelError, match=r"micro cannot be downloaded: .*SHA256"):
        OpenAIWhisper.download("micro", None)
    source.unlink()
    with pytest.raises(ModelError, match="micro cannot be downloaded"):
        OpenAIWhisper.download("micro", None)


def test_revision_of_a_file(checkpoint: Path, named: Path) -> None:
    sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    adapter = OpenAIWhisper()
    adapter.load(LoadSpec(str(checkpoint), sha))
    # It is known by its hash, so the library's heads are its heads.
    assert adapter._model.alignment_heads.indices().T.tolist() == [[1, 0]]
    with pytest.raises(ModelError, match="not the revision asked for"):
        adapter.load(LoadSpec(str(checkpoint), "f" * 64))
    with pytest.raises(ModelError, match="local path"):
        OpenAIWhisper.download(str(checkpoint), None)


@pytest.fixture(scope="module")
def transcribing() -> Any:
    return importlib.import_module("whisper.transcribe")


def test_mel_in_pieces_is_the_library_s(transcribing: Any) -> None:
    import torch

    samples = tiled(130).samples[:-1234]
    whole = transcribing.log_mel_spectrogram(samples, 80, padding=480_000)
    assert torch.equal(openai_whisper._log_mel(samples, 80, 480_000), whole)


def test_library_is_left_as_it_was(load: Load, transcribing: Any) -> None:
    timing: Any = importlib.import_module("whisper.timing")
    before = transcribing.log_mel_spectrogram, timing.dtw
    load().transcribe(clip())
    assert (transcribing.log_mel_spectrogram, timing.dtw) == before
    with openai_whisper._bounded(on_mps=True):
        assert transcribing.log_mel_spectrogram is not before[0]
        assert timing.dtw is not before[1]
    assert (transcribing.log_mel_spectrogram, timing.dtw) == before


def test_on_mps_nothing_sparse_is_moved(load: Load) -> None:
    """There is no MPS here: this tests what would be asked of it, not that it answers."""
    adapter = load(word_timestamps=True, alignment_heads=[[1, 0]])
    expected = adapter.transcribe(clip()).words
    model, moved = adapter._model, []
    model.to = lambda device: moved.append((device, [b.is_sparse for b in model.buffers()]))
    openai_whisper._moved(model, "mps")
    assert moved == [("mps", [False] * len(moved[0][1]))]
    assert adapter.transcribe(clip()).words == expected


def test_on_mps_attention_comes_to_the_host_first(monkeypatch: pytest.MonkeyPatch) -> None:
    timing: Any = importlib.import_module("whisper.timing")
    monkeypatch.setattr(timing, "dtw", lambda x: x)

    class OnMps:
        def cpu(self) -> str:
            return "on the host"

    with openai_whisper._bounded(on_mps=True):
        assert timing.dtw(OnMps()) == "on the host"
    with openai_whisper._bounded(on_mps=False):
        assert isinstance(timing.dtw(OnMps()), OnMps)
