"""openai-whisper's adapter: every option reaches the library, and nothing is loaded or fetched unasked."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib
import pickle
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines import openai_whisper
from adapters.engines.openai_whisper import OpenAIWhisper
from adapters.interface import Audio, LoadSpec, ModelError
from fixtures.audio.read import SAMPLE_RATE
from fixtures.micro_whisper import expand
from tests.contract.installed import need
from tests.contract.openai_whisper import Trap, edit, pickle_among_weights
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine

Load = Callable[..., OpenAIWhisper]


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    need("openai_whisper")


@pytest.fixture(scope="module")
def checkpoint(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expand("openai", tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="module")
def load(checkpoint: Path) -> Load:
    def load(seed: int = 0, **options: Any) -> OpenAIWhisper:
        adapter = OpenAIWhisper()
        options = {"language": "en", "max_new_tokens": 60, "without_timestamps": True, **options}
        adapter.load(LoadSpec(str(checkpoint), seed=seed, options=options))
        return adapter

    return load


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The library's DecodingOptions of every window and attempt, in order."""
    model: Any = importlib.import_module("whisper.model")
    decode, seen = model.Whisper.decode, []

    def recorder(self: Any, mel: Any, options: Any) -> Any:
        seen.append(options)
        return decode(self, mel, options)

    monkeypatch.setattr(model.Whisper, "decode", recorder)
    return seen


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


def test_options_reach_the_library(load: Load, asked: list[Any]) -> None:
    load(beam_size=3).transcribe(clip())
    load().transcribe(clip())
    load(language=None, without_timestamps=False, max_new_tokens=None).transcribe(clip())
    beams, greedy, bare = asked
    assert (beams.beam_size, beams.temperature, beams.best_of) == (3, 0.0, None)
    assert (greedy.beam_size, greedy.sample_len, greedy.language) == (None, 60, "en")
    assert (greedy.without_timestamps, greedy.fp16) == (True, False)
    assert (bare.without_timestamps, bare.sample_len, bare.language) == (False, None, "en")


def test_defaults(checkpoint: Path, asked: list[Any]) -> None:
    adapter = OpenAIWhisper()
    adapter.load(LoadSpec(str(checkpoint)))
    heard = adapter.transcribe(clip())
    assert (heard.text, heard.language, heard.words) == (TEXT, "en", ())
    (window,) = asked
    assert (window.temperature, window.beam_size, window.without_timestamps) == (0.0, None, False)


@pytest.mark.parametrize(
    ("thresholds", "temperatures"),
    [
        ({"logprob_threshold": None, "compression_ratio_threshold": None}, [0.0]),
        ({"logprob_threshold": 0.0, "compression_ratio_threshold": None}, [0.0, 0.4]),
        ({"logprob_threshold": None, "compression_ratio_threshold": 0.0}, [0.0, 0.4]),
    ],
    ids=["no threshold", "unlikely", "repetitive"],
)
def test_falls_back_where_a_threshold_says_so(
    load: Load, asked: list[Any], thresholds: dict[str, Any], temperatures: list[float]
) -> None:
    thresholds["no_speech_threshold"] = None
    load(temperature=[0.0, 0.4], best_of=2, beam_size=3, **thresholds).transcribe(clip())
    assert [options.temperature for options in asked] == temperatures
    assert [options.best_of for options in asked] == [None, 2][: len(temperatures)]
    assert [options.beam_size for options in asked] == [3, None][: len(temperatures)]


def test_no_speech_threshold(load: Load) -> None:
    never = load(no_speech_threshold=0.0, logprob_threshold=0.0)
    assert never.transcribe(clip()).text == ""
    assert load(no_speech_threshold=None, logprob_threshold=0.0).transcribe(clip()).text == TEXT


@pytest.mark.parametrize("condition", [False, True])
def test_condition_on_previous_text(load: Load, asked: list[Any], condition: bool) -> None:
    load(condition_on_previous_text=condition).transcribe(tiled(40))
    first, second = (options.prompt for options in asked)
    assert first == []
    assert bool(second) == condition


def test_initial_prompt(load: Load, asked: list[Any]) -> None:
    load(initial_prompt="the kitchen", logprob_threshold=None).transcribe(tiled(40))
    from whisper.tokenizer import get_tokenizer

    assert asked[0].prompt == get_tokenizer(True).encode(" the kitchen")
    assert asked[1].prompt == []


@pytest.mark.parametrize("tokens", [1, 3, 7])
def test_max_new_tokens(load: Load, tokens: int) -> None:
    """Every word of the micro Whisper is one token."""
    heard = load(max_new_tokens=tokens).transcribe(clip()).text
    assert heard == " ".join(TEXT.split()[:tokens])


def test_word_timestamps(load: Load) -> None:
    # With timestamps: without, the library starts a window behind the last word.
    how: dict[str, Any] = {"word_timestamps": True, "without_timestamps": False}
    words = load(**how, alignment_heads=[[1, 0]]).transcribe(clip()).words
    assert [word.text for word in words] == TEXT.split()
    assert all(type(time) is float for word in words for time in (word.start, word.end))
    assert all(0 <= word.start <= word.end <= 5 for word in words)
    assert all(a.end <= b.end for a, b in pairwise(words))
    other = load(**how, alignment_heads=[[0, 1]]).transcribe(clip()).words
    assert [word.start for word in other] != [word.start for word in words]


def test_sampling_depends_on_the_seed_alone(load: Load) -> None:
    """Not on what was sampled before."""
    hot = {"temperature": 2.5, "best_of": 1}
    first = load(**hot)
    once = first.transcribe(clip()).text
    assert first.transcribe(clip()).text == once
    assert load(**hot).transcribe(clip()).text == once
    assert {load(seed, **hot).transcribe(clip()).text for seed in range(1, 5)} != {once}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("beam_size", 0),
        ("beam_size", True),
        ("best_of", 1.5),
        ("temperature", []),
        ("temperature", [0.0, "hot"]),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("compute_type", "int8"),
        ("without_timestamps", "yes"),
        ("without_timestamps", None),
        ("condition_on_previous_text", 1),
        ("word_timestamps", None),
        ("max_new_tokens", 0),
        ("max_new_tokens", 225),
        ("compression_ratio_threshold", "high"),
        ("logprob_threshold", True),
        ("no_speech_threshold", []),
        ("initial_prompt", 3),
        ("alignment_heads", [[2, 0]]),
        ("alignment_heads", [[0]]),
        ("language", "klingon"),
        ("language", ""),
        ("no_such_option", 1),
    ],
)
def test_bad_values_are_named(load: Load, option: str, value: Any) -> None:
    with pytest.raises(ModelError, match=option) as caught:
        load(**{option: value})
    assert "\n" not in str(caught.value)


def test_float16_is_refused_on_cpu(load: Load) -> None:
    """The library would compute in float32 and say nothing."""
    with pytest.raises(ModelError, match="compute_type 'float16' does not work on cpu"):
        load(compute_type="float16")
    (restriction,) = OpenAIWhisper.restrictions
    assert (restriction.device, *restriction.values) == ("cpu", "float16")


def test_empty_audio(load: Load) -> None:
    assert load().transcribe(Audio(np.zeros(0, np.float32), SAMPLE_RATE)).text == ""


def test_english_only_models_know_no_other_language(checkpoint: Path, tmp_path: Path) -> None:
    def fewer_tokens(content: dict[str, Any]) -> None:
        content["dims"]["n_vocab"] -= 1
        state = content["model_state_dict"]
        state["decoder.token_embedding.weight"] = state["decoder.token_embedding.weight"][
            :-1
        ].clone()

    english = tmp_path / "micro.en.pt"
    english.write_bytes(checkpoint.read_bytes())
    edit(fewer_tokens)(english)
    adapter = OpenAIWhisper()
    with pytest.raises(ModelError, match="language: the model knows English only, not 'de'"):
        adapter.load(LoadSpec(str(english), options={"language": "de"}))
    adapter.load(LoadSpec(str(english), options={"language": "en"}))


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
