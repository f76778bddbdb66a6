"""LFM2.5-Audio and LFM2-Audio through liquid-audio: hearing, speaking and conversing.

One model writes text tokens and frames of eight audio codes in one stream. Text goes out as
soon as its characters are whole. Frames become sound at 24 kHz in chunks, through the
checkpoint's detokenizer (LFM2.5) or the Mimi codec (LFM2), in a way that the chunks put
together are the decoding of the whole answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol
from unittest import mock

import numpy as np

from adapters import hub
from adapters.interface import (
    Adapter,
    Audio,
    LoadSpec,
    ModelError,
    Options,
    ReplyPiece,
    Samples,
    Turn,
)

SAMPLE_RATE = 24_000  # of what it says
VOICES = ("US male", "US female", "UK male", "UK female")

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_MIMI = "tokenizer-e351c8d8-checkpoint125.safetensors"
_DETOKENIZER = "audio_detokenizer"
_REQUIRED = ("config.json", "tokenizer.json")
_PATTERNS = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template*", "model*.safetensors", _INDEX, _MIMI, f"{_DETOKENIZER}/*",
)  # fmt: skip

_TEXT_END = "<|text_end|>"
_END_OF_AUDIO = 2048  # the first code that is no sound
#: Shorter sound than this leaves the encoder without a frame, so it is padded with silence.
_SHORTEST = 1600  # samples at 16 kHz
_HEARING_RATE = 16_000


class Lfm2Audio(Adapter):
    """LFM2.5-Audio-1.5B, LFM2-Audio-1.5B and checkpoints tuned from them.

    max_new_tokens: text tokens plus audio frames (80 ms each) that one answer may have.
    text_temperature, text_top_k, audio_temperature, audio_top_k: sampling, seeded anew for
    every answer; temperature 0 takes the likeliest, top_k None considers all.
    voice: of synthesize() and in place of {voice} in tts_prompt, one of VOICES.
    asr_prompt, tts_prompt, chat_prompt: the system prompt of each task; a conversation that
    begins with a system turn has that one instead.
    dtype: of the model, "float32", "bfloat16" or "auto", which is bfloat16 on CUDA. The
    decoder of its audio always computes in float32.
    audio_decoder: "detokenizer", "mimi", or "auto": the detokenizer where the checkpoint has
    one. chunk_frames: audio frames that are decoded at once, and the first of them before
    anything can be played.
    spoken_history: whether an assistant's turn that has audio is given back as audio (which
    needs Mimi to encode it, and is what the model was trained on) or as its text alone.
    """

    extra = "lfm"
    modules = ("liquid_audio",)
    python = "3.12"
    devices = ("cuda", "mps", "cpu")
    streams = ("asr", "tts", "chat")
    #: The encoder attends from every frame to every other one: at the published width that took
    #: 0.9 GiB for 120 s and 5.5 GiB for 400 s. What it can follow of that, nobody has published.
    longest_audio = 120.0
    options: ClassVar[Options] = {
        "max_new_tokens": 1024,
        "text_temperature": 0.0,
        "text_top_k": None,
        "audio_temperature": 0.0,
        "audio_top_k": None,
        "voice": "US male",
        "asr_prompt": "Perform ASR.",
        "tts_prompt": "Perform TTS. Use the {voice} voice.",
        "chat_prompt": "Respond with interleaved text and audio.",
        "dtype": "auto",
        "audio_decoder": "auto",
        "chunk_frames": 6,
        "spoken_history": False,
    }

    @classmethod
    def check(cls, options: Options) -> None:
        _check_options(options)

    def load(self, spec: LoadSpec) -> None:
        settings = {**self.options, **spec.options}
        _check_options(settings)
        folder = hub.folder(
            spec.checkpoint, spec.revision, required=_REQUIRED, patterns=_PATTERNS
        ).resolve()
        self.loaded_from = str(folder)
        # All that can be seen in the files comes before the imports, which take seconds.
        _check_folder(folder)
        decoder = _which_decoder(folder, settings["audio_decoder"])
        if settings["spoken_history"] and not (folder / _MIMI).is_file():
            raise ModelError(
                f"{folder}: spoken_history needs Mimi to encode audio, and there is no {_MIMI}; "
                "set spoken_history to false"
            )

        import torch

        torch.set_num_threads(spec.threads)
        self._settings = settings
        self._seed = spec.seed
        self._device = torch.device(spec.device)
        self._dtype = _dtype(settings["dtype"], self._device.type)
        self._model, self._processor = _load_model(folder, self._device, self._dtype)
        self._mimi: Any = None
        self._detokenizer: Any = None
        if decoder == "detokenizer":
            self._detokenizer = _load_detokenizer(folder / _DETOKENIZER, self._device)
            # Where the library's own decode() looks before it builds one on CUDA.
            self._processor._audio_detokenizer = self._detokenizer
        if decoder == "mimi" or settings["spoken_history"]:
            self._mimi = _load_mimi(folder / _MIMI, self._device)
        self._unspoken = _unspoken_ids(self._processor.text)

    def transcribe(self, audio: Audio) -> Iterator[str]:
        if len(audio.samples) == 0:
            return
        chat = self._conversation(self._settings["asr_prompt"])
        chat.new_turn("user")
        self._add_audio(chat, audio)
        chat.end_turn()
        chat.new_turn("assistant")
        text = _Text(self._processor.text, self._unspoken)
        for token in self._generate(chat, interleaved=False):
            if token.numel() == 1 and (piece := text.push(int(token))):
                yield piece

    def synthesize(self, text: str, voice: Options | None = None) -> Iterator[Audio]:
        prompt = self._speaking_prompt(voice or {})
        if not text.strip():  # there is nothing to say, and the model would make something up
            yield Audio(np.zeros(0, np.float32), SAMPLE_RATE)
            return
        chat = self._conversation(prompt)
        chat.new_turn("user")
        self._add_text(chat, text)
        chat.end_turn()
        chat.new_turn("assistant")
        with self._decoding() as sound:
            for token in self._generate(chat, interleaved=False):
                if token.numel() > 1 and len(samples := sound.push(token)):
                    yield Audio(samples, SAMPLE_RATE)
            if len(samples := sound.finish()):
                yield Audio(samples, SAMPLE_RATE)

    def reply(self, turns: Sequence[Turn]) -> Iterator[ReplyPiece]:
        chat = self._history(turns)
        chat.new_turn("assistant")
        text = _Text(self._processor.text, self._unspoken)
        with self._decoding() as sound:
            for token in self._generate(chat, interleaved=True):
                if token.numel() == 1:
                    if piece := text.push(int(token)):
                        yield ReplyPiece(text=piece)
                elif len(samples := sound.push(token)):
                    yield ReplyPiece(audio=Audio(samples, SAMPLE_RATE))
            if len(samples := sound.finish()):
                yield ReplyPiece(audio=Audio(samples, SAMPLE_RATE))

    def close(self) -> None:
        del self._model, self._processor, self._detokenizer, self._mimi

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        there = hub.cached(checkpoint, revision, required=_REQUIRED, patterns=_PATTERNS)
        if not there:
            return there
        folder = hub.folder(checkpoint, revision, required=_REQUIRED, patterns=_PATTERNS)
        try:
            _check_folder(folder)
            _which_decoder(folder, "auto")
        except ModelError:
            return False
        return True

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        folder = hub.download(checkpoint, revision, required=_REQUIRED, patterns=_PATTERNS)
        _check_folder(Path(folder))
        _which_decoder(Path(folder), "auto")
        return folder

    # Prompts

    def _conversation(self, prompt: str) -> Any:
        from liquid_audio import ChatState

        chat = ChatState(self._processor, codebooks=self._model.codebooks, dtype=self._dtype)
        chat.new_turn("system")
        self._add_text(chat, prompt)
        chat.end_turn()
        return chat

    def _history(self, turns: Sequence[Turn]) -> Any:
        """The conversation so far, up to the user's last turn. Raises ModelError."""
        prompt = self._settings["chat_prompt"]
        if turns and turns[0].role == "system":
            if not turns[0].text or turns[0].audio is not None:
                raise ModelError("turn 1: a system turn is written, and only that")
            prompt = turns[0].text
            turns = turns[1:]
        if not turns or turns[-1].role != "user":
            raise ModelError("the last turn of a conversation must be the user's")
        chat = self._conversation(prompt)
        for turn in turns:
            if turn.role not in ("user", "assistant"):
                raise ModelError(
                    f"a turn of role {turn.role!r}: user and assistant take turns, "
                    "after a system turn if any"
                )
            absent = not turn.text if turn.role == "user" else turn.text is None
            if absent and turn.audio is None:
                raise ModelError(f"a turn of the {turn.role} has neither text nor audio")
            chat.new_turn(turn.role)
            if turn.role == "assistant":
                self._add_answer(chat, turn)
            else:
                if turn.audio is not None:
                    self._add_audio(chat, turn.audio)
                if turn.text:
                    self._add_text(chat, turn.text)
            chat.end_turn()
        return chat

    def _add_text(self, chat: Any, text: str) -> None:
        """Text of other people, in which "<|im_end|>" is eight letters and no command."""
        ids = self._processor.text.encode(
            text, add_special_tokens=False, split_special_tokens=True, return_tensors="pt"
        )
        flags = chat.modality_flag.new_full(ids.shape, _modality().TEXT)
        chat.append(ids, chat.audio_out[:, :0], flags)

    def _add_audio(self, chat: Any, audio: Audio) -> None:
        import torch

        if self.longest_audio is not None and audio.seconds > self.longest_audio:
            raise ModelError(
                f"a turn's audio lasts {audio.seconds:.1f} s and the encoder takes at most "
                f"{self.longest_audio:g} s: split it"
            )
        samples = audio.samples
        missing = math.ceil(_SHORTEST * audio.sample_rate / _HEARING_RATE) - len(samples)
        if missing > 0:
            samples = np.pad(samples, (0, missing))
        chat.add_audio(torch.tensor(samples, dtype=torch.float32)[None], audio.sample_rate)

    def _add_answer(self, chat: Any, turn: Turn) -> None:
        """An earlier answer, in the order in which the model would have given it itself.

        Its text may be empty: models do answer nothing, or with sound alone, and that must not
        cost them the turns that follow.
        """
        if turn.audio is None or (turn.text is not None and not self._settings["spoken_history"]):
            if turn.text:
                self._add_text(chat, turn.text)
            return
        if not self._settings["spoken_history"]:
            raise ModelError(
                "an assistant's turn has audio and no text: give its text, or set spoken_history "
                "to true"
            )
        import torch

        codes = self._encode(turn.audio)
        if not turn.text:
            chat.add_text("<|audio_start|>")
            flags = chat.modality_flag.new_full((1, codes.shape[1]), _modality().AUDIO_OUT)
            chat.append(chat.text[:, :0], codes, flags)
            return
        tokenizer = self._processor.text
        ids = tokenizer.encode(turn.text, add_special_tokens=False, split_special_tokens=True)
        ids.append(tokenizer.convert_tokens_to_ids(_TEXT_END))
        config = self._model.conf
        order: list[int] = []
        written, spoken = len(ids), codes.shape[1]
        while written or spoken:
            text_run = min(config.interleaved_n_text, written)
            audio_run = min(config.interleaved_n_audio, spoken)
            order += [_modality().TEXT] * text_run + [_modality().AUDIO_OUT] * audio_run
            written, spoken = written - text_run, spoken - audio_run
        chat.append(torch.tensor([ids]), codes, torch.tensor([order]))

    def _encode(self, audio: Audio) -> Any:
        """Codes of shape (codebooks, frames), with the frame that ends them."""
        import torch
        import torchaudio

        wave = torch.tensor(audio.samples, dtype=torch.float32)[None, None].to(self._device)
        wave = torchaudio.functional.resample(wave, audio.sample_rate, SAMPLE_RATE)
        with torch.no_grad():
            codes = self._mimi.encode(wave)[0, : self._model.codebooks].long()
        return torch.cat([codes, codes.new_full((codes.shape[0], 1), _END_OF_AUDIO)], dim=1)

    def _speaking_prompt(self, voice: Options) -> str:
        for name in voice:
            if name != "voice":
                raise ModelError(f"lfm2_audio has no voice option {name!r}; it has: voice")
        prompt: str = self._settings["tts_prompt"]
        if voice and "{voice}" not in prompt:
            raise ModelError("tts_prompt has no {voice}, so no other voice can be asked for")
        chosen = voice.get("voice", self._settings["voice"])
        _check_voice(chosen)
        return prompt.replace("{voice}", chosen)

    # Generation

    def _generate(self, chat: Any, *, interleaved: bool) -> Iterator[Any]:
        """Tensors of one text token or of one frame of codes, as they come."""
        import torch

        # Here, not in load(): an answer must not depend on how many came before it.
        torch.manual_seed(self._seed)
        model, settings = self._model, self._settings
        generate = model.generate_interleaved if interleaved else model.generate_sequential
        yield from generate(
            **chat,
            max_new_tokens=settings["max_new_tokens"],
            text_temperature=_temperature(settings["text_temperature"]),
            text_top_k=_top_k(settings["text_top_k"], model.lfm.config.vocab_size),
            audio_temperature=_temperature(settings["audio_temperature"]),
            audio_top_k=_top_k(settings["audio_top_k"], model.audio_vocab_size),
        )

    @contextmanager
    def _decoding(self) -> Iterator[_Decoder]:
        chunk = self._settings["chunk_frames"]
        if self._detokenizer is not None:
            yield _DetokenizerStream(self._detokenizer, chunk)
            return
        with self._mimi.streaming(1):  # its state lasts for one answer
            yield _MimiStream(self._mimi, chunk)


class _Decoder(Protocol):
    """Turns frames of codes, shape (codebooks,), into samples at 24 kHz."""

    def push(self, frame: Any) -> Samples:
        """One frame in; the samples that can be played now out, often none."""
        ...

    def finish(self) -> Samples:
        """What is left."""
        ...


class _DetokenizerStream:
    """LFM2.5's detokenizer, chunk by chunk, with the sound that it gives to the whole at once.

    It sees only what came before, and not far back: each layer some spectral frames, six of
    which make up a frame of codes. A chunk decoded behind that much context is decoded as in
    the whole, up to rounding. Where neighbouring spectral frames overlap, the last samples of
    a chunk wait for the next one.
    """

    _SPECTRAL = 6  # spectral frames to a frame of codes

    def __init__(self, detokenizer: Any, chunk: int) -> None:
        istft = detokenizer.istft
        self._detokenizer = detokenizer
        self._chunk = chunk
        self._per_frame = self._SPECTRAL * istft.hop_length
        self._overlap = (istft.win_length - istft.hop_length) // 2
        around = math.ceil(istft.win_length / istft.hop_length) - 1
        self._context = math.ceil((_memory(detokenizer) + around) / self._SPECTRAL)
        self._frames: list[Any] = []
        self._decoded = 0  # frames
        self._given = 0  # samples

    def push(self, frame: Any) -> Samples:
        if _is_sound(frame):
            self._frames.append(frame)
            if len(self._frames) - self._decoded >= self._chunk:
                return self._decode(len(self._frames) * self._per_frame - self._overlap)
        return _SILENCE

    def finish(self) -> Samples:
        end = len(self._frames) * self._per_frame
        return self._decode(end) if end else _SILENCE

    def _decode(self, end: int) -> Samples:
        """The samples from where the last call ended to `end`, both counted from the start."""
        import torch

        first = max(0, self._decoded - self._context)
        codes = torch.stack(self._frames[first:], dim=1)[None]
        with torch.no_grad():
            wave = self._detokenizer(codes)[0]
        offset = first * self._per_frame
        samples = wave[self._given - offset : end - offset]
        self._decoded, self._given = len(self._frames), end
        return _playable(samples)


class _MimiStream:
    """The Mimi codec, which keeps its own state from frame to frame."""

    def __init__(self, mimi: Any, chunk: int) -> None:
        self._mimi = mimi
        self._chunk = chunk
        self._waiting: list[Samples] = []

    def push(self, frame: Any) -> Samples:
        import torch

        if not _is_sound(frame):
            return _SILENCE
        with torch.no_grad():
            self._waiting.append(_playable(self._mimi.decode(frame[None, :, None])[0, 0]))
        return self.finish() if len(self._waiting) >= self._chunk else _SILENCE

    def finish(self) -> Samples:
        waiting, self._waiting = self._waiting, []
        return np.concatenate(waiting) if waiting else _SILENCE


_SILENCE: Samples = np.zeros(0, np.float32)


def _is_sound(frame: Any) -> bool:
    return not bool((frame >= _END_OF_AUDIO).any())


def _playable(wave: Any) -> Samples:
    samples: Samples = wave.float().clamp(-1.0, 1.0).cpu().numpy()
    return samples


def _memory(detokenizer: Any) -> int:
    """How many spectral frames back a frame of the detokenizer's output can depend on."""
    config = detokenizer.lfm.config
    reach = {"conv": config.conv_L_cache - 1}
    return sum(reach.get(t, detokenizer.sliding_window_size - 1) for t in config.layer_types)


class _Text:
    """Text tokens in, whole characters out.

    A character may be spread over several tokens: it waits for the last of them. Bytes that
    are no text, and the special tokens, are left out; so is space before the first word.
    """

    def __init__(self, tokenizer: Any, unspoken: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._unspoken = unspoken
        self._ids: list[int] = []
        self._shown = 0  # characters of these ids that were given out
        self._begun = False

    def push(self, token: int) -> str:
        if token in self._unspoken:
            return ""
        self._ids.append(token)
        text: str = self._tokenizer.decode(self._ids, clean_up_tokenization_spaces=False)
        whole = text.rstrip("\ufffd")
        piece = whole[self._shown :].replace("\ufffd", "")
        self._shown = len(whole)
        if whole == text:
            self._ids, self._shown = [], 0
        if not self._begun:
            piece = piece.lstrip()
            self._begun = bool(piece)
        return piece


def _unspoken_ids(tokenizer: Any) -> frozenset[int]:
    added = tokenizer.added_tokens_decoder.items()
    named = {i for i, t in added if t.special or (t.content[:2], t.content[-2:]) == ("<|", "|>")}
    return frozenset(named | set(tokenizer.all_special_ids))


def _modality() -> Any:
    from liquid_audio import LFMModality

    return LFMModality


def _temperature(value: float) -> float | None:
    return float(value) if value > 0 else None


def _top_k(value: int | None, most: int) -> int | None:
    return None if value is None else min(value, most)


# Options


def _check_options(options: Options) -> None:
    def refuse(name: str, wanted: str) -> ModelError:
        return ModelError(f"lfm2_audio: option {name} is {options[name]!r}; {wanted} is expected")

    for name in ("max_new_tokens", "chunk_frames"):
        if type(options[name]) is not int or options[name] < 1:
            raise refuse(name, "a whole number from 1")
    for name in ("text_top_k", "audio_top_k"):
        if options[name] is not None and (type(options[name]) is not int or options[name] < 1):
            raise refuse(name, "a whole number from 1, or null,")
    for name in ("text_temperature", "audio_temperature"):
        value = options[name]
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise refuse(name, "a number from 0")
    for name in ("asr_prompt", "tts_prompt", "chat_prompt"):
        if not isinstance(options[name], str) or not options[name].strip():
            raise refuse(name, "some text")
    for name, known in _CHOICES.items():
        if options[name] not in known:
            raise refuse(name, f"one of {', '.join(known)}")
    if type(options["spoken_history"]) is not bool:
        raise refuse("spoken_history", "true or false")
    _check_voice(options["voice"])


_CHOICES = {
    "dtype": ("auto", "float32", "bfloat16"),
    "audio_decoder": ("auto", "detokenizer", "mimi"),
}


def _check_voice(voice: Any) -> None:
    if voice not in VOICES:
        raise ModelError(f"lfm2_audio has no voice {voice!r}. Voices: {', '.join(VOICES)}")


def _dtype(name: str, device: str) -> Any:
    import torch

    if name == "auto":
        name = "bfloat16" if device == "cuda" else "float32"
    return getattr(torch, name)


# Files


def _check_folder(folder: Path) -> None:
    """Raise ModelError where liquid-audio would load something else than safe, whole weights."""
    if not (folder / _WEIGHTS).is_file() and not (folder / _INDEX).is_file():
        raise ModelError(f"{folder}: the checkpoint is not whole (no {_WEIGHTS})")
    # accelerate, which reads the weights, prefers a pickle where there is one.
    for pickled in sorted(folder.glob("pytorch_model*")):
        raise ModelError(
            f"{pickled}: weights as a pickle are not loaded, and would be taken instead of "
            f"{_WEIGHTS}; remove the file"
        )
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        if file.is_file() and "auto_map" in _json(file):
            raise ModelError(f"{file}: the checkpoint wants to run code of its own (auto_map)")
    _names(_weight_files(folder))


def _json(file: Path) -> dict[str, Any]:
    """A JSON object of a checkpoint. Raises ModelError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: cannot be read as JSON: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: a JSON object is expected")
    return content


def _which_decoder(folder: Path, asked: str) -> str:
    """Either "detokenizer" or "mimi". Raises ModelError where what is asked is not there."""
    detokenizer = folder / _DETOKENIZER
    if asked == "detokenizer" or (asked == "auto" and detokenizer.is_dir()):
        for name in ("config.json", _WEIGHTS):
            if not (detokenizer / name).is_file():
                raise ModelError(
                    f"{folder}: the checkpoint is not whole (no {_DETOKENIZER}/{name})"
                )
        _names([detokenizer / _WEIGHTS])
        return "detokenizer"
    if not (folder / _MIMI).is_file():
        absent = f"no {_MIMI}" if asked == "mimi" else f"neither {_DETOKENIZER}/ nor {_MIMI}"
        raise ModelError(f"{folder}: nothing to make audible what it says ({absent})")
    _names([folder / _MIMI])
    return "mimi"


def _weight_files(folder: Path) -> list[Path]:
    # As accelerate chooses: the single file before the shards.
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    names = _json(folder / _INDEX).get("weight_map", {}).values()
    for name in names:
        if not str(name).endswith(".safetensors"):
            raise ModelError(f"{folder / _INDEX}: names {name!r}, which is no safetensors file")
    return [folder / name for name in sorted(set(names))]


def _names(files: Sequence[Path]) -> set[str]:
    """The tensors in safetensors files. Raises ModelError for a file that is not whole."""
    from safetensors import safe_open

    names: set[str] = set()
    for file in files:
        try:
            with safe_open(str(file), framework="numpy") as tensors:
                names.update(tensors.keys())
        except Exception as error:  # safetensors has errors of its own beside OSError
            raise ModelError(f"{file}: cannot be read: {_first_line(error)}") from error
    return names


#: Buffers that follow from the configuration, or that only training reads.
_COMPUTED = ("codebook_offsets", "audio_loss_weights", "istft.window")


def _check_names(model: Any, names: set[str], file: Path) -> None:
    """Raise ModelError where a model has tensors that no file gave: they would be random."""
    state = model.state_dict()
    given = {state[name].data_ptr() for name in names & state.keys()}
    missing = sorted(
        name
        for name, tensor in state.items()
        if name not in names
        and tensor.data_ptr() not in given  # tied to one that is there
        and name not in _COMPUTED
        and not name.endswith(".num_batches_tracked")
    )
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise ModelError(
            f"{file}: the checkpoint is not whole: {len(missing)} of {len(state)} tensors are "
            f"missing ({some})"
        )


def _load_model(folder: Path, device: Any, dtype: Any) -> tuple[Any, Any]:
    """The language model and its processor, on the device."""
    from liquid_audio import LFM2AudioModel, LFM2AudioProcessor

    files = _weight_files(folder)
    names = _names(files)
    try:
        # A Path, not a name: the library would ask the hub for a name.
        processor = LFM2AudioProcessor.from_pretrained(folder, device=device).eval()
        # It takes flash_attn wherever that is installed, on CPUs too, where it does not work.
        with mock.patch("liquid_audio.model.lfm2_audio.module_exists", return_value=False):
            model = LFM2AudioModel.from_pretrained(folder, device=device, dtype=dtype).eval()
    except Exception as error:  # a broken configuration fails in as many ways as there are
        raise _cannot_load(folder, error) from error
    _check_names(model, names, files[0])
    return model, processor


def _load_detokenizer(folder: Path, device: Any) -> Any:
    """What the library's audio_detokenizer does, on any device: there it is CUDA alone."""
    from liquid_audio.detokenizer import LFM2AudioDetokenizer
    from safetensors.torch import load_file
    from transformers import Lfm2Config

    config = _json(folder / "config.json")
    file = folder / _WEIGHTS
    names = _names([file])
    try:
        # transformers does not know the sliding window; the detokenizer masks by itself.
        config["layer_types"] = [
            "full_attention" if kind == "sliding_attention" else kind
            for kind in config["layer_types"]
        ]
        detokenizer = LFM2AudioDetokenizer(Lfm2Config(**config))
        _check_names(detokenizer, names, file)
        detokenizer.load_state_dict(load_file(str(file)), strict=False)
        return detokenizer.float().eval().to(device)
    except ModelError:
        raise
    except Exception as error:
        raise _cannot_load(folder, error) from error


def _load_mimi(file: Path, device: Any) -> Any:
    from liquid_audio.moshi.models.loaders import get_mimi
    from safetensors.torch import load_file

    names = _names([file])
    try:
        mimi = get_mimi(None, device="cpu")
        _check_names(mimi, names, file)
        mimi.load_state_dict(load_file(str(file)), strict=False)
        return mimi.eval().to(device)
    except ModelError:
        raise
    except Exception as error:
        raise _cannot_load(file, error) from error


def _cannot_load(path: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"liquid-audio cannot load {path}: {type(error).__name__}: {_first_line(error)}"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


ADAPTER = Lfm2Audio
