"""LFM2.5-Audio and LFM2-Audio through liquid-audio: hearing, speaking and conversing.

One model writes text tokens and frames of eight audio codes in one stream. Text goes out as
soon as its characters are whole. Frames become sound at 24 kHz in chunks, through the
checkpoint's detokenizer (LFM2.5) or the Mimi codec (LFM2), in a way that the chunks put
together are the decoding of the whole answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from adapters.engines.lfm2_audio.checkpoint import (
    DETOKENIZER,
    INDEX,
    MIMI,
    check_folder,
    load_detokenizer,
    load_mimi,
    load_model,
    which_decoder,
)
from adapters.engines.lfm2_audio.options import check_options, check_voice
from adapters.engines.lfm2_audio.stream import (
    END_OF_AUDIO,
    DetokenizerStream,
    FrameDecoder,
    MimiStream,
    TextStream,
    unspoken_ids,
)
from adapters.engines.shared import hub
from adapters.interface import Adapter, Audio, LoadSpec, ModelError, Options, ReplyPiece, Turn

SAMPLE_RATE = 24_000  # of what it says

_REQUIRED = ("config.json", "tokenizer.json")
_PATTERNS = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template*", "model*.safetensors", INDEX, MIMI, f"{DETOKENIZER}/*",
)  # fmt: skip

_TEXT_END = "<|text_end|>"
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
        check_options(options)

    def load(self, spec: LoadSpec) -> None:
        settings = {**self.options, **spec.options}
        check_options(settings)
        folder = hub.folder(
            spec.checkpoint, spec.revision, required=_REQUIRED, patterns=_PATTERNS
        ).resolve()
        self.loaded_from = str(folder)
        # All that can be seen in the files comes before the imports, which take seconds.
        check_folder(folder)
        decoder = which_decoder(folder, settings["audio_decoder"])
        if settings["spoken_history"] and not (folder / MIMI).is_file():
            raise ModelError(
                f"{folder}: spoken_history needs Mimi to encode audio, and there is no {MIMI}; "
                "set spoken_history to false"
            )

        import torch

        torch.set_num_threads(spec.threads)
        self._settings = settings
        self._seed = spec.seed
        self._device = torch.device(spec.device)
        self._dtype = _dtype(settings["dtype"], self._device.type)
        self._model, self._processor = load_model(folder, self._device, self._dtype)
        self._mimi: Any = None
        self._detokenizer: Any = None
        if decoder == "detokenizer":
            self._detokenizer = load_detokenizer(folder / DETOKENIZER, self._device)
            # Where the library's own decode() looks before it builds one on CUDA.
            self._processor._audio_detokenizer = self._detokenizer
        if decoder == "mimi" or settings["spoken_history"]:
            self._mimi = load_mimi(folder / MIMI, self._device)
        self._unspoken = unspoken_ids(self._processor.text)

    def transcribe(self, audio: Audio) -> Iterator[str]:
        if len(audio.samples) == 0:
            return
        chat = self._conversation(self._settings["asr_prompt"])
        chat.new_turn("user")
        self._add_audio(chat, audio)
        chat.end_turn()
        chat.new_turn("assistant")
        text = TextStream(self._processor.text, self._unspoken)
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
        text = TextStream(self._processor.text, self._unspoken)
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
            check_folder(folder)
            which_decoder(folder, "auto")
        except ModelError:
            return False
        return True

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        folder = hub.download(checkpoint, revision, required=_REQUIRED, patterns=_PATTERNS)
        check_folder(Path(folder))
        which_decoder(Path(folder), "auto")
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
        return torch.cat([codes, codes.new_full((codes.shape[0], 1), END_OF_AUDIO)], dim=1)

    def _speaking_prompt(self, voice: Options) -> str:
        for name in voice:
            if name != "voice":
                raise ModelError(f"lfm2_audio has no voice option {name!r}; it has: voice")
        prompt: str = self._settings["tts_prompt"]
        if voice and "{voice}" not in prompt:
            raise ModelError("tts_prompt has no {voice}, so no other voice can be asked for")
        chosen = voice.get("voice", self._settings["voice"])
        check_voice(chosen)
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
    def _decoding(self) -> Iterator[FrameDecoder]:
        chunk = self._settings["chunk_frames"]
        if self._detokenizer is not None:
            yield DetokenizerStream(self._detokenizer, chunk)
            return
        with self._mimi.streaming(1):  # its state lasts for one answer
            yield MimiStream(self._mimi, chunk)


def _modality() -> Any:
    from liquid_audio import LFMModality

    return LFMModality


def _temperature(value: float) -> float | None:
    return float(value) if value > 0 else None


def _top_k(value: int | None, most: int) -> int | None:
    return None if value is None else min(value, most)


def _dtype(name: str, device: str) -> Any:
    import torch

    if name == "auto":
        name = "bfloat16" if device == "cuda" else "float32"
    return getattr(torch, name)


# Files


ADAPTER = Lfm2Audio
