"""The language that an engine is told: found out by itself, each row's own, or always one."""

from __future__ import annotations

from collections.abc import Collection

from adapters.interface import Audio, ModelError

#: Values of the option `language` besides a language: it finds out itself (as null does), or it
#: goes by what the corpus says of each row.
AUTO, ROW = "auto", "row"


def fixed(option: str | None) -> str | None:
    """The language that every utterance is in, None where the option names none."""
    return None if option in (None, AUTO, ROW) else option


def language_for(option: str | None, audio: Audio, known: Collection[str] | None) -> str | None:
    """The language to tell the engine for an utterance, None where it is to find out.

    known: the codes of the languages that the model has; None where nobody can tell. Of a row the
    language alone counts, not its region; a row that names none is English.
    Raises ModelError where the model does not have the language of the row.
    """
    if option != ROW:
        return fixed(option)
    code = (audio.language or "en").lower().split("-")[0]
    if known is not None and code not in known:
        raise ModelError(
            f"the model does not know the row's language, {audio.language or 'en'}. "
            f"It knows: {', '.join(known)}"
        )
    return code
