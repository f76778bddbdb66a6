"""openai-whisper on the micro Whisper."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures.micro_whisper import expand
from tests.contract.subject import Made, Subject, overwrite, truncate


def _make(folder: Path) -> Made:
    return Made(str(expand("openai", folder)))


class Trap:
    """A pickle of this makes a folder where it is unpickled by the book."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self._place),)


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(checkpoint: Path) -> None:
        import torch

        content = torch.load(checkpoint, weights_only=True)
        change(content)
        torch.save(content, checkpoint)

    return damage


def pickle_among_weights(checkpoint: Path) -> None:
    """The whole checkpoint, and beside its weights what makes the folder `pwned`."""
    edit(lambda content: content.update(more=Trap(checkpoint.with_name("pwned"))))(checkpoint)


def _state(content: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = content["model_state_dict"]
    return state


SUBJECTS = [
    Subject(
        name="openai_whisper",
        engine="openai_whisper",
        make=_make,
        tasks=("asr",),
        hears=True,
        options={"language": "en", "max_new_tokens": 60},
        damages={
            "truncated weights": (truncate(""), "cannot load .*model.pt"),
            "not weights": (overwrite(""), "refused"),
            "pickle among weights": (pickle_among_weights, "refused"),
            "no tensor": (edit(lambda c: _state(c).pop("decoder.ln.bias")), "decoder.ln.bias"),
            "wrong dims": (
                edit(lambda c: c["dims"].update(n_audio_state=192)),
                "cannot load .*size mismatch",
            ),
        },
        setting=("max_new_tokens", 2),
    )
]
