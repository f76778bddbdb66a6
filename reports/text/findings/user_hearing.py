"""Whose loss it is that a spoken conversation goes worse than a typed one, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.measures import metric_text
from evals.metrics import metric_of
from evals.records.measurement import Measurement
from reports.scorecard.scorecard import Scorecard

#: What speaks the user where nothing was named.
DEFAULT = "espeak-ng"


@dataclass(frozen=True, slots=True)
class Loss:
    """What an assistant loses by hearing on a corpus, and the two parts of it.

    wer: what the first judge hears of the user. user_voice: the name of what speaks the user.
    """

    whole: Measurement
    voice: Measurement
    own: Measurement
    wer: Measurement | None
    user_voice: str

    @property
    def is_told_apart(self) -> bool:
        """Whether the parts have values."""
        return self.voice.value is not None and self.own.value is not None


def losses(card: Scorecard) -> Iterator[Loss]:
    """Of each assistant that a typed conversation goes better with, in the scorecard's order."""
    found = {(m.model, m.corpus, m.metric): m for m in card.measurements if m.is_whole}
    voices = {c.name: c.user_voice.name for c in card.provenance.corpora if c.user_voice}
    for (model, corpus, metric), whole in found.items():
        voice = found.get((model, corpus, "user_voice_loss"))
        own = found.get((model, corpus, "own_hearing_loss"))
        if metric == "hearing_loss" and whole.value and voice is not None and own is not None:
            wer = found.get((model, corpus, "user_voice_wer"))
            wer = wer if wer is not None and wer.value is not None else None
            yield Loss(whole, voice, own, wer, voices.get(corpus, DEFAULT))


def loss_line(loss: Loss) -> str:
    """How much is lost, how much of it the user's voice costs, and what a judge hears of that."""
    whole, voice, own = (
        metric_of(m.metric).number(m.value or 0.0) for m in (loss.whole, loss.voice, loss.own)
    )
    case = f"{loss.whole.model} on {loss.whole.corpus} (chat)"
    text = f"{case}: hearing costs {whole} points of turns"
    if loss.is_told_apart:
        text += f": {voice} by the user's voice ({loss.user_voice}), {own} by its own ears"
    else:
        text += f", by the user's voice ({loss.user_voice}) or its own ears: {loss.voice.reason}"
    if loss.wer is not None:
        text += f"; a judge hears the user at WER {metric_text.value('wer', loss.wer.value)}"
    return text
