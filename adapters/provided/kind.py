"""What a file or a folder of answers is of: recognition, voices, or conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from adapters.provided.rows import (
    AUDIO_KEYS,
    HYPOTHESIS_KEYS,
    TEXT_KEYS,
    ProvidedError,
    first_row,
    key_of,
    named,
    read_content,
)

Kind: TypeAlias = Literal["asr", "tts", "chat"]

#: Keys of a row that is a turn, or the turns, of a conversation.
DIALOGUE_KEYS = ("dialogue", "dialogue_id", "conversation", "conversation_id")
REPLIES_KEYS = ("replies", "answers", "turns")
#: The file in a folder of sound that says which file is of which sentence.
INDEX_NAMES = ("index.jsonl", "index.json", "index.csv", "index.tsv")


def kind_of(path: Path) -> Kind:
    """By what its first row holds; a folder is of sound, and what is not there of recognition."""
    if path.is_dir():
        return "tts"
    try:
        row = first_row(read_content(path)) if path.is_file() else None
    except ProvidedError:
        return "asr"
    if row is None:
        return "asr"
    if key_of(row, HYPOTHESIS_KEYS):
        return "asr"
    if key_of(row, DIALOGUE_KEYS) or key_of(row, REPLIES_KEYS):
        return "chat"
    try:
        sound = named(row, AUDIO_KEYS)
    except ValueError:
        sound = None
    return "tts" if sound is not None and key_of(row, TEXT_KEYS) is None else "asr"


def name_of(path: Path) -> str:
    """A name for the answers at a path: its folder's and its own, wherever it is named from.

    Of the lines of a run, `<run>/<model>/asr/<corpus>.jsonl`, the model's and the corpus's.
    """
    above = path.parent
    if above.name in ("asr", "tts", "chat") and above.parent.name:
        above = above.parent
    own = path.name if path.is_dir() else path.stem
    return "-".join(part for part in (above.name, own) if part)
