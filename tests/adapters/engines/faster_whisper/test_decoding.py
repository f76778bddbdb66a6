"""faster-whisper's decoding: options, batches, voice activity and times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.faster_whisper.adapter import FasterWhisper
from adapters.interface import Audio, LoadSpec, ModelError
from fixtures.audio.read import SAMPLE_RATE
from tests.adapters.engines.faster_whisper.shared import Load, with_pauses
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine

_NO_TIMESTAMPS = 50363
_PREVIOUS = 50361


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

    audio = with_pauses()
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
        return len(adapter._speech(with_pauses().samples, batched=False))

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
