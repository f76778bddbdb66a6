"""Built-in corpora: made once, kept whole, made again when damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, CLIP_SECONDS, DEFAULT, Speak, Voice, builtin_corpus
from fixtures.builtin.voice_commands import is_held_out
from fixtures.corpora.corpus import Corpus


class _Speaker:
    """A synthesizer that hums, and counts how often it was opened."""

    def __init__(self) -> None:
        self.opened = 0

    @contextmanager
    def __call__(self) -> Iterator[Speak]:
        self.opened += 1

        def speak(text: str, voice: Voice) -> tuple[NDArray[np.float32], int]:
            time = np.arange(len(text) * 500) / 22_050
            return (0.3 * np.sin(2 * np.pi * 200 * time)).astype(np.float32), 22_050

        yield speak


@pytest.fixture
def speaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Speaker:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path))
    return _Speaker()


def test_made_once(speaker: _Speaker) -> None:
    first, second = builtin_corpus(CLIP, speaker), builtin_corpus(CLIP, speaker)
    assert speaker.opened == 1
    assert first.content_hash == second.content_hash
    (utterance,) = first
    assert len(utterance.load()) == CLIP_SECONDS * SAMPLE_RATE


@pytest.mark.parametrize("damage", ["audio", "text", "missing", "stamp"])
def test_damage_is_noticed_and_mended(speaker: _Speaker, damage: str) -> None:
    corpus = builtin_corpus(CLIP, speaker)
    made = corpus.content_hash
    folder, (utterance,) = corpus.manifest.parent, corpus
    if damage == "audio":
        data = bytearray(utterance.path.read_bytes())
        data[len(data) // 2] ^= 1
        utterance.path.write_bytes(data)
    elif damage == "text":
        manifest = corpus.manifest.read_text()
        corpus.manifest.write_text(manifest.replace("kitchen", "chicken"))
    elif damage == "missing":
        utterance.path.unlink()
    else:
        (folder / "corpus.json").write_text("{")
    again = builtin_corpus(CLIP, speaker)
    assert speaker.opened == 2
    assert again.content_hash == made


def test_interrupted_making_leaves_nothing_half(speaker: _Speaker) -> None:
    @contextmanager
    def broken() -> Iterator[Speak]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        builtin_corpus(CLIP, broken)
    builtin_corpus(CLIP, speaker)
    assert speaker.opened == 1


def test_voice_commands_is_what_it_promises(speaker: _Speaker) -> None:
    corpus: Corpus = builtin_corpus(DEFAULT, speaker)
    assert len(corpus) >= 200
    assert len({u.category for u in corpus}) >= 5
    assert len({u.speaker for u in corpus}) >= 10
    assert all(is_held_out(u.text) for u in corpus)
    assert corpus.language == "en"
