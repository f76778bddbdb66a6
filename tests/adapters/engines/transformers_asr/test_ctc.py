"""CTC and other sequence-to-sequence models in transformers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.transformers_asr import recognizer as transformers_kinds
from adapters.interface import Audio, Samples
from tests.adapters.engines.transformers_asr.shared import (
    RATE,
    calls_of,
    hear,
    loaded,
    utterances_of,
)
from tests.support import tiny_transformers

pytestmark = pytest.mark.engine

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_ctc_is_the_librarys_answer(wav2vec2: Path, clip: Samples, speech: Samples) -> None:
    transformers: Any = importlib.import_module("transformers")
    theirs = transformers.pipeline("automatic-speech-recognition", model=str(wav2vec2))
    for samples, seconds in ((clip, 30), (speech, 30), (speech, 5)):
        asked = {"raw": samples.copy(), "sampling_rate": RATE}
        expected = theirs(asked, chunk_length_s=seconds)["text"]
        assert sum(letter in LETTERS for letter in expected) > 20
        assert hear(wav2vec2, samples, chunk_seconds=seconds).text == expected.strip()
    assert hear(wav2vec2, speech).text == hear(wav2vec2, speech, chunk_seconds=30).text


def test_ctc_batches_change_nothing_but_the_speed(wav2vec2: Path, speech: Samples) -> None:
    alone = loaded(wav2vec2, chunk_seconds=5)
    batched = loaded(wav2vec2, chunk_seconds=5, batch_size=4)
    model = batched._recognizer.model
    sizes: list[int] = []
    model.register_forward_pre_hook(
        lambda _, given, named: sizes.append(len(named["input_values"])), with_kwargs=True
    )
    assert (
        batched.transcribe(Audio(speech, RATE)).text == alone.transcribe(Audio(speech, RATE)).text
    )
    assert max(sizes) == 4


def _masking(folder: Path, kind: str = "Wav2Vec2") -> Path:
    """A checkpoint that was trained with masks, as the large ones are."""
    tiny_transformers.wav2vec2(
        folder, kind, feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True
    )
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "return_attention_mask": True}))
    return folder


@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "WavLM"])
@pytest.mark.parametrize("words", [False, True])
def test_ctc_hears_in_a_batch_what_it_hears_alone(
    tmp_path: Path, clip: Samples, kind: str, words: bool
) -> None:
    adapter = loaded(_masking(tmp_path, kind), batch_size=3, word_timestamps=words)
    assert adapter.most_at_once == 3
    audios = utterances_of(clip)
    sizes: list[int] = []
    alone = [adapter.transcribe(audio) for audio in audios]
    adapter._recognizer.model.register_forward_pre_hook(
        lambda _, given, named: sizes.append(len(named["input_values"])), with_kwargs=True
    )
    assert adapter.transcribe_batch(audios) == alone
    assert sizes[0] == 3
    assert any(len(transcript.text) > 20 for transcript in alone)


def test_ctc_without_masks_hears_one_at_a_time(
    wav2vec2: Path, parakeet: Path, clip: Samples
) -> None:
    """What silence does to it is not masked: as long as the batch's longest, it is heard."""
    for folder in (wav2vec2, parakeet):
        adapter = loaded(folder, batch_size=3)
        assert adapter.most_at_once == 1
        audios = utterances_of(clip)
        assert adapter.transcribe_batch(audios) == [adapter.transcribe(a) for a in audios]


@pytest.mark.parametrize("kind", ["wav2vec2", "parakeet"])
@pytest.mark.parametrize("seconds", [1, 7.3, 30])
def test_ctc_frames_are_counted_once(
    kind: str, seconds: float, speech: Samples, request: pytest.FixtureRequest
) -> None:
    """Frames named by their place: windows on silence-free noise must tile them without a gap."""
    recognizer = loaded(request.getfixturevalue(kind), chunk_seconds=seconds)._recognizer
    hop = recognizer._hop
    assert hop == {"wav2vec2": 320, "parakeet": 1280}[kind]
    seen: list[int] = []

    def frames(sounds: list[Samples]) -> list[list[int]]:
        # Every sample holds its place, so that a frame's first sample tells where it is.
        return [[int(sound[i]) for i in range(0, len(sound), hop)] for sound in sounds]

    class Places:
        def decode(self, tokens: list[int]) -> str:
            seen.extend(tokens)
            return ""

    recognizer._frames = frames
    recognizer.tokenizer = Places()
    places = np.arange(len(speech), dtype=np.float64)
    recognizer.hear(places)
    assert seen == list(range(0, len(speech), hop))


def test_ctc_word_times(wav2vec2: Path, parakeet: Path, speech: Samples) -> None:
    for folder in (wav2vec2, parakeet):
        said = hear(folder, speech, word_timestamps=True, chunk_seconds=5)
        assert len(said.words) > 5
        assert "".join(word.text for word in said.words) == said.text.replace(" ", "")
        edges = [edge for word in said.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        assert edges[-1] <= len(speech) / RATE
        assert edges[-1] > len(speech) / RATE - 5
        assert hear(folder, speech, chunk_seconds=5).words == ()


def test_windows_end_where_it_is_quiet(moonshine: Path, commands: list[Samples]) -> None:
    rng = np.random.default_rng(0)
    loud = (0.3 * rng.standard_normal(6 * RATE)).astype(np.float32)
    loud[4 * RATE : 4 * RATE + RATE // 2] *= 0.001
    sound = np.tile(loud, 5)
    windows = list(transformers_kinds.at_pauses(sound, 6 * RATE))
    assert windows[0][0] == 0
    assert windows[-1][1] == len(sound)
    assert all(one[1] == other[0] for one, other in pairwise(windows))
    assert all(0 < end - start <= 6 * RATE for start, end in windows)
    assert all(4 * RATE <= end % (6 * RATE) <= 4.5 * RATE for _, end in windows[:-1])
    adapter = loaded(moonshine, chunk_seconds=6, max_new_tokens=5)
    calls = calls_of(adapter)
    adapter.transcribe(Audio(sound, RATE))
    assert [call["input_values"].shape[-1] for call in calls] == [end - s for s, end in windows]
    assert {call["max_new_tokens"] for call in calls} == {5}


def test_sequence_to_sequence_options(moonshine: Path, speech: Samples) -> None:
    greedy = hear(moonshine, speech).text
    assert hear(moonshine, speech, beam_size=3).text != greedy
    adapter = loaded(moonshine, temperature=1.0)
    sampled = adapter.transcribe(Audio(speech, RATE)).text
    assert adapter.transcribe(Audio(speech, RATE)).text == sampled != greedy
    assert hear(moonshine, speech, seed=1, temperature=1.0).text != sampled
    assert hear(moonshine, speech, max_new_tokens=3).text != greedy


RELATIVES: dict[str, Callable[[Path], Path]] = {
    "Hubert": lambda folder: tiny_transformers.wav2vec2(folder, "Hubert"),
    "WavLM": lambda folder: tiny_transformers.wav2vec2(folder, "WavLM"),
    "SEW": lambda folder: tiny_transformers.wav2vec2(folder, "SEW", conv_dim=(16,) * 13),
    "Data2VecAudio": lambda folder: tiny_transformers.wav2vec2(folder, "Data2VecAudio"),
    "Wav2Vec2Conformer": lambda folder: tiny_transformers.wav2vec2(folder, "Wav2Vec2Conformer"),
    "Parakeet-RNNT": lambda folder: tiny_transformers.parakeet(folder, "RNNT"),
    "Parakeet-TDT": lambda folder: tiny_transformers.parakeet(folder, "TDT"),
    "Speech2Text": tiny_transformers.speech_to_text,
}


@pytest.mark.parametrize("kind", RELATIVES)
def test_relatives_hear_any_length(kind: str, tmp_path: Path, clip: Samples) -> None:
    adapter = loaded(RELATIVES[kind](tmp_path))
    assert adapter.transcribe(Audio(clip, RATE)).text
    for length in (0, 1, 160, 1600):
        for sound in (clip[RATE : RATE + length], np.zeros(length, np.float32)):
            assert isinstance(adapter.transcribe(Audio(sound, RATE)).text, str)
    assert adapter.transcribe(Audio(clip[:0], RATE)).text == ""
