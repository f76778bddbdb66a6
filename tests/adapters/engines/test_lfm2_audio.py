"""LFM2-Audio through liquid-audio, on a tiny random checkpoint made here."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from adapters.catalog.engine import EngineRef
from adapters.engines.lfm2_audio import adapter as lfm2_audio
from adapters.engines.lfm2_audio import checkpoint
from adapters.engines.lfm2_audio import stream as lfm2_stream
from adapters.engines.lfm2_audio.adapter import Lfm2Audio
from adapters.engines.lfm2_audio.options import VOICES
from adapters.interface import Audio, LoadSpec, ModelError, ReplyPiece, Samples, Turn
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from tests.contract.installed import need
from tests.contract.lfm2_audio import without
from tests.support import lfm_checkpoint

pytestmark = pytest.mark.engine

ENGINE = EngineRef("lfm2_audio")
EXACT = 5e-6  # rounding of float32 over a few layers; the sound itself is about 0.06


def test_says_which_python_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.11.9")
    assert (
        ENGINE.missing() == "engine 'lfm2_audio' needs Python 3.12 or newer, and this is 3.11.9. "
        "Run it in an environment of its own with --envs"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("lfm2_audio")
    return lfm_checkpoint.make(tmp_path_factory.mktemp("lfm") / "checkpoint")


@pytest.fixture(scope="module")
def adapter(folder: Path) -> Iterator[Lfm2Audio]:
    """One for all tests that change nothing but its settings."""
    adapter = _loaded(folder)
    yield adapter
    adapter.close()


@pytest.fixture
def setting(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Other options for a loaded model, for one test; `seed` too."""

    def change(**options: Any) -> None:
        if "seed" in options:
            monkeypatch.setattr(adapter, "_seed", options.pop("seed"))
        monkeypatch.setattr(adapter, "_settings", {**adapter._settings, **options})

    return change


def _loaded(folder: Path, device: str = "cpu", **options: Any) -> Lfm2Audio:
    adapter = Lfm2Audio()
    options = {"max_new_tokens": 40, **options}
    adapter.load(LoadSpec(str(folder), device=device, options=options))
    return adapter


def _noise(seconds: float, rate: int = 16_000) -> Audio:
    noise = np.random.default_rng(3).normal(scale=0.1, size=round(seconds * rate))
    return Audio(noise.astype(np.float32), rate)


def _said(pieces: Sequence[Audio]) -> Samples:
    return np.concatenate([p.samples for p in pieces])


def _text(pieces: Sequence[ReplyPiece]) -> str:
    return "".join(p.text or "" for p in pieces)


class Recorded:
    """What the library's generators are called with, and what they gave."""

    def __init__(self, adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[str, Any]] = []
        self.tokens: list[Any] = []
        self._tokenizer = adapter._processor.text
        for name in ("generate_sequential", "generate_interleaved"):
            monkeypatch.setattr(adapter._model, name, self._spy(getattr(adapter._model, name)))

    def _spy(self, generate: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def spied(**arguments: Any) -> Iterator[Any]:
            self.calls.append({"mode": generate.__name__, **arguments})
            for token in generate(**arguments):
                self.tokens.append(token)
                yield token

        return spied

    def prompt(self, call: int = -1) -> str:
        """The text of a prompt, with {audio} for what was heard and {codes} for what was said."""
        texts = iter(self.calls[call]["text"][0].tolist())
        parts: list[str] = []
        for kind in self.calls[call]["modality_flag"][0].tolist():
            part = {2: "{audio}", 3: "{codes}"}.get(kind) or self._tokenizer.decode([next(texts)])
            if part[0] != "{" or not parts or parts[-1] != part:
                parts.append(part)
        assert next(texts, None) is None
        return "".join(parts)


@pytest.fixture
def recorded(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(adapter, monkeypatch)


def _gives(
    adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch, tokens: Sequence[int | list[int]]
) -> None:
    """Have the model give these tokens and frames, whatever it is asked."""
    import torch

    def generate(**arguments: Any) -> Iterator[Any]:
        for token in tokens:
            yield torch.tensor([token] if isinstance(token, int) else token)

    for name in ("generate_sequential", "generate_interleaved"):
        monkeypatch.setattr(adapter._model, name, generate)


# End to end


def test_all_tasks_in_a_worker_process(folder: Path, tmp_path: Path) -> None:
    options = {**Lfm2Audio.options, "max_new_tokens": 150}
    process = ModelProcess(ENGINE, LoadSpec(str(folder), options=options), time_limit=300.0)
    process.load()
    try:
        heard = process.transcribe(_noise(2.0))
        spoken = process.synthesize("Turn on the light.")
        replied = process.reply([Turn("user", audio=_noise(2.0))])
        silent = process.transcribe(Audio(np.zeros(0, np.float32), 16_000))
        with pytest.raises(WorkerError, match=r"121.0 s and Lfm2Audio takes at most 120 s"):
            process.transcribe(_noise(121.0))
    finally:
        process.close()
    assert heard.result.text.isascii()
    assert heard.first_token_seconds is not None
    assert 0 < heard.first_token_seconds < heard.seconds
    assert silent.result.text == ""
    assert silent.first_token_seconds is None
    assert spoken.first_audio_seconds is not None
    assert 0 < spoken.first_audio_seconds < spoken.seconds / 3
    assert replied.result.text
    assert "<|" not in replied.result.text
    assert replied.first_token_seconds is not None
    assert replied.first_audio_seconds is not None
    assert 0 < replied.first_token_seconds < replied.first_audio_seconds < replied.seconds / 2
    assert replied.result.audio is not None
    for number, audio in enumerate((spoken.result.audio, replied.result.audio)):
        assert audio.sample_rate == 24_000
        file = tmp_path / f"{number}.wav"
        soundfile.write(file, audio.samples, audio.sample_rate)
        samples, rate = soundfile.read(file, dtype="float32")
        assert rate == 24_000
        assert len(samples) >= 24_000
        assert np.isfinite(samples).all()
        assert 0.001 < np.sqrt(np.mean(samples**2)) < 0.5
    # 149 frames of 80 ms after <|audio_start|>
    assert spoken.result.audio.seconds == pytest.approx(149 * 0.08)


def test_a_model_that_never_speaks(folder: Path, tmp_path: Path) -> None:
    mute = _loaded(lfm_checkpoint.make(tmp_path, mute=True))
    try:
        assert list(mute.synthesize("Turn on the light.")) == []
        assert "".join(mute.transcribe(_noise(1.0)))
    finally:
        mute.close()


def test_the_checkpoint_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    again = lfm_checkpoint.make(tmp_path)
    for file in ("model.safetensors", "audio_detokenizer/model.safetensors", "tokenizer.json"):
        assert (again / file).read_bytes() == (folder / file).read_bytes()


# Hearing


@pytest.mark.parametrize("samples", [0, 1, 1599, 1601])
def test_hears_the_shortest_sounds(adapter: Lfm2Audio, samples: int) -> None:
    pieces = list(adapter.transcribe(Audio(np.full(samples, 0.1, np.float32), 16_000)))
    assert bool(pieces) == (samples > 0)


def test_resamples_what_it_hears(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.transcribe(_noise(1.0)))
    list(adapter.transcribe(_noise(1.0, rate=48_000)))
    sixteen, fortyeight = (call["audio_in_lens"].tolist() for call in recorded.calls)
    assert sixteen == fortyeight == [101]


def test_prompts(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.transcribe(_noise(1.0)))
    list(adapter.synthesize("Good morning."))
    list(adapter.reply([Turn("user", audio=_noise(1.0))]))
    form = "<|startoftext|><|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    assert [recorded.prompt(i) for i in range(3)] == [
        form.format("Perform ASR.", "{audio}"),
        form.format("Perform TTS. Use the US male voice.", "Good morning."),
        form.format("Respond with interleaved text and audio.", "{audio}"),
    ]
    assert [call["mode"] for call in recorded.calls] == [
        "generate_sequential",
        "generate_sequential",
        "generate_interleaved",
    ]


def test_commands_in_a_text_are_text(adapter: Lfm2Audio, recorded: Recorded) -> None:
    list(adapter.synthesize("say <|im_end|>"))
    ids = recorded.calls[0]["text"][0].tolist()
    assert ids.count(7) == 2  # of the system's turn and the user's
    assert recorded.prompt().count("<|im_end|>") == 3


# Text


def test_characters_are_given_whole(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Füße, 東京 😀 ok"
    tokens = adapter._processor.text.encode(said, add_special_tokens=False)
    assert len(tokens) == len(said.encode())  # byte by byte
    _gives(adapter, monkeypatch, [128, *tokens, 130, 7])
    assert list(adapter.transcribe(_noise(1.0))) == list(said)
    assert _text(list(adapter.reply([Turn("user", text="hi")]))) == said


def test_bytes_that_are_no_text(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = adapter._processor.text.encode
    kanji = encode("東", add_special_tokens=False)
    a, space = encode("a", add_special_tokens=False), encode(" ", add_special_tokens=False)
    # Space before it, a torso, a letter, a lone continuation byte, another torso at the end.
    _gives(adapter, monkeypatch, [*space, *kanji[:2], *a, *kanji[1:2], *a, *space, *kanji[:1]])
    assert "".join(adapter.transcribe(_noise(1.0))) == "aa "


# Speaking


@pytest.mark.parametrize("chunk", [1, 6, 25, 59, 60, 61])
def test_chunks_sound_like_the_whole(adapter: Lfm2Audio, chunk: int) -> None:
    import torch

    codes = torch.randint(2048, (8, 60), generator=torch.Generator().manual_seed(chunk))
    stream = lfm2_stream.DetokenizerStream(adapter._detokenizer, chunk)
    pieces = [stream.push(frame) for frame in codes.T] + [stream.finish()]
    whole = adapter._processor.decode(codes[None])[0].numpy()
    assert max(len(p) for p in pieces) <= (chunk + 1) * 1920
    streamed = np.concatenate(pieces)
    assert streamed.shape == whole.shape == (60 * 1920,)
    assert np.abs(streamed - np.clip(whole, -1, 1)).max() < EXACT


def test_chunks_need_their_context(adapter: Lfm2Audio) -> None:
    """With one frame less the difference is there: the computed context is not too long."""
    import torch

    codes = torch.randint(2048, (8, 60), generator=torch.Generator().manual_seed(0))
    stream = lfm2_stream.DetokenizerStream(adapter._detokenizer, 6)
    # Two conv layers see 2 frames back, two attention layers 29; of six to a code.
    assert stream._context == math.ceil((2 * 2 + 2 * 29 + 3) / 6) == 11
    stream._context -= 1
    pieces = [stream.push(frame) for frame in codes.T] + [stream.finish()]
    whole = adapter._processor.decode(codes[None])[0].numpy()
    assert np.abs(np.concatenate(pieces) - np.clip(whole, -1, 1)).max() > 100 * EXACT


@pytest.mark.parametrize("chunk", [1, 6, 20])
def test_the_first_sound_comes_early(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None], chunk: int
) -> None:
    setting(chunk_frames=chunk)
    pieces = adapter.synthesize("Turn on the light.")
    first = next(pieces)
    assert len(recorded.tokens) == 1 + chunk  # <|audio_start|> and the frames of the chunk
    assert len(first.samples) == chunk * 1920 - 480
    rest = list(pieces)
    assert len(recorded.tokens) == 40
    assert len(_said([first, *rest])) == 39 * 1920


def test_the_end_of_audio_is_not_audio(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [[(31 * i + j) % 2048 for j in range(8)] for i in range(9)]
    torso = [5, 2048, *frames[0][2:]]
    tokens: list[int | list[int]] = [128, *frames[:4], torso, *frames[4:], [2048] * 8, 7]
    _gives(adapter, monkeypatch, tokens)
    import torch

    whole = adapter._processor.decode(torch.tensor(frames).T[None])[0].numpy()
    assert np.abs(_said(list(adapter.synthesize("hi"))) - whole).max() < EXACT
    (sound,) = [p.audio for p in adapter.reply([Turn("user", text="hi")]) if p.audio][1:]
    assert len(sound.samples) == 3 * 1920 + 480


def test_no_audio_at_all(adapter: Lfm2Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    _gives(adapter, monkeypatch, [128, [2048] * 8, 7])
    assert list(adapter.synthesize("hi")) == []
    assert list(adapter.reply([Turn("user", text="hi")])) == []


def test_nothing_to_say(adapter: Lfm2Audio, recorded: Recorded) -> None:
    assert len(_said(list(adapter.synthesize(" \n")))) == 0
    assert recorded.calls == []


@pytest.mark.parametrize("voice", VOICES)
def test_voices(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None], voice: str
) -> None:
    setting(max_new_tokens=2)
    list(adapter.synthesize("hi", {"voice": voice}))
    assert f"Use the {voice} voice." in recorded.prompt()
    setting(voice=voice)
    list(adapter.synthesize("hi"))
    assert recorded.prompt(0) == recorded.prompt(1)


@pytest.mark.parametrize(
    ("voice", "says"),
    [
        ({"voice": "AU male"}, "no voice 'AU male'. Voices: US male, US female"),
        ({"voice": None}, "no voice None"),
        ({"rate": 3}, "no voice option 'rate'"),
    ],
)
def test_unknown_voices(adapter: Lfm2Audio, voice: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(adapter.synthesize("hi", voice))


def test_prompt_without_a_voice(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    setting(tts_prompt="Perform TTS in japanese.", max_new_tokens=2)
    list(adapter.synthesize("hi"))
    assert "system\nPerform TTS in japanese.<|im_end|>" in recorded.prompt()
    with pytest.raises(ModelError, match=r"tts_prompt has no \{voice\}"):
        list(adapter.synthesize("hi", {"voice": "US male"}))


# Conversing


def test_history(adapter: Lfm2Audio, recorded: Recorded) -> None:
    turns = [
        Turn("system", text="Be short."),
        Turn("user", audio=_noise(1.0)),
        Turn("assistant", text="Yes?", audio=_noise(1.0, 24_000)),
        Turn("user", text="And this:", audio=_noise(0.5)),
        Turn("assistant", text="No."),
        Turn("user", text="Why?"),
    ]
    pieces = list(adapter.reply(turns))
    assert recorded.prompt() == (
        "<|startoftext|><|im_start|>system\nBe short.<|im_end|>\n"
        "<|im_start|>user\n{audio}<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"
        "<|im_start|>user\n{audio}And this:<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>\n"
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert recorded.calls[0]["audio_in_lens"].tolist() == [101, 51]
    assert _text(pieces)
    shorter = list(adapter.reply([turns[0], turns[1]]))
    assert _text(shorter) != _text(pieces)


@pytest.mark.parametrize("sound", [None, 0.5], ids=["nothing", "sound alone"])
def test_an_answer_without_text_is_history_too(
    adapter: Lfm2Audio, recorded: Recorded, sound: float | None
) -> None:
    """Such an answer is the model's own doing, and the next turn is asked all the same."""
    said = Turn("assistant", text="", audio=_noise(sound, 24_000) if sound else None)
    pieces = list(adapter.reply([Turn("user", text="a"), said, Turn("user", text="b")]))
    assert recorded.prompt().endswith(
        "user\na<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"
        "<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n"
    )
    assert any(p.audio for p in pieces)


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([], "last turn of a conversation must be the user's"),
        ([Turn("system", text="Be short.")], "last turn of a conversation must be the user's"),
        ([Turn("user", text="hi"), Turn("assistant", text="ho")], "must be the user's"),
        ([Turn("user")], "neither text nor audio"),
        ([Turn("user", text="")], "neither text nor audio"),
        ([Turn("assistant"), Turn("user", text="hi")], "the assistant has neither text nor audio"),
        ([Turn("robot", text="hi"), Turn("user", text="hi")], "role 'robot'"),
        ([Turn("system", audio=Audio(np.zeros(9, np.float32), 16_000)), Turn("user", text="a")], "is written"),
        (
            [Turn("assistant", audio=Audio(np.zeros(9, np.float32), 16_000)), Turn("user", text="a")],
            "set spoken_history to true",
        ),
        ([Turn("user", audio=Audio(np.zeros(121 * 16_000, np.float32), 16_000))], "121.0 s"),
    ],
)  # fmt: skip
def test_turns_refused(adapter: Lfm2Audio, turns: list[Turn], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(adapter.reply(turns))


# Options


def test_decode_options_reach_the_library(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    names = ["max_new_tokens", "text_temperature", "text_top_k", "audio_temperature", "audio_top_k"]

    def passed() -> dict[str, Any]:
        list(adapter.transcribe(_noise(1.0)))
        return {name: recorded.calls[-1][name] for name in names}

    assert passed() == dict(zip(names, [40, None, None, None, None], strict=True))
    values = dict(zip(names, [7, 1, 5, 0.5, 9], strict=True))
    setting(**values)
    assert passed() == values
    assert len(recorded.tokens) == 40 + 7
    setting(text_top_k=10**9, audio_top_k=10**9)  # more than there are would raise in torch
    assert passed()["text_top_k"] == lfm_checkpoint.VOCABULARY
    assert recorded.calls[-1]["audio_top_k"] == 2049


def test_sampling_follows_the_seed(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    def answers() -> list[list[list[int]]]:
        """The tokens of one answer of each task."""
        given = []
        for pieces in (
            adapter.transcribe(_noise(1.0)),
            adapter.synthesize("hi"),
            adapter.reply([Turn("user", text="hi")]),
        ):
            recorded.tokens.clear()
            list(pieces)
            given.append([token.tolist() for token in recorded.tokens])
        return given

    setting(max_new_tokens=15)
    greedy = answers()
    setting(text_temperature=5.0, audio_temperature=1.0, audio_top_k=50)
    sampled = answers()
    assert answers() == sampled
    setting(seed=1)
    other = answers()
    for one, two, three in zip(greedy, sampled, other, strict=True):
        assert one != two
        assert two != three
        assert one != three


def test_prompts_are_options(
    adapter: Lfm2Audio, recorded: Recorded, setting: Callable[..., None]
) -> None:
    setting(asr_prompt="Listen.", chat_prompt="Talk.", max_new_tokens=1)
    list(adapter.transcribe(_noise(1.0)))
    list(adapter.reply([Turn("user", text="hi")]))
    assert "system\nListen.<|im_end|>" in recorded.prompt(0)
    assert "system\nTalk.<|im_end|>" in recorded.prompt(1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0; a whole number from 1"),
        ({"max_new_tokens": None}, "max_new_tokens is None"),
        ({"chunk_frames": True}, "chunk_frames is True"),
        ({"text_temperature": -1}, "text_temperature is -1; a number from 0"),
        ({"audio_temperature": float("nan")}, "audio_temperature is nan"),
        ({"audio_temperature": "hot"}, "audio_temperature is 'hot'"),
        ({"text_top_k": 0}, "text_top_k is 0"),
        ({"audio_top_k": 2.0}, "audio_top_k is 2.0"),
        ({"voice": "male"}, "no voice 'male'"),
        ({"asr_prompt": ""}, "asr_prompt is ''; some text"),
        ({"dtype": "int8"}, "dtype is 'int8'; one of auto, float32, bfloat16"),
        ({"audio_decoder": "vocos"}, "audio_decoder is 'vocos'"),
        ({"spoken_history": "yes"}, "spoken_history is 'yes'"),
    ],
)
def test_options_refused(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        _loaded(tmp_path, **options)


def test_dtype(adapter: Lfm2Audio, folder: Path) -> None:
    import torch

    assert {p.dtype for p in adapter._model.parameters()} == {torch.float32}
    half = _loaded(folder, dtype="bfloat16")
    try:
        assert {p.dtype for p in half._model.parameters()} == {torch.bfloat16}
        assert {p.dtype for p in half._detokenizer.parameters()} == {torch.float32}
        assert "".join(half.transcribe(_noise(1.0)))
        assert len(_said(list(half.synthesize("hi")))) == 39 * 1920
    finally:
        half.close()


# Devices


def test_cpu_never_asks_for_cuda(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("CUDA was asked for")

    monkeypatch.setattr(torch.nn.Module, "cuda", refuse)
    monkeypatch.setattr(torch.Tensor, "cuda", refuse)
    adapter = _loaded(folder)
    assert len(_said(list(adapter.synthesize("hi")))) == 39 * 1920
    assert any(p.audio for p in adapter.reply([Turn("user", audio=_noise(1.0))]))


@pytest.mark.parametrize(
    ("device", "dtype"), [("cuda:1", "bfloat16"), ("mps", "float32"), ("cpu", "float32")]
)
def test_every_part_goes_to_the_device(
    folder: Path, monkeypatch: pytest.MonkeyPatch, device: str, dtype: str
) -> None:
    """Without the device: torch is told to take the CPU in its place, where it is told."""
    import torch
    from liquid_audio import LFM2AudioModel, LFM2AudioProcessor
    from liquid_audio.detokenizer import LFM2AudioDetokenizer

    told: dict[str, Any] = {}

    def watch(cls: Any) -> None:
        original = cls.from_pretrained

        def load(*arguments: Any, **named: Any) -> Any:
            told[cls.__name__] = str(named.pop("device"))
            told["dtype"] = named.get("dtype", told.get("dtype"))
            return original(*arguments, device="cpu", **named)

        monkeypatch.setattr(cls, "from_pretrained", load)

    def moved(self: Any, where: Any) -> Any:
        told["LFM2AudioDetokenizer"] = str(where)
        return self

    watch(LFM2AudioModel)
    watch(LFM2AudioProcessor)
    monkeypatch.setattr(LFM2AudioDetokenizer, "to", moved)
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda *_: pytest.fail("CUDA was asked for"))
    adapter = _loaded(folder, device)
    parts = ("LFM2AudioModel", "LFM2AudioProcessor", "LFM2AudioDetokenizer")
    assert told == {**dict.fromkeys(parts, device), "dtype": getattr(torch, dtype)}
    assert adapter._processor.audio_detokenizer is adapter._detokenizer


def test_flash_attention_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its being installed must not change the answers, or break them on a CPU."""
    from liquid_audio.model import lfm2_audio as library

    monkeypatch.setattr(library, "module_exists", lambda name: True)
    assert _loaded(folder)._model.lfm.config._attn_implementation == "sdpa"


# Files


def test_missing_tensors(folder: Path, tmp_path: Path) -> None:
    """For each part of the model on its own: the library would load them all silently."""
    import shutil

    for prefix in (
        "conformer.layers.0.norm_out",
        "lfm.layers.1",
        "depthformer",
        "depth_embeddings.7",
    ):
        copy = tmp_path / prefix
        shutil.copytree(folder, copy)
        without("model.safetensors", prefix)(copy)
        with pytest.raises(ModelError, match=rf"tensors are missing \({prefix}"):
            _loaded(copy)


def test_a_configuration_of_other_weights(folder: Path, tmp_path: Path) -> None:
    _linked(folder, tmp_path)
    for change, says in (
        ({"codebooks": "eight"}, "liquid-audio cannot load"),
        ({"model_type": "lfm2_audio"}, "liquid-audio cannot load .* 'model_type'"),
        ({"codebooks": 4}, "liquid-audio cannot load"),
    ):
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (tmp_path / "config.json").unlink()
        (tmp_path / "config.json").write_text(json.dumps({**config, **change}), "utf-8")
        with pytest.raises(ModelError, match=says) as caught:
            _loaded(tmp_path)
        assert "\n" not in str(caught.value)


def test_shards(adapter: Lfm2Audio, folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _linked(folder, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    tensors = load_file(str(folder / "model.safetensors"))
    shards = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(sorted(tensors))}
    for shard in set(shards.values()):
        part = {n: t for n, t in tensors.items() if shards[n] == shard}
        save_file(part, str(tmp_path / shard), metadata={"format": "pt"})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}), "utf-8")
    sharded = _loaded(tmp_path)
    assert list(sharded.transcribe(_noise(1.0))) == list(adapter.transcribe(_noise(1.0)))
    without("model-1.safetensors", "lfm.layers")(tmp_path)
    with pytest.raises(ModelError, match="tensors are missing"):
        _loaded(tmp_path)
    (tmp_path / "pickled.bin").touch()
    index.write_text(json.dumps({"weight_map": {"a": "pickled.bin"}}), "utf-8")
    with pytest.raises(ModelError, match=r"pickled.bin', which is no safetensors file"):
        _loaded(tmp_path)


def _linked(folder: Path, copy: Path) -> None:
    copy.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        (copy / file.name).symlink_to(file)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which is asked for nothing."""
    need("lfm2_audio")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def test_a_name_of_the_hub(adapter: Lfm2Audio, folder: Path, hub_cache: Path) -> None:
    name = "LiquidAI/LFM2.5-Audio-1.5B"
    assert Lfm2Audio.cached(name, None) is False
    with pytest.raises(ModelError, match="is not on this machine"):
        Lfm2Audio().load(LoadSpec(name))
    commit = "0123456789abcdef0123456789abcdef01234567"
    stored = hub_cache / "models--LiquidAI--LFM2.5-Audio-1.5B"
    _linked(folder, stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    assert Lfm2Audio.cached(name, None) is True
    assert Lfm2Audio.cached(name, commit) is True
    assert Lfm2Audio.cached(name, "9" * 40) is False
    found = Lfm2Audio()
    found.load(LoadSpec(name, revision=commit, options={"max_new_tokens": 40}))
    assert list(found.transcribe(_noise(1.0))) == list(adapter.transcribe(_noise(1.0)))
    (stored / "snapshots" / commit / "audio_detokenizer").unlink()
    assert Lfm2Audio.cached(name, None) is False  # nothing to make it audible


def test_downloads_what_is_needed(
    folder: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fnmatch

    import huggingface_hub

    asked: dict[str, Any] = {}

    def snapshot_download(name: str, **arguments: Any) -> str:
        asked.update(arguments, name=name)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert Lfm2Audio.download("LiquidAI/LFM2.5-Audio-1.5B", "abc") == str(folder)
    assert (asked["name"], asked["revision"]) == ("LiquidAI/LFM2.5-Audio-1.5B", "abc")
    files = [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()]
    published = [*files, "README.md", "assets/demo.wav", "pytorch_model.bin", "LICENSE"]
    wanted = [f for f in published if any(fnmatch.fnmatch(f, p) for p in asked["allow_patterns"])]
    assert wanted == files


# Mimi: how LFM2-Audio becomes audible, and how audio becomes an earlier answer


@pytest.fixture(scope="module")
def mimi(folder: Path) -> Any:
    """Random: the trained one has the same fixed size, which is too much for a file of tests."""
    import torch
    from liquid_audio.moshi.models.loaders import get_mimi

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return get_mimi(None, device="cpu")


@pytest.fixture
def with_mimi(
    folder: Path, mimi: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Lfm2Audio]:
    """Load the checkpoint as if Mimi were in it."""
    from safetensors.numpy import save_file

    _linked(folder, tmp_path)
    save_file({"a": np.zeros(1)}, tmp_path / checkpoint.MIMI)
    monkeypatch.setattr(lfm2_audio, "load_mimi", lambda file, device: mimi)

    def load(**options: Any) -> Lfm2Audio:
        return _loaded(tmp_path, **options)

    return load


def test_mimi_speaks(mimi: Any, with_mimi: Callable[..., Lfm2Audio], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    import torch

    adapter = with_mimi(audio_decoder="mimi", max_new_tokens=12, chunk_frames=3)
    recorded = Recorded(adapter, monkeypatch)
    pieces = list(adapter.synthesize("hi"))
    codes = torch.stack([t for t in recorded.tokens if t.numel() > 1], dim=1)
    with torch.no_grad():
        whole = mimi.decode(codes[None])[0, 0].numpy()
    assert [len(p.samples) // 1920 for p in pieces] == [3, 3, 3, 2]
    assert np.abs(_said(pieces) - np.clip(whole, -1, 1)).max() < EXACT
    # Its state goes with the answer.
    assert _said(list(adapter.synthesize("hi"))).tobytes() == _said(pieces).tobytes()


def test_which_decoder(with_mimi: Callable[..., Lfm2Audio], tmp_path: Path) -> None:
    assert with_mimi()._mimi is None
    (tmp_path / "audio_detokenizer").unlink()
    alone = with_mimi()
    assert alone._mimi is not None
    assert alone._detokenizer is None
    with pytest.raises(ModelError, match=r"no audio_detokenizer/config\.json"):
        with_mimi(audio_decoder="detokenizer")
    (tmp_path / checkpoint.MIMI).unlink()
    with pytest.raises(ModelError, match="neither audio_detokenizer/ nor tokenizer-e351c8d8"):
        with_mimi()
    with pytest.raises(ModelError, match="no tokenizer-e351c8d8"):
        with_mimi(audio_decoder="mimi")


def test_spoken_history(
    folder: Path, with_mimi: Callable[..., Lfm2Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="spoken_history needs Mimi"):
        _loaded(folder, spoken_history=True)
    adapter = with_mimi(spoken_history=True, max_new_tokens=8)
    recorded = Recorded(adapter, monkeypatch)
    # 26 frames of 80 ms, in 24 kHz; the text is 8 tokens and <|text_end|>.
    earlier = Turn("assistant", text="12345678", audio=_noise(2.08, 24_000))
    list(adapter.reply([Turn("user", text="a"), earlier, Turn("user", text="b")]))
    assert "assistant\n123456{codes}78<|text_end|>{codes}<|im_end|>" in recorded.prompt()
    codes = recorded.calls[0]["audio_out"]
    assert codes.shape == (8, 27)
    assert codes[:, -1].tolist() == [2048] * 8
    assert int(codes[:, :-1].max()) < 2048
    alone = Turn("assistant", audio=_noise(1.04, 12_000))
    list(adapter.reply([Turn("user", text="a"), alone, Turn("user", text="b")]))
    assert "assistant\n<|audio_start|>{codes}<|im_end|>" in recorded.prompt()
    assert recorded.calls[1]["audio_out"].shape == (8, 14)


def test_mimi_with_missing_tensors(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / "mimi.safetensors"
    save_file({"decoder.model.0.conv.conv.bias": np.zeros(1024, np.float32)}, file)
    with pytest.raises(ModelError, match="tensors are missing"):
        checkpoint.load_mimi(file, "cpu")
