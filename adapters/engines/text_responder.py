"""Text models of transformers as one side of a conversation: text in, text out.

Not a speech model: it answers in a cascade, or where the user's turns are written.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from threading import Thread
from typing import Any, ClassVar

from adapters.engines.shared import hub
from adapters.interface import Adapter, LoadSpec, ModelError, Options, ReplyPiece, Turn

_DTYPES = ("auto", "float32", "bfloat16", "float16")
_PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_WAIT_SECONDS = 60.0  # for the next token, before the thread that makes them is given up


class TextResponder(Adapter):
    """Any causal language model whose tokenizer has a chat template; decoded greedily.

    system_prompt: goes before the conversation, unless that begins with a system turn.
    max_new_tokens: of an answer. dtype: "auto" is bfloat16 on CUDA, else float32.
    """

    extra = "transformers"
    modules = ("transformers", "torch")
    devices = ("cuda", "mps", "cpu")
    streams = ("chat",)
    options: ClassVar[Options] = {"system_prompt": None, "max_new_tokens": 128, "dtype": "auto"}

    @classmethod
    def check(cls, options: Options) -> None:
        if options["dtype"] not in _DTYPES:
            raise ModelError(f"dtype: one of {', '.join(_DTYPES)}, not {options['dtype']!r}")
        most = options["max_new_tokens"]
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ModelError(f"max_new_tokens: a whole number from 1, not {most!r}")
        prompt = options["system_prompt"]
        if prompt is not None and not isinstance(prompt, str):
            raise ModelError(f"system_prompt: text is expected, not {prompt!r}")

    @classmethod
    def cached(cls, checkpoint: str, revision: str | None) -> bool | None:
        return hub.cached(checkpoint, revision, patterns=_PATTERNS)

    @classmethod
    def download(cls, checkpoint: str, revision: str | None) -> str:
        return hub.download(checkpoint, revision, patterns=_PATTERNS)

    def load(self, spec: LoadSpec) -> None:
        settings = {**self.options, **spec.options}
        self.check(settings)
        folder = hub.folder(spec.checkpoint, spec.revision, patterns=_PATTERNS).resolve()
        self.loaded_from = str(folder)

        import torch

        transformers: Any = importlib.import_module("transformers")
        torch.set_num_threads(spec.threads)
        dtype = settings["dtype"]
        if dtype == "auto":
            dtype = "bfloat16" if spec.device.startswith("cuda") else "float32"
        try:
            # No code of a checkpoint runs, and nobody is asked whether it may.
            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                **local,
                dtype=getattr(torch, dtype),
                use_safetensors=True,  # a pickle could run anything
                output_loading_info=True,
            )
        except Exception as error:  # the library raises whatever its formats do
            what = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"transformers cannot load {folder}: {what}") from error
        # Weights that are not in the file would be made up at random.
        absent = sorted(report["missing_keys"])
        if absent:
            raise ModelError(f"{folder}: the checkpoint is not whole (no weights {absent[0]!r})")
        if not getattr(tokenizer, "chat_template", None):
            raise ModelError(f"{folder}: the tokenizer has no chat template: not a chat model")
        self._settings = settings
        self._device = spec.device
        self._tokenizer: Any = tokenizer
        self._model = model.to(spec.device).eval()
        self._longest = getattr(model.config, "max_position_embeddings", None)

    def close(self) -> None:
        del self._model, self._tokenizer

    def reply(self, turns: Sequence[Turn]) -> Iterator[ReplyPiece]:
        transformers: Any = importlib.import_module("transformers")
        inputs = self._inputs(turns)
        streamer = transformers.TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=_WAIT_SECONDS
        )
        failures: list[BaseException] = []
        thread = Thread(target=self._generate, args=(inputs, streamer, failures), daemon=True)
        thread.start()
        # Leading white space is no answer yet, and a first token of it no first token.
        begun = False
        for text in streamer:
            piece = text if begun else text.lstrip()
            if piece:
                begun = True
                yield ReplyPiece(text=piece)
        thread.join()
        if failures:
            raise failures[0]

    def _generate(self, inputs: Any, streamer: Any, failures: list[BaseException]) -> None:
        import torch

        try:
            with torch.inference_mode():
                self._model.generate(
                    **inputs,
                    streamer=streamer,
                    do_sample=False,
                    num_beams=1,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    max_new_tokens=self._settings["max_new_tokens"],
                )
        except BaseException as error:  # told to the thread that waits for the text
            failures.append(error)
            streamer.end()

    def _inputs(self, turns: Sequence[Turn]) -> Any:
        """The conversation as the model's template has it. Raises ModelError."""
        messages = [{"role": turn.role, "content": _text(turn)} for turn in turns]
        if not messages or messages[-1]["role"] != "user":
            raise ModelError("the last turn of a conversation must be the user's")
        prompt = self._settings["system_prompt"]
        if prompt and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": prompt})
        try:
            inputs = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except Exception as error:  # jinja raises what the template tells it to
            raise ModelError(f"the chat template refuses the conversation: {error}") from error
        length = int(inputs["input_ids"].shape[1])
        room = self._longest
        if room is not None and length + self._settings["max_new_tokens"] > room:
            raise ModelError(
                f"the conversation has {length} tokens, and the model takes {room} with the "
                f"{self._settings['max_new_tokens']} of the answer"
            )
        return inputs.to(self._device)


def _text(turn: Turn) -> str:
    if turn.text is None:
        raise ModelError(
            f"a turn of the {turn.role} has no text, and this model does not hear: "
            "make it the responder of a cascade"
        )
    return turn.text


ADAPTER = TextResponder
