"""openai-whisper's decoding: options, fallback, times and what is refused."""

from __future__ import annotations

import importlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.openai_whisper import OpenAIWhisper
from adapters.interface import Audio, LoadSpec, ModelError
from fixtures.audio.read import SAMPLE_RATE
from tests.adapters.engines.openai_whisper.shared import Load
from tests.contract.openai_whisper import edit
from tests.support.micro_speech import TEXT, clip, tiled

pytestmark = pytest.mark.engine


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
