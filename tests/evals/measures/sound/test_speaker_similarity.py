"""Speaker embeddings: tiny random checkpoints through the real loading code, and what is refused."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from adapters.interface import Samples
from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.signal_quality import signal_quality
from evals.measures.sound.speaker_similarity import SpeakerEncoder, cosine
from evals.records.spoken import Spoken
from evals.tasks.tts.clips import Clip
from evals.tasks.tts.scores import speaker_similarity
from fixtures.audio.read import SAMPLE_RATE
from fixtures.corpora.sentences import Sentences, read_sentences
from tests.contract.installed import need
from tests.support.speech_faults import spoken, white_noise

pytestmark = pytest.mark.engine

_SMALL = {
    "vocab_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embedding_groups": 2,
    "num_conv_pos_embeddings": 16,
    "conv_dim": (16,) * 7,
    "tdnn_dim": (32, 32, 32, 32, 64),
    "xvector_output_dim": 24,
}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need("transformers_asr")


@pytest.fixture(scope="module", autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


def made(folder: Path, architecture: str = "WavLMForXVector", *, seed: int = 0) -> Path:
    """A random checkpoint as transformers saves it."""
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")

    torch.manual_seed(seed)
    kind = architecture.partition("For")[0].removesuffix("Model")
    config = getattr(transformers, f"{kind}Config")(**_SMALL)
    getattr(transformers, architecture)(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("wavlm"))


@pytest.fixture(scope="module")
def encoder(checkpoint: Path) -> SpeakerEncoder:
    return SpeakerEncoder(str(checkpoint))


def test_a_clip_sounds_like_itself(encoder: SpeakerEncoder) -> None:
    same = encoder.similarity(spoken(), SAMPLE_RATE, spoken(), SAMPLE_RATE)
    assert same == pytest.approx(1.0)
    other = encoder.similarity(white_noise(2), SAMPLE_RATE, spoken(), SAMPLE_RATE)
    assert -1 <= other < same - 1e-4


def test_the_embedding_is_the_models(encoder: SpeakerEncoder, checkpoint: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")

    extractor = transformers.AutoFeatureExtractor.from_pretrained(checkpoint)
    model = transformers.WavLMForXVector.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        inputs = extractor(spoken(), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        expected = model(**inputs).embeddings[0].numpy()
    found = encoder.embed(spoken(), SAMPLE_RATE)
    assert found.shape == (24,)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert cosine(found, expected.astype(float)) == pytest.approx(1.0)


def test_clips_are_resampled(encoder: SpeakerEncoder) -> None:
    import soxr

    higher = np.asarray(soxr.resample(0.5 * spoken(), SAMPLE_RATE, 24_000), np.float32)
    right = encoder.similarity(higher, 24_000, spoken(), SAMPLE_RATE)
    wrong = encoder.similarity(higher, SAMPLE_RATE, spoken(), SAMPLE_RATE)
    assert right > 0.9999
    assert right > wrong


def test_relatives_load_too(tmp_path: Path) -> None:
    found = SpeakerEncoder(str(made(tmp_path, "Wav2Vec2ForXVector")))
    assert found.similarity(spoken(), SAMPLE_RATE, spoken(), SAMPLE_RATE) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [([1, 0], [0, 2], 0.0), ([1, 1], [2, 2], 1.0), ([1, 0], [-3, 0], -1.0), ([3, 4], [4, 3], 0.96)],
)
def test_cosine_by_hand(left: list[float], right: list[float], expected: float) -> None:
    assert cosine(np.array(left, float), np.array(right, float)) == pytest.approx(expected)


def test_zeros_have_no_direction() -> None:
    with pytest.raises(ValueError, match="no direction"):
        cosine(np.zeros(2), np.ones(2))


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(0), "0.5 s of speech"),
        (np.ones(7999) * 0.1, "0.5 s of speech"),
        (np.zeros(SAMPLE_RATE), "silent"),
        (np.full(SAMPLE_RATE, np.inf), "NaN or infinite"),
    ],
)
def test_nothing_of_nothing(encoder: SpeakerEncoder, sound: Samples, said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        encoder.embed(sound.astype(np.float32), SAMPLE_RATE)


def test_the_shortest_clip_has_an_embedding(encoder: SpeakerEncoder) -> None:
    assert np.isfinite(encoder.embed(white_noise(0.5), SAMPLE_RATE)).all()


def test_a_mere_encoder_is_refused(tmp_path: Path) -> None:
    # transformers would fill in the head at random, and every speaker would get a figure.
    with pytest.raises(NotMeasured, match="no speaker verification model: it lacks"):
        SpeakerEncoder(str(made(tmp_path, "WavLMModel")))


def test_another_kind_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "whisper"}))
    with pytest.raises(NotMeasured, match="transformers cannot load"):
        SpeakerEncoder(str(tmp_path))


def test_another_rate_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sampling_rate": 8000}))
    with pytest.raises(NotMeasured, match="hears 8000 Hz"):
        SpeakerEncoder(str(tmp_path))


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_checkpoint_that_is_not_whole_is_refused(
    tmp_path: Path, checkpoint: Path, file: str
) -> None:
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).unlink()
    with pytest.raises(NotMeasured, match=file):
        SpeakerEncoder(str(tmp_path))


def test_nothing_is_downloaded() -> None:
    with pytest.raises(NotMeasured, match="hf download nobody/nothing"):
        SpeakerEncoder("nobody/nothing")


def test_without_transformers(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(LibraryMissing, match=r"install model-lab\[transformers\]"):
        SpeakerEncoder(str(checkpoint))


# As the TTS task has it


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Sentences:
    """Four sentences, all but the last with a recording."""
    folder = tmp_path_factory.mktemp("recorded")
    soundfile.write(folder / "person.wav", spoken("good morning everyone"), SAMPLE_RATE)
    recording = {"audio_filepath": "person.wav"}
    lines = [{"id": str(n), "text": "hello", **(recording if n < 3 else {})} for n in range(4)]
    manifest = folder / "m.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return read_sentences(manifest)


def said(number: int, samples: Samples) -> Clip:
    line = Spoken(str(number), "hello", "x.wav", len(samples) / SAMPLE_RATE, SAMPLE_RATE, 0.1)
    return Clip(line, samples, SAMPLE_RATE, signal_quality(samples, SAMPLE_RATE, "hello"))


def test_the_tasks_figure_is_the_mean_over_recorded_clips(
    encoder: SpeakerEncoder, checkpoint: Path, recorded: Sentences
) -> None:
    clips = [spoken(), spoken("hello there"), np.zeros(SAMPLE_RATE, np.float32), spoken("bye bye")]
    sounds = [said(n, samples) for n, samples in enumerate(clips)]
    found = speaker_similarity(sounds, recorded, str(checkpoint), 5)["speaker_similarity"]
    person = recorded.rows[0].recording
    assert person is not None
    # The third is silent, and nobody recorded the fourth.
    expected = [
        encoder.similarity(clip, SAMPLE_RATE, person.load(), SAMPLE_RATE) for clip in clips[:2]
    ]
    assert found.value == pytest.approx(np.mean(expected))
    assert found.n == 2
    assert found.value is not None
    assert found.ci is not None
    assert found.ci[0] <= found.value <= found.ci[1]


def test_without_recordings_there_is_no_figure(checkpoint: Path, recorded: Sentences) -> None:
    nobody = Sentences("nobody", recorded.manifest, recorded.rows[3:])
    assert speaker_similarity([said(3, spoken())], nobody, str(checkpoint), 5) == {}


def test_a_figure_that_cannot_be_had_says_why(checkpoint: Path, recorded: Sentences) -> None:
    clip, short = said(0, spoken()), said(0, spoken()[3200:9600])
    for sounds, model, most, reason in (
        ([clip], "nobody/nothing", 5, "hf download nobody/nothing"),
        ([clip], str(checkpoint), 0, "no clips were to be rated"),
        ([], str(checkpoint), 5, "no clip is speech"),
        ([short], str(checkpoint), 5, "0.5 s of speech"),
    ):
        found = speaker_similarity(sounds, recorded, model, most)["speaker_similarity"]
        assert found.value is None
        assert reason in (found.reason or "")
