"""transformers: every option is honoured, windows neither lose nor double audio, nothing unsafe runs."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.engines.shared import hub
from adapters.engines.transformers_asr import recognizer as transformers_kinds
from adapters.engines.transformers_asr import whisper as transformers_whisper
from adapters.engines.transformers_asr.adapter import TransformersAsr
from adapters.interface import Audio, LoadSpec, ModelError, Samples, Transcript
from evals.models.corpus_synthesizer import synthesizer
from fixtures.builtin.synthesize import builtin_corpus
from fixtures.micro_whisper import expand
from tests.contract.installed import need
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
from tests.support import tiny_transformers

pytestmark = pytest.mark.engine

RATE = 16_000
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("transformers_asr")


@pytest.fixture(scope="module", autouse=True)
def _offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def commands() -> list[Samples]:
    corpus = builtin_corpus("voice-commands", synthesizer)
    return [utterance.load() for utterance in list(corpus)[:12]]


@pytest.fixture(scope="module")
def clip(commands: list[Samples]) -> Samples:
    return commands[0]  # turn the bathroom lights white


@pytest.fixture(scope="module")
def speech(commands: list[Samples]) -> Samples:
    """40 s: the commands with half a second between them. Too much for the micro Whisper."""
    gap = np.zeros(RATE // 2, np.float32)
    return np.concatenate([part for sound in commands for part in (sound, gap)])


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return expand("transformers", tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.wav2vec2(tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture(scope="module")
def parakeet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.parakeet(tmp_path_factory.mktemp("parakeet"))


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.moonshine(tmp_path_factory.mktemp("moonshine"))


def loaded(folder: Path, seed: int = 0, **options: Any) -> Any:
    adapter = TransformersAsr()
    adapter.load(LoadSpec(str(folder), seed=seed, options=options))
    return adapter


def hear(folder: Path, samples: Samples, seed: int = 0, **options: Any) -> Transcript:
    heard: Transcript = loaded(folder, seed, **options).transcribe(Audio(samples, RATE))
    return heard


def calls_of(adapter: Any) -> list[dict[str, Any]]:
    """What the library's `generate` will be called with; the calls go through."""
    model = adapter._recognizer.model
    generate: Callable[..., Any] = model.generate
    calls: list[dict[str, Any]] = []

    def record(**given: Any) -> Any:
        calls.append(given)
        return generate(**given)

    model.generate = record
    return calls


# The micro Whisper as a checkpoint of the library


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
        cwd=Path(__file__).parents[3],
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


# Whisper's options


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


def _utterances(clip: Samples) -> list[Audio]:
    """Of several lengths: the beginning, nothing, silence, the clip, longer than a window."""
    half, silence = clip[: len(clip) // 2], np.zeros(2 * RATE, np.float32)
    return [Audio(s, RATE) for s in (half, clip[:0], silence, clip, np.tile(clip, 12))]


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
    audios = _utterances(clip)
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


# CTC


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
    audios = _utterances(clip)
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
        audios = _utterances(clip)
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


# Plain sequence-to-sequence models and transducers


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


# What is refused


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


# The hub


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
