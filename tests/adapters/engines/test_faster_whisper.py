"""faster-whisper's adapter: every option reaches the library, which is bounded and left as it is."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.faster_whisper import adapter as faster_whisper
from adapters.engines.faster_whisper.adapter import FasterWhisper
from adapters.engines.faster_whisper.features import VOICE_FRAMES, voice_in_pieces
from adapters.interface import Audio, LoadSpec, ModelError
from fixtures.audio.read import SAMPLE_RATE
from fixtures.micro_whisper import expand
from tests.contract.installed import need
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine

Load = Callable[..., FasterWhisper]
_NO_TIMESTAMPS = 50363
_PREVIOUS = 50361


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    need("faster_whisper")


@pytest.fixture(scope="module")
def checkpoint(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expand("ctranslate2", tmp_path_factory.mktemp("micro"))


@pytest.fixture(scope="module")
def load(checkpoint: Path) -> Load:
    def load(seed: int = 0, **options: Any) -> FasterWhisper:
        adapter = FasterWhisper()
        options = {"language": "en", "max_new_tokens": 60, "without_timestamps": True, **options}
        adapter.load(LoadSpec(str(checkpoint), seed=seed, options=options))
        return adapter

    return load


class Recorder:
    """CTranslate2's model, that notes what it is asked and how many tokens it gives."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.prompts: list[list[list[int]]] = []
        self.options: list[dict[str, Any]] = []
        self.given: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, features: Any, prompts: list[list[int]], **options: Any) -> Any:
        self.prompts.append(prompts)
        self.options.append(options)
        results = self._model.generate(features, prompts, **options)
        self.given += [len(result.sequences_ids[0]) for result in results]
        return results

    def all(self, option: str) -> list[Any]:
        return [options[option] for options in self.options]


def _recorded(adapter: FasterWhisper) -> Recorder:
    limited = adapter._model.model
    limited._model = Recorder(limited._model)
    recorder: Recorder = limited._model
    return recorder


def _with_pauses() -> Audio:
    """A minute and a half: the clip, with 4 s of a quiet room behind each."""
    room = np.random.default_rng(0).normal(0, 0.003, 4 * SAMPLE_RATE).astype(np.float32)
    return Audio(np.tile(np.concatenate([clip().samples, room]), 10), SAMPLE_RATE)


def test_options_reach_the_library(load: Load) -> None:
    adapter = load(beam_size=3)
    seen = _recorded(adapter)
    assert adapter.transcribe(clip()).text == TEXT
    assert seen.all("beam_size") == [3]
    assert seen.prompts[0][0][-1] == _NO_TIMESTAMPS
    assert adapter._model.model.compute_type == "float32"
    assert load(compute_type="int8")._model.model.compute_type == "int8_float32"


@pytest.mark.parametrize(("batch_size", "timestamps"), [(1, True), (4, False)])
def test_defaults(checkpoint: Path, batch_size: int, timestamps: bool) -> None:
    adapter = FasterWhisper()
    adapter.load(LoadSpec(str(checkpoint), options={"batch_size": batch_size}))
    seen = _recorded(adapter)
    heard = adapter.transcribe(clip())
    assert (heard.text, heard.language, heard.words) == (TEXT, "en", ())
    assert (_NO_TIMESTAMPS not in seen.prompts[0][0]) == timestamps
    assert seen.all("beam_size") == [1]


@pytest.mark.parametrize(
    ("thresholds", "temperatures"),
    [
        ({"logprob_threshold": None, "compression_ratio_threshold": None}, [None]),
        ({"logprob_threshold": 0.0, "compression_ratio_threshold": None}, [None, 0.4]),
        ({"logprob_threshold": None, "compression_ratio_threshold": 0.0}, [None, 0.4]),
    ],
    ids=["no threshold", "unlikely", "repetitive"],
)
def test_falls_back_where_a_threshold_says_so(
    load: Load, thresholds: dict[str, Any], temperatures: list[float | None]
) -> None:
    thresholds["no_speech_threshold"] = None
    adapter = load(temperature=[0.0, 0.4], best_of=2, beam_size=3, **thresholds)
    seen = _recorded(adapter)
    adapter.transcribe(clip())
    count = len(temperatures)
    assert [options.get("sampling_temperature") for options in seen.options] == temperatures
    assert [options.get("num_hypotheses") for options in seen.options] == [None, 2][:count]
    assert [options.get("beam_size") for options in seen.options] == [3, 1][:count]


def test_no_speech_threshold(load: Load) -> None:
    never = load(no_speech_threshold=0.0, logprob_threshold=0.0)
    assert never.transcribe(clip()).text == ""
    assert load(no_speech_threshold=None, logprob_threshold=0.0).transcribe(clip()).text == TEXT


@pytest.mark.parametrize("condition", [False, True])
def test_condition_on_previous_text(load: Load, condition: bool) -> None:
    adapter = load(condition_on_previous_text=condition)
    seen = _recorded(adapter)
    adapter.transcribe(tiled(40))
    first, second = (prompts[0] for prompts in seen.prompts)
    assert _PREVIOUS not in first
    assert (_PREVIOUS in second) == condition


@pytest.mark.parametrize("batch_size", [1, 2])
def test_prompt_and_hotwords(load: Load, batch_size: int) -> None:
    adapter = load(initial_prompt="the kitchen", hotwords="lights timer", batch_size=batch_size)
    seen = _recorded(adapter)
    adapter.transcribe(clip())
    tokenizer = adapter._model.hf_tokenizer
    words = [tokenizer.decode([token]) for token in seen.prompts[0][0] if token < 50257]
    # In batches the library puts no space before the prompt, and the micro Whisper's
    # tokenizer knows no word without it.
    expected = ["lights", "timer", "the" if batch_size == 1 else "!", "kitchen"]
    assert [word.strip() for word in words] == expected


def test_without_batching_it_hears_as_one_by_one(load: Load) -> None:
    """What batches change is told against this: the way of decoding of a batch_size of 1."""
    sound = clip().samples
    long = Audio(np.concatenate([sound, sound[: 3 * len(sound) // 4]] * 5), clip().sample_rate)
    how = {"temperature": 0.0, "without_timestamps": None}
    batched, alone = load(batch_size=4, **how), load(**how)
    assert batched.transcribe_unbatched(long) == alone.transcribe(long)
    seen = _recorded(batched)
    batched.transcribe_unbatched(clip())
    assert _NO_TIMESTAMPS not in seen.prompts[0][0]
    seen = _recorded(batched)
    batched.transcribe(clip())
    assert _NO_TIMESTAMPS in seen.prompts[0][0]


@pytest.mark.parametrize("tokens", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize(
    "prompt", [None, "turn on the light " * 10], ids=["no prompt", "long prompt"]
)
def test_max_new_tokens(load: Load, tokens: int, prompt: str | None) -> None:
    """CTranslate2 counts the prompt too, and halves: here a token is a token."""
    adapter = load(max_new_tokens=tokens, initial_prompt=prompt, temperature=0.0)
    # Whatever it says, it may not stop.
    adapter._in_turn_options["suppress_tokens"] = [50257]
    seen = _recorded(adapter)
    heard = adapter.transcribe(clip()).text
    assert seen.given == [tokens]
    if prompt is None:
        assert heard.startswith(" ".join(TEXT.split()[:tokens]))


def test_too_long_prompts_are_refused(load: Load) -> None:
    adapter = load(initial_prompt="light " * 400, hotwords="door " * 400)
    with pytest.raises(ModelError, match="448 tokens: shorten hotwords or initial_prompt"):
        adapter.transcribe(clip())


@pytest.mark.parametrize("batch_size", [1, 5])
def test_chunk_length(load: Load, batch_size: int) -> None:
    """Windows of 5 s are the clips; in batches they are heard together."""
    adapter = load(chunk_length=5, batch_size=batch_size)
    seen = _recorded(adapter)
    assert adapter.transcribe(tiled(60)).text == " ".join([TEXT] * 12)
    assert [len(prompts) for prompts in seen.prompts] == (
        [1] * 12 if batch_size == 1 else [5, 5, 2]
    )


def test_batches_are_longer_than_a_window_without_vad(load: Load) -> None:
    adapter = load(batch_size=2)
    seen = _recorded(adapter)
    adapter.transcribe(tiled(80))
    assert [len(prompts) for prompts in seen.prompts] == [2, 1]


def _utterances() -> list[Audio]:
    """Of several lengths: the beginning, nothing, longer than a window, silence, the clip."""
    samples = clip().samples
    most = Audio(samples[: len(samples) * 3 // 4], SAMPLE_RATE)
    nothing = Audio(samples[:0], SAMPLE_RATE)
    silence = Audio(np.zeros(2 * SAMPLE_RATE, np.float32), SAMPLE_RATE)
    return [most, nothing, tiled(35), silence, clip()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"without_timestamps": None},
        {"without_timestamps": False},
        {"language": None},
        {"beam_size": 3, "initial_prompt": "the kitchen", "hotwords": "lights"},
        {"max_new_tokens": 2},
        {"chunk_length": 3},
        {"vad_filter": True},
        {"vad_filter": True, "language": None},
    ],
    ids=str,
)
def test_a_batch_of_utterances_is_each_alone(load: Load, options: dict[str, Any]) -> None:
    adapter = load(batch_size=3, **options)
    audios = _utterances()
    alone = [adapter.transcribe(audio) for audio in audios]
    assert adapter.transcribe_batch(audios) == alone
    assert len({transcript.text for transcript in alone}) > 1


def test_utterances_are_decoded_together(load: Load) -> None:
    adapter = load(batch_size=3)
    seen = _recorded(adapter)
    adapter.transcribe_batch([clip()] * 7)
    assert [len(prompts) for prompts in seen.prompts] == [3, 3, 1]


def test_each_utterance_has_its_language(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded once where all speak one; each prompt begins with its own."""
    adapter = load(batch_size=4, language=None)
    tokens = ["<|en|>", "<|de|>", "<|en|>"]
    number = {t: adapter._model.hf_tokenizer.token_to_id(t) for t in tokens}
    if number["<|de|>"] is None:  # the micro Whisper's tokenizer knows English alone
        tokens = ["<|en|>"] * 3
    seen = _recorded(adapter)
    monkeypatch.setattr(
        seen, "detect_language", lambda encoded: [[(t, 1.0)] for t in tokens], raising=False
    )
    heard = adapter.transcribe_batch([clip()] * 3)
    assert [transcript.language for transcript in heard] == [t[2:-2] for t in tokens]
    found = [prompt[1] for prompts in seen.prompts for prompt in prompts]
    assert sorted(found) == sorted(number[t] for t in tokens)


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 1), ({"batch_size": 4}, 4), ({"batch_size": 4, "word_timestamps": True}, 1)],
)
def test_how_many_at_once(options: dict[str, Any], size: int) -> None:
    assert FasterWhisper.batch_of({**FasterWhisper.options, **options}) == size


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("parameters", [None, {"min_silence_duration_ms": 500, "threshold": 0.4}])
def test_vad_is_the_library_s(
    load: Load, batch_size: int, parameters: dict[str, Any] | None
) -> None:
    """Cut out here, in bounded memory, with the same text and times as by the library."""
    from faster_whisper import BatchedInferencePipeline

    audio = _with_pauses()
    adapter = load(
        batch_size=batch_size,
        vad_filter=True,
        vad_parameters=parameters,
        word_timestamps=True,
        without_timestamps=None,
    )
    heard = adapter.transcribe(audio)
    decode = adapter._in_batches if batch_size > 1 else adapter._in_turn_options
    arguments = {**decode, "vad_filter": True, "vad_parameters": parameters}
    if batch_size == 1:
        segments, _ = adapter._model.transcribe(audio.samples, **arguments)
    else:
        segments, _ = BatchedInferencePipeline(adapter._model).transcribe(
            audio.samples, batch_size=batch_size, **arguments
        )
    expected = [word for segment in segments for word in segment.words]
    assert len(expected) > 10
    assert [word.text for word in heard.words] == [word.word.strip() for word in expected]
    for ours, theirs in zip(heard.words, expected, strict=True):
        assert ours.start == pytest.approx(theirs.start, abs=0.021)
        assert ours.end == pytest.approx(theirs.end, abs=0.021)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("language", ["en", None])
def test_vad_leaves_nothing_of_noise(load: Load, batch_size: int, language: str | None) -> None:
    adapter = load(vad_filter=True, batch_size=batch_size, language=language)
    seen = _recorded(adapter)
    noise = np.random.default_rng(0).normal(0, 0.01, 10 * SAMPLE_RATE).astype(np.float32)
    assert adapter.transcribe(Audio(noise, SAMPLE_RATE)).text == ""
    assert seen.prompts == []


def test_vad_parameters_are_honoured(load: Load) -> None:
    def stretches(**parameters: Any) -> int:
        adapter = load(vad_filter=True, vad_parameters=parameters)
        return len(adapter._speech(_with_pauses().samples, batched=False))

    assert stretches(min_silence_duration_ms=1000) == 10
    assert stretches(min_silence_duration_ms=60_000) == 1


@pytest.mark.parametrize("batch_size", [1, 4])
def test_word_timestamps(load: Load, batch_size: int) -> None:
    adapter = load(word_timestamps=True, batch_size=batch_size, without_timestamps=None)
    words = adapter.transcribe(clip()).words
    assert [word.text for word in words] == TEXT.split()
    assert all(type(time) is float for word in words for time in (word.start, word.end))
    assert all(0 <= word.start <= word.end <= 5 for word in words)
    assert all(a.end <= b.end for a, b in pairwise(words))


def test_sampling_depends_on_the_seed(load: Load) -> None:
    hot = {"temperature": 2.5, "best_of": 1}

    def twice(seed: int) -> list[str]:
        adapter = load(seed, **hot)
        return [adapter.transcribe(clip()).text for _ in range(2)]

    assert twice(0) == twice(0)
    assert {tuple(twice(seed)) for seed in range(1, 4)} != {tuple(twice(0))}


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
    samples = _with_pauses().samples
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
