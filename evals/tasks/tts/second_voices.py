"""Other voices that say what a judge misheard, which tells its own errors from those of a voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.judges.asr_judge import Judge
from evals.measures.text.alignment import align
from evals.records.predictions import Prediction
from evals.run.audio_files import listen

#: Says a text; raises WorkerError.
Say = Callable[[str], Audio]
#: By the name of a voice what each judge heard of it, by the judge's name.
Heard = Mapping[str, Mapping[str, str]]


class SecondVoices:
    """The other voices of a session, each loaded when something was first misheard.

    voices: by their names, the first to be asked first; all speak English.
    """

    def __init__(self, voices: Mapping[str, Say]) -> None:
        self._voices = voices
        self._known: dict[tuple[str, str, str], str] = {}

    @property
    def names(self) -> list[str]:
        """Of all voices, in their order."""
        return [*self._voices]

    def without(self, names: Sequence[str]) -> SecondVoices:
        """The others, which share what was heard already."""
        left = SecondVoices({n: say for n, say in self._voices.items() if n not in names})
        left._known = self._known
        return left

    def hear(
        self,
        text: str,
        language: str | None,
        heard: Mapping[str, str],
        judges: Sequence[Judge],
        scoring: str,
    ) -> Heard:
        """What judges hear of the text in other voices, of those judges that misheard it.

        heard: what each heard of the voice that is measured. scoring: the normalizer by which
        it is right. No further voice is asked once every judge has heard one right. Nothing for
        another language than English, and of a voice that fails.
        """
        if (language or "en").lower().split("-")[0] != "en":
            return {}
        wrong = [j for j in judges if j.name in heard and errors(text, heard[j.name], scoring)]
        found: dict[str, Mapping[str, str]] = {}
        for name in self._voices:
            if not wrong:
                break
            try:
                found[name] = self._heard(name, text, wrong)
            except WorkerError:
                continue
            right = {j for j, said in found[name].items() if not errors(text, said, scoring)}
            wrong = [j for j in wrong if j.name not in right]
        return found

    def _heard(self, voice: str, text: str, judges: Sequence[Judge]) -> Mapping[str, str]:
        missing = [j for j in judges if (voice, j.name, text) not in self._known]
        if missing:
            heard, _ = listen(self._voices[voice](text), missing)
            self._known.update({(voice, name, text): said for name, said in heard.items()})
        known = {j.name: self._known.get((voice, j.name, text)) for j in judges}
        return {name: said for name, said in known.items() if said is not None}


def errors(text: str, heard: str, scoring: str) -> int:
    """The word errors of what was heard."""
    aligned = align([Prediction("one", text, heard, 0.0, None)], scoring)
    return int(aligned.words[:, 1:].sum())
