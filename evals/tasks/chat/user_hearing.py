"""What the user's voice costs a conversation, told apart from what the assistant mishears itself.

A judge hears the users' turns. What an assistant loses by hearing (`hearing_loss`) in a dialogue
whose turns so far a judge heard word for word is its own: they could be understood. The rest
is put down to the voice that speaks the user, which makes that part an upper bound: a judge has
errors too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.interface import Audio
from evals.judges.asr_judge import Judge
from evals.measures.statistics.paired_interval import difference_interval
from evals.measures.statistics.rates import difference, rate
from evals.measures.text.alignment import align
from evals.models.loaded import LoadedModel
from evals.records.measurement import Figure
from evals.records.predictions import Prediction
from evals.records.replied import Replied
from evals.run.audio_files import listen
from fixtures.audio.read import SAMPLE_RATE, AudioError, load_audio

#: The two parts of `hearing_loss`.
LOSSES = ("user_voice_loss", "own_hearing_loss")
#: Dialogues are what turns hang together in.
_FEWEST_DIALOGUES = 2


@dataclass(frozen=True)
class UserHearing:
    """Judges that hear the users' turns, each turn once; known: what they heard, by file."""

    judges: Sequence[Judge]
    known: dict[tuple[str, Path], str] = field(default_factory=dict)

    def of(self, path: Path, lang: str | None) -> Mapping[str, str]:
        """What each judge hears of a turn, raw, by its name; without those that fail on it."""
        found: dict[str, str] = {}
        for judge in self.judges:
            key = (judge.name, path)
            if key not in self.known and judge.speaks(lang):
                try:
                    audio = Audio(load_audio(path), SAMPLE_RATE, lang)
                except AudioError:
                    continue  # the line of the turn says so
                heard, _ = listen(audio, [judge])
                if judge.name in heard:
                    self.known[key] = heard[judge.name]
            if key in self.known:
                found[judge.name] = self.known[key]
        return found


def why_not_apart(judge: Judge, model: LoadedModel) -> str | None:
    """Why what a judge hears says nothing of whose loss it is; None where it does.

    A judge that is the assistant's own recognizer hears what that hears, and one that knows
    nothing but some sentences hears these in noise as well.
    """
    if judge.vocabulary is not None:
        return f"the judge {judge.name} knows nothing but the {judge.vocabulary}"
    if judge.model is None:
        return f"the judge {judge.name} cannot be had: {judge.missing}"
    own, entry = judge.model.checkpoint_sha256, judge.model.entry
    for part in model.parts.values():
        same = (part["engine"], part["checkpoint"]) == (entry.engine.name, entry.checkpoint)
        if same or (own is not None and own == part["checkpoint_sha256"]):
            return f"the judge {judge.name} is the assistant's own recognizer"
    return None


def user_voice_wer(lines: Sequence[Replied], judge: str, normalizer_name: str) -> Figure:
    """WER of what a judge heard of the users' turns; interval over dialogues."""
    heard = [line for line in lines if judge in line.user_heard]
    if len(heard) < len(lines) or not lines:
        missing = len(lines) - len(heard)
        reason = f"{judge} could not be asked about {missing} turns of the user"
        return Figure(None, len(lines), reason=reason)
    counts = align([_as_heard(line, judge) for line in heard], normalizer_name).words
    return rate(
        counts[:, 1:].sum(axis=1).astype(float),
        counts[:, :3].sum(axis=1).astype(float),
        [line.dialogue for line in heard],
        otherwise="the user says no words",
        fewest_clusters=_FEWEST_DIALOGUES,
    )


def loss_by_cause(
    spoken: Sequence[Replied],
    change: Sequence[float],
    apart: Mapping[str, str | None],
    normalizer_name: str,
) -> Mapping[str, Figure]:
    """`user_voice_loss` and `own_hearing_loss`, which together are `hearing_loss`.

    spoken: the lines of the spoken turns. change: of each, its success as text minus its
    success as sound. apart: of each judge, why it says nothing of the cause (`why_not_apart`).
    """
    judges = [judge for judge, why in apart.items() if why is None]
    n = len(spoken)
    if not judges:
        why = next((why for why in apart.values() if why), "no judge heard the user")
        return dict.fromkeys(LOSSES, Figure(None, n, reason=f"{why}: add another with --judge"))
    clear = heard_right_so_far(spoken, judges, normalizer_name)
    every = np.asarray(change, float)
    own = every * np.asarray(clear, float)
    ids, ones = [line.dialogue for line in spoken], np.ones(n)
    return {
        name: difference(float(part.mean()), n, difference_interval(part, ones, ids, least=1.0))
        for name, part in zip(LOSSES, (every - own, own), strict=True)
    }


def heard_right_so_far(
    spoken: Sequence[Replied], judges: Sequence[str], normalizer_name: str
) -> list[bool]:
    """Of each turn, whether some judge heard it and those before it in its dialogue right."""
    right = np.zeros(len(spoken), bool)
    for judge in judges:
        counts = align([_as_heard(line, judge) for line in spoken], normalizer_name).words
        known = np.array([judge in line.user_heard for line in spoken], bool)
        right |= known & (counts[:, 1:].sum(axis=1) == 0)
    wrong: set[str] = set()
    found = []
    for line, is_right in zip(spoken, right, strict=True):
        if not is_right:
            wrong.add(line.dialogue)
        found.append(line.dialogue not in wrong)
    return found


def _as_heard(line: Replied, judge: str) -> Prediction:
    return Prediction(line.id, line.user, line.user_heard.get(judge, ""), 0.0, None, lang=line.lang)
