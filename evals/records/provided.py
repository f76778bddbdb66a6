"""Where answers come from that no model here has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchedAnswers:
    """How the answers of a file were found for a corpus. by: how, to how many utterances."""

    task: str
    corpus: str
    by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProvidedAnswers:
    """The answers of a model that was not run; its checkpoint is the file that they stand in.

    format: what the file was read as; None where no task has read it.
    """

    format: str | None
    matched: Sequence[MatchedAnswers]
