"""DNSMOS and UTMOS: the values of the networks themselves, and nothing from nothing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.interface import Samples
from evals.measures.sound import mos
from evals.measures.sound.mos import SEGMENT_SECONDS, Utmos, dnsmos, p808_features, segments
from evals.measures.sound.optional import LibraryMissing, NotMeasured
from evals.measures.sound.signal_quality import signal_quality
from evals.records.spoken import Spoken
from evals.tasks.tts.clips import Clip
from evals.tasks.tts.scores import naturalness, ratings
from fixtures.audio.read import SAMPLE_RATE
from tests.contract.installed import need
from tests.support.speech_faults import TEXT, human, need_libraries, noisy, spoken, white_noise

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    # The last two only for speechmos's own code.
    need_libraries("speechmos", "onnxruntime", "librosa", "requests")


def direct(samples: Samples) -> list[float]:
    from speechmos import dnsmos as package

    found = package.run(samples, SAMPLE_RATE)
    return [float(found[key]) for key in ("sig_mos", "bak_mos", "ovrl_mos", "p808_mos")]


def ours(samples: Samples, **options: Any) -> list[float]:
    found = dnsmos(samples, SAMPLE_RATE, **options)
    return [found.speech, found.background, found.overall, found.p808]


# 5 s are one segment, doubled; less than 1 s three of the clip over and over.
@pytest.mark.parametrize(("text", "seconds"), [(TEXT * 2, 5.0), ("good morning", 0.7)])
def test_values_are_the_librarys(text: str, seconds: float) -> None:
    clip = spoken(text)[: round(seconds * SAMPLE_RATE)]
    assert len(clip) == round(seconds * SAMPLE_RATE)
    assert ours(clip) == pytest.approx(direct(clip), abs=1e-4)


def test_values_are_the_librarys_beyond_one_segment() -> None:
    clip = np.concatenate([spoken()] * 4)[: 11 * SAMPLE_RATE + 123]
    assert dnsmos(clip, SAMPLE_RATE).all_segments == 2
    assert ours(clip) == pytest.approx(direct(clip), abs=1e-4)


def test_values_are_the_librarys_on_human_speech() -> None:
    for sound in (sound[: 5 * SAMPLE_RATE] for sound in human(3, shortest=5)):
        assert ours(sound) == pytest.approx(direct(sound), abs=1e-4)


def clip_of(samples: Samples) -> Clip:
    line = Spoken("x", TEXT, "x.wav", len(samples) / SAMPLE_RATE, SAMPLE_RATE, 0.1)
    return Clip(line, samples, SAMPLE_RATE, signal_quality(samples, SAMPLE_RATE, TEXT))


def test_the_tasks_figures_are_the_librarys_on_human_speech() -> None:
    # Of 5 s each, which are one segment: that is all that the task rates of a clip.
    sounds = [sound[: 5 * SAMPLE_RATE] for sound in human(3, shortest=5)]
    figures = ratings([clip_of(sound) for sound in sounds], most=3)
    expected = np.mean([direct(sound) for sound in sounds], axis=0)
    names = ("dnsmos_speech", "dnsmos_background", "dnsmos_overall", "dnsmos_p808")
    for name, value in zip(names, expected, strict=True):
        assert figures[name].n == 3
        assert figures[name].value == pytest.approx(value, abs=1e-4)


def test_features_are_librosas() -> None:
    import librosa

    clip = np.tile(spoken(), 4)[: round(9 * SAMPLE_RATE)]
    mel = librosa.feature.melspectrogram(
        y=clip, sr=SAMPLE_RATE, n_fft=321, hop_length=160, n_mels=120
    )
    expected = (librosa.power_to_db(mel, ref=np.max).T + 40) / 40
    assert p808_features(clip) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, 0),
        (9.01, 1),
        (9.99, 1),
        (10.0, 1),
        (11.0, 2),
        (11.99, 2),
        (12.0, 3),
        (5.0, 1),
        (4.0, 7),
        (3.0, 3),
        (1.2, 1),
    ],
)
def test_segments_by_hand(seconds: float, expected: int) -> None:
    # One per whole second that leaves 9.01 s after it, of the clip doubled until it has that.
    assert segments(seconds) == expected


@pytest.mark.parametrize("seconds", [0.7, 1.0, 2.3, 3.1, 4.504, 4.505, 8.0, 9.0, 12.5])
def test_segments_are_those_that_are_rated(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    class Network:
        def __init__(self, outputs: Any) -> None:
            self.outputs = outputs

        def run(self, names: None, inputs: dict[str, Any]) -> list[Any]:
            runs.append(inputs["input_1"].shape[1])
            return [self.outputs]

    fakes = (Network(np.array([[1.0, 1.0, 1.0]])), Network(np.array([[2.0]])))
    monkeypatch.setattr(mos, "_networks", lambda: fakes)
    found = dnsmos(np.tile(spoken(), 5)[: round(seconds * SAMPLE_RATE)], SAMPLE_RATE)
    assert found.segments == found.all_segments == segments(seconds)
    assert runs == [round(SEGMENT_SECONDS * SAMPLE_RATE), 900] * found.segments


def test_fewer_segments_are_near_and_said() -> None:
    sound = spoken("good morning to all of you and a very warm welcome to our show")
    whole = dnsmos(sound, SAMPLE_RATE)
    one = dnsmos(sound, SAMPLE_RATE, most_segments=1)
    assert whole.segments == whole.all_segments == one.all_segments > 1
    assert one.segments == 1
    assert one.overall == pytest.approx(whole.overall, abs=0.3)
    assert one.overall != whole.overall


def test_more_noise_is_worse() -> None:
    _assert_ranked(spoken())


def test_more_noise_is_worse_on_human_speech() -> None:
    for sound in human(2, longest=5):
        _assert_ranked(sound)


def _assert_ranked(sound: Samples) -> None:
    found = [dnsmos(noisy(sound, db), SAMPLE_RATE, most_segments=1) for db in (20, 10, 0)]
    for name in ("overall", "background"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values, reverse=True), name
        assert len(set(values)) == 3, name


def test_noise_alone_is_bad() -> None:
    noise = dnsmos(white_noise(9.1), SAMPLE_RATE)
    speech = dnsmos(spoken(), SAMPLE_RATE, most_segments=1)
    assert noise.overall < 1.5 < speech.overall


def test_samples_beyond_full_scale_are_cut() -> None:
    loud = np.asarray(3 * spoken(), np.float32)
    assert ours(loud, most_segments=1) == ours(np.clip(loud, -1, 1), most_segments=1)


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(SAMPLE_RATE), np.full(100, np.nan)])
def test_nothing_of_nothing(sound: Samples) -> None:
    with pytest.raises(NotMeasured, match=r"silent|NaN"):
        dnsmos(sound.astype(np.float32), SAMPLE_RATE)


def test_the_networks_are_loaded_once_with_one_thread() -> None:
    dnsmos(spoken(), SAMPLE_RATE, most_segments=1)
    loaded = mos._networks()
    assert mos._networks() is loaded
    for network in loaded:
        options = network.get_session_options()
        assert options.intra_op_num_threads == options.inter_op_num_threads == 1


@pytest.fixture
def _unloaded() -> Any:
    mos._networks.cache_clear()
    yield
    mos._networks.cache_clear()


@pytest.mark.usefixtures("_unloaded")
def test_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(LibraryMissing, match=r"model-lab\[quality\] \(onnxruntime is not"):
        dnsmos(spoken(), SAMPLE_RATE)


@pytest.mark.usefixtures("_unloaded")
def test_without_speechmos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LibraryMissing, match=r"\(speechmos is not installed\)"):
        dnsmos(spoken(), SAMPLE_RATE)


def test_no_librosa_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    # It takes seconds to start, and hundreds of megabytes.
    monkeypatch.setitem(sys.modules, "librosa", None)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", None)
    assert dnsmos(spoken(), SAMPLE_RATE, most_segments=1).segments == 1


# UTMOS: networks made here, whose answers are known


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TorchScript files: right ones with and without the rate, and what else can be in a file."""
    need("transformers_asr")
    torch: Any = importlib.import_module("torch")
    folder = tmp_path_factory.mktemp("utmos")
    source = {
        # Three plus the mean of the wave, doubled: by hand, 3.5 for a wave whose mean is 0.25.
        "waves": "def forward(self, wave):\n    return 3 + 2 * wave.mean(dim=1)",
        "seconds": "def forward(self, wave, rate: int):\n"
        "    return torch.ones(1) * (float(wave.shape[1]) / float(rate))",
        "scalar": "def forward(self, wave):\n    return 2.5",
        "many": "def forward(self, wave):\n    return wave",
        "nan": "def forward(self, wave):\n    return wave.sum() * float('nan')",
        "raises": "def forward(self, wave):\n    return wave.reshape(7, 11, 13)",
        "three": "def forward(self, wave, rate: int, more: int):\n    return wave.mean()",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has a newer format
        for name, forward in source.items():
            module = type(f"Made{name}", (torch.jit.ScriptModule,), {})()
            module.define(f"{forward}\n")
            torch.jit.save(module, folder / f"{name}.pt")
    torch.save({"weights": torch.zeros(1)}, folder / "weights.pt")
    (folder / "text.pt").write_text("nothing of the kind", encoding="utf-8")
    return folder


def test_utmos_is_the_networks_answer(networks: Path) -> None:
    wave = np.tile(np.array([0.75, -0.25], np.float32), 8000)
    assert Utmos(networks / "waves.pt").rate(wave, SAMPLE_RATE) == pytest.approx(3.5)
    assert Utmos(networks / "scalar.pt").rate(wave, SAMPLE_RATE) == 2.5
    # What takes the rate gets that of the wave it is given, which was resampled.
    seconds = Utmos(networks / "seconds.pt")
    assert seconds.rate(wave, SAMPLE_RATE) == 1
    assert seconds.rate(np.tile(spoken(), 3)[:48_000], 48_000) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("many", "no single number"),
        ("nan", "no single number"),
        ("raises", r"raises\.pt fails: .*shape"),
        ("three", "takes 3 arguments"),
        ("weights", "no network in TorchScript"),
        ("text", "no network in TorchScript"),
    ],
)
def test_what_is_no_utmos_is_refused(networks: Path, name: str, said: str) -> None:
    with pytest.raises(NotMeasured, match=said):
        Utmos(networks / f"{name}.pt").rate(spoken(), SAMPLE_RATE)


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(SAMPLE_RATE), np.full(100, np.nan)])
def test_no_utmos_of_nothing(networks: Path, sound: Samples) -> None:
    with pytest.raises(NotMeasured, match=r"silent|NaN"):
        Utmos(networks / "waves.pt").rate(sound.astype(np.float32), SAMPLE_RATE)


def test_utmos_of_a_voice(networks: Path) -> None:
    sounds = [clip_of(spoken()[: n * SAMPLE_RATE // 2]) for n in (2, 3, 4)]
    sounds.append(clip_of(np.zeros(SAMPLE_RATE, np.float32)))
    found = naturalness(sounds, 5, networks / "seconds.pt")["utmos"]
    assert found.value == pytest.approx(1.5)
    assert found.n == 3  # silence is rated by nobody
    assert found.ci is not None
    fewer = naturalness(sounds, 2, networks / "seconds.pt")["utmos"]
    assert fewer.value == pytest.approx(1.5)
    assert fewer.n == 2


def test_utmos_that_cannot_be_had_says_why(networks: Path) -> None:
    clip = clip_of(spoken())
    for sounds, most, network, said in (
        ([clip], 5, None, "--utmos or MODEL_LAB_UTMOS"),
        ([clip], 0, networks / "waves.pt", "no clips were to be rated"),
        ([clip], 5, networks / "text.pt", "no network in TorchScript"),
        ([clip], 5, networks / "nan.pt", "no single number"),
        ([replace(clip, samples=clip.samples[:0])], 5, networks / "waves.pt", "no clip is speech"),
    ):
        found = naturalness(sounds, most, network)["utmos"]
        assert found.value is None
        assert said in (found.reason or "")


def test_utmos_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = naturalness([clip_of(spoken())], 5, tmp_path / "some.pt")["utmos"]
    assert found.value is None
    assert "install model-lab[transformers] (torch is not installed)" in (found.reason or "")
