"""Whisper in transformers: decoding, windows, batches and times."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.transformers_asr import whisper as transformers_whisper
from adapters.interface import Audio, ModelError, Samples
from fixtures.micro_whisper import expand
from tests.adapters.engines.transformers_asr.shared import (
    RATE,
    calls_of,
    hear,
    loaded,
    utterances_of,
)
from tests.contract.installed import need
from tests.contract.transformers_asr import (
    set_in,
)

pytestmark = pytest.mark.engine


def test_expands_without_the_libraries(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from fixtures.micro_whisper import expand; "
        f"expand('transformers', pathlib.Path({str(tmp_path)!r})); "
        "print([m for m in ('torch', 'transformers', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.stdout.strip() == "[]"


def test_micro_whisper_has_whispers_ids(whisper: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    tokenizer = transformers.AutoProcessor.from_pretrained(whisper).tokenizer
    assert len(tokenizer) == 51_865
    known = {"<|endoftext|>": 50257, "<|en|>": 50259, "<|transcribe|>": 50359}
    known |= {"<|notimestamps|>": 50363, "<|0.00|>": 50364, "<|30.00|>": 51864, "Ġthe": 264}
    assert dict(zip(known, tokenizer.convert_tokens_to_ids(list(known)), strict=True)) == known
    assert tokenizer.all_special_ids[-1] == 50363


def test_micro_whisper_goes_through_the_librarys_own_pipeline(whisper: Path, clip: Samples) -> None:
    transformers: Any = importlib.import_module("transformers")
    hears = transformers.pipeline("automatic-speech-recognition", model=str(whisper))
    heard = hears({"raw": clip, "sampling_rate": RATE}, return_timestamps="word")
    assert heard["text"].split() == ["turn", "the", "bathroom", "lights", "white"]
    assert [word["text"].strip() for word in heard["chunks"]] == heard["text"].split()


def test_language_and_task(whisper: Path, clip: Samples) -> None:
    assert hear(whisper, clip).language == "en"
    for given in ("en", "english", "English"):
        assert hear(whisper, clip, language=given).language == "en"
    adapter = loaded(whisper, language="de", task="translate")
    calls = calls_of(adapter)
    assert adapter.transcribe(Audio(clip, RATE)).language == "de"
    assert (calls[0]["language"], calls[0]["task"]) == ("de", "translate")


def test_english_models_are_told_no_language(whisper: Path, clip: Samples, tmp_path: Path) -> None:
    folder = shutil.copytree(whisper, tmp_path / "en")
    set_in("generation_config.json", is_multilingual=False)(folder)
    adapter = loaded(folder, language="en")
    calls = calls_of(adapter)
    adapter.transcribe(Audio(clip, RATE))
    assert "language" not in calls[0]
    assert "task" not in calls[0]
    refused: list[dict[str, Any]] = [{"language": "de"}, {"task": "translate"}]
    for options in refused:
        with pytest.raises(ModelError, match="English model"):
            loaded(folder, **options)


def test_decoding_options_reach_the_library(whisper: Path, clip: Samples) -> None:
    adapter = loaded(whisper, beam_size=3)
    calls = calls_of(adapter)
    assert adapter.transcribe(Audio(clip, RATE)).text == "turn the bathroom lights white"
    assert calls[0]["num_beams"] == 3
    assert calls[0]["return_timestamps"] is True
    assert calls[0]["logprob_threshold"] == -1.0
    adapter = loaded(whisper, without_timestamps=True)
    calls = calls_of(adapter)
    adapter.transcribe(Audio(clip, RATE))
    assert (calls[0]["num_beams"], calls[0]["return_timestamps"]) == (1, False)


def test_sampling_is_seeded_at_every_call(whisper: Path, speech: Samples) -> None:
    greedy = hear(whisper, speech, language="en").text
    adapter = loaded(whisper, seed=7, language="en", temperature=1.5)
    first = adapter.transcribe(Audio(speech, RATE)).text
    assert adapter.transcribe(Audio(speech, RATE)).text == first != greedy
    assert hear(whisper, speech, seed=8, language="en", temperature=1.5).text != first


@pytest.mark.parametrize(
    "threshold", [{"logprob_threshold": 0.0}, {"compression_ratio_threshold": 0.01}]
)
def test_fallback_goes_to_the_next_temperature(
    whisper: Path, speech: Samples, threshold: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"language": "en", "temperature": [0.0, 1.5]}
    never: dict[str, Any] = {"logprob_threshold": -1000.0, "compression_ratio_threshold": 1000.0}
    greedy = hear(whisper, speech, language="en").text
    assert hear(whisper, speech, **options, **never).text == greedy
    assert hear(whisper, speech, **options, **never | threshold).text != greedy


def test_windows_thought_silent_are_left_out(whisper: Path, clip: Samples) -> None:
    thresholds: dict[str, Any] = {"logprob_threshold": 0.0, "no_speech_threshold": -1.0}
    assert hear(whisper, clip, **thresholds, without_timestamps=False).text == ""


def test_windows_see_the_text_before_them(
    whisper: Path, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = hear(whisper, speech, language="en").text
    assert hear(whisper, speech, language="en", condition_on_previous_text=True).text != alone
    # Across blocks too.
    monkeypatch.setattr(transformers_whisper, "_BLOCK_SECONDS", 45)
    long = np.tile(speech, 3)
    adapter = loaded(whisper, language="en", condition_on_previous_text=True)
    calls = calls_of(adapter)
    adapter.transcribe(Audio(long, RATE))
    assert len(calls) > 1
    assert "prompt_ids" not in calls[0]
    for call in calls[1:]:
        assert call["prompt_ids"][0] == 50361
        assert len(call["prompt_ids"]) > 3


def test_word_times_are_those_of_faster_whisper(
    whisper: Path, commands: list[Samples], tmp_path: Path
) -> None:
    """Which aligns in code of its own, on a spectrogram that is padded otherwise."""
    need("faster_whisper")
    from faster_whisper import WhisperModel

    other = WhisperModel(str(expand("ctranslate2", tmp_path)), device="cpu", compute_type="float32")
    adapter = loaded(whisper, language="en", word_timestamps=True)
    for samples in commands[:3]:
        said = adapter.transcribe(Audio(samples, RATE))
        segments, _ = other.transcribe(samples, language="en", beam_size=1, word_timestamps=True)
        expected = [word for segment in segments for word in segment.words]
        assert [word.text for word in said.words] == [word.word.strip() for word in expected]
        assert " ".join(word.text for word in said.words) == said.text
        for ours, theirs in zip(said.words, expected, strict=True):
            assert ours.start == pytest.approx(theirs.start, abs=0.15)
            assert ours.end == pytest.approx(theirs.end, abs=0.15)


def test_word_times_need_alignment_heads(whisper: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whisper, tmp_path / "headless")
    set_in("generation_config.json", alignment_heads=None)(folder)
    with pytest.raises(ModelError, match="alignment_heads"):
        loaded(folder, word_timestamps=True)


def test_compute_type_and_attention(whisper: Path, clip: Samples) -> None:
    for name in ("float32", "float16", "bfloat16"):
        adapter = loaded(whisper, compute_type=name, language="en")
        assert str(adapter._recognizer.model.dtype) == f"torch.{name}"
        assert adapter.transcribe(Audio(clip, RATE)).text == "turn the bathroom lights white"
    assert str(loaded(whisper, compute_type="auto")._recognizer.model.dtype) == "torch.float32"
    for name in ("eager", "sdpa"):
        adapter = loaded(whisper, attn_implementation=name)
        assert adapter._recognizer.model.config._attn_implementation == name
        assert adapter.transcribe(Audio(clip, RATE)).text == "turn the bathroom lights white"


def test_overlapping_windows_go_in_batches(whisper: Path, speech: Samples) -> None:
    sizes: dict[int, list[int]] = {}
    texts = set()
    for batch in (1, 3):
        adapter = loaded(whisper, chunk_seconds=8, batch_size=batch, max_new_tokens=30)
        calls = calls_of(adapter)
        heard = adapter.transcribe(Audio(speech, RATE))
        texts.add(heard.text)
        assert heard.language == "en"
        sizes[batch] = [len(call["input_features"]) for call in calls]
        assert {call["max_new_tokens"] for call in calls} == {30}
    assert set(sizes[1]) == {1}
    assert max(sizes[3]) == 3
    assert sum(sizes[1]) == sum(sizes[3])
    assert len(texts) == 1
    assert texts != {hear(whisper, speech).text}


@pytest.mark.parametrize(
    "options",
    [
        {"language": "en"},
        {"without_timestamps": False},
        {"beam_size": 2, "language": "en"},
        {"logprob_threshold": -1.0, "no_speech_threshold": 0.6},
    ],
    ids=str,
)
def test_whisper_hears_in_a_batch_what_it_hears_alone(
    whisper: Path, clip: Samples, options: dict[str, Any]
) -> None:
    adapter = loaded(whisper, batch_size=3, max_new_tokens=30, **options)
    assert adapter.most_at_once == 3
    audios = utterances_of(clip)
    assert len(audios[-1].samples) > 30 * RATE
    alone = [adapter.transcribe(audio) for audio in audios]
    calls = calls_of(adapter)
    assert adapter.transcribe_batch(audios) == alone
    assert len(calls[0]["input_features"]) == 3
    assert alone[3].text == "turn the bathroom lights white"


@pytest.mark.parametrize(
    "options", [{"chunk_seconds": 20}, {"word_timestamps": True}, {"temperature": 0.5}], ids=str
)
def test_where_a_batch_would_be_heard_differently_there_is_none(
    whisper: Path, options: dict[str, Any]
) -> None:
    assert loaded(whisper, batch_size=3, **options).most_at_once == 1


def test_overlapping_windows_time_words(whisper: Path, speech: Samples) -> None:
    said = hear(whisper, speech, language="en", chunk_seconds=8, batch_size=3, word_timestamps=True)
    assert [word.text for word in said.words] == said.text.split()
    assert said.words[-1].end > len(speech) / RATE - 5


def test_blocks_hear_what_one_pass_hears(
    whisper: Path, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The windows begin where they would without blocks, so the words and their times are the same."""
    long = np.tile(speech, 3)
    whole = hear(whisper, long, language="en", word_timestamps=True)
    monkeypatch.setattr(transformers_whisper, "_BLOCK_SECONDS", 60)
    monkeypatch.setattr(transformers_whisper, "_HEAVY_BLOCK_SECONDS", 60)
    adapter = loaded(whisper, language="en", word_timestamps=True)
    calls = calls_of(adapter)
    blocks = adapter.transcribe(Audio(long, RATE))
    assert len(calls) > 2
    assert max(call["input_features"].shape[-1] for call in calls) <= 6000
    assert blocks.text == whole.text
    for one, other in zip(whole.words, blocks.words, strict=True):
        assert one.text == other.text
        assert one.start == pytest.approx(other.start, abs=0.1)
