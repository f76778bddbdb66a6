"""How what was heard where nobody spoke travels to the report, and what its clips are called."""

from __future__ import annotations

from fixtures.builtin.non_speech import CLIPS

#: The name under which these texts travel in user_properties.
NON_SPEECH = "model_lab.non_speech"
_BUILT_IN = frozenset(clip.id for clip in CLIPS)
#: How the ids of speech between synthetic sounds begin.
_ENDS = "ends-"


def clip_name(id: str) -> str:
    """A clip as reports name it: whether it is one of the synthetic ones."""
    if id in _BUILT_IN:
        return f"{id} (a synthetic sound)"
    return f"{id} (speech between synthetic sounds)" if id.startswith(_ENDS) else id
