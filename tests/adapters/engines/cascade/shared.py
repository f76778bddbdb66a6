"""What the tests of cascade share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from adapters.catalog.catalog import Catalog
from adapters.catalog.engine import EngineRef
from adapters.catalog.model import Model
from adapters.engines.cascade.adapter import Cascade
from adapters.interface import Audio, LoadSpec, ReplyPiece
from evals.models.corpus_synthesizer import synthesizer
from evals.models.loaded import Settings, load_spec
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
from fixtures.dialogues.dialogues import Dialogue
from fixtures.dialogues.files import builtin_dialogues


def entry_of(**parts: Any) -> Model:
    options = {**Cascade.options, **parts}
    made = Model(
        "made-of", EngineRef("cascade"), "builtin", ("chat",), "candidate", options=options
    )
    return Catalog().resolved(made)


def spec_of(**parts: Any) -> LoadSpec:
    return load_spec(entry_of(**parts), "cpu", Settings())


@cache
def dialogue_of(name: str) -> tuple[Dialogue, tuple[Audio, ...]]:
    """A dialogue of the built-in corpus, its user's turns spoken by espeak-ng."""
    (found,) = [d for d in builtin_dialogues("assistant") if d.id == name]
    with synthesizer() as speak:
        spoken = [to_mono_16k(*speak(x.user.text, found.voice)) for x in found.exchanges]
    # In quiet, as recordings are: the first sound of a word is lost at the very start.
    quiet = np.zeros(SAMPLE_RATE // 5, np.float32)
    return found, tuple(Audio(np.concatenate([quiet, s, quiet]), SAMPLE_RATE) for s in spoken)


def text_of(pieces: Iterator[ReplyPiece]) -> str:
    return "".join(piece.text or "" for piece in pieces)
