"""Holding conversations with an assistant: where `Replied` lines are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from adapters.interface import Audio, Reply, Turn
from adapters.worker.results import Timed, WorkerError
from evals.judges.asr_judge import Judge
from evals.measures.text.normalizers import SPOKEN
from evals.models.loaded import LoadedModel
from evals.models.retry import ask_each
from evals.records.jsonl_reader import read_lines
from evals.records.jsonl_writer import LineFile
from evals.records.replied import Replied
from evals.run.audio_files import file_name, keep, listen
from evals.tasks.chat.provided import ProvidedAssistant
from evals.tasks.chat.user_hearing import UserHearing
from evals.tasks.tts.second_voices import SecondVoices
from fixtures.audio.read import SAMPLE_RATE, AudioError, Samples, load_audio
from fixtures.dialogues.dialogues import Dialogue, Dialogues


@dataclass(frozen=True, slots=True)
class _Asked:
    """A turn of the user with all that was said before it; index: of the line.

    again: it has its line, and is asked for what nobody kept: the sound of an answer to what was
    typed, which the turns after it are told. unreadable: why its recording cannot be read any more.
    """

    index: int
    again: bool
    dialogue: Dialogue
    number: int
    text: str
    turns: Sequence[Turn]
    unreadable: str | None = None


def converse(
    model: LoadedModel | ProvidedAssistant,
    dialogues: Dialogues,
    sounds: Mapping[str, Path],
    judges: Sequence[Judge],
    file: LineFile[Replied],
    run: Path,
    *,
    typed: bool = False,
    second: SecondVoices | None = None,
    scoring: str = SPOKEN,
    contended: bool = False,
    hearing: UserHearing | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """One `Replied` per turn of the user, in order, appended to `file` as made.

    Turns that `file` has already are left, and what was answered then is told as said.
    sounds: of each turn, by its id. typed: the assistant gets the user's words as text instead,
    and its voice is not listened to. hearing: the judges that hear the user. run: the run's
    folder, which the names of kept audio are relative to. An exchange that the model failed on is
    left out of what it is told later. second, scoring: as in `synthesize_corpus`.
    """
    folder = file.path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, ProvidedAssistant):
        _copy_down(model, dialogues, judges, file, run, typed=typed, advance=advance)
        return
    assistant = model
    earlier = {line.id: line for line in read_lines(file.path, Replied)} if file.begun else {}
    said: list[Turn] = []  # of the present dialogue, before the present turn

    def asked() -> Iterator[_Asked]:
        index = dialogues.turns - 1 if typed else -1
        for dialogue in dialogues:
            said[:] = [Turn("system", dialogue.system)] if dialogue.system else []
            ids = [_id(dialogue, n, typed) for n in range(1, len(dialogue.exchanges) + 1)]
            is_done = all(name in earlier for name in ids)
            for number, exchange in enumerate(dialogue.exchanges, start=1):
                index += 1
                text, unreadable = exchange.user.text, None
                if typed:
                    turn = Turn("user", text)
                else:
                    samples, unreadable = _heard(sounds[dialogue.turn_id(number)])
                    turn = Turn("user", None, Audio(samples, SAMPLE_RATE))
                known = earlier.get(_id(dialogue, number, typed))
                unkept = typed and known is not None and known.audio_seconds is not None
                if known is not None:
                    advance()
                if known is None or (unkept and not is_done):
                    turns = (*said, turn)
                    again = known is not None
                    yield _Asked(index, again, dialogue, number, text, turns, unreadable)
                elif known.error is None:
                    said.extend((turn, _said(known, run)))

    def answer_to(one: _Asked) -> Timed[Reply]:
        if one.unreadable is not None:
            raise WorkerError("refused", one.unreadable)
        return assistant.reply(one.turns)

    for asked_one in ask_each(assistant, asked(), answer_to):
        one, answer = asked_one.item, asked_one.answer
        if isinstance(answer, Timed):
            said += [one.turns[-1], Turn("assistant", answer.result.text, answer.result.audio)]
        if one.again:
            continue
        path = folder / file_name(one.index + 1, one.dialogue.turn_id(one.number))
        line = _line(one, answer, judges, None if typed else path, run, contended)
        user_heard: Mapping[str, str] = {}
        if hearing is not None and not typed:
            turn = one.dialogue.turn_id(one.number)
            user_heard = hearing.of(sounds[turn], one.dialogue.lang)
        line = replace(line, user_heard=user_heard, attempts=asked_one.attempts)
        if second is not None and line.heard:
            again = second.hear(line.answer, line.lang, line.heard, judges, scoring)
            line = replace(line, heard_second=again)
        file.append(replace(line, index=one.index))
        advance()


def _copy_down(
    assistant: ProvidedAssistant,
    dialogues: Dialogues,
    judges: Sequence[Judge],
    file: LineFile[Replied],
    run: Path,
    *,
    typed: bool,
    advance: Callable[[], None],
) -> None:
    """As `converse`, of answers that exist already; without any to what was typed, no line."""
    if typed and not assistant.answers_typed:
        return
    folder = file.path.with_suffix("")
    index = dialogues.turns - 1 if typed else -1
    for dialogue in dialogues:
        for number, exchange in enumerate(dialogue.exchanges, start=1):
            index += 1
            if _id(dialogue, number, typed) not in file:
                one = _Asked(index, False, dialogue, number, exchange.user.text, ())
                answer = assistant.answer(dialogue.id, number, typed=typed)
                path = folder / file_name(index + 1, dialogue.turn_id(number))
                line = _line(one, answer, judges, None if typed else path, run, False)
                file.append(replace(line, index=index, processing_seconds=None))
            advance()


def _heard(path: Path) -> tuple[Samples, str | None]:
    """The samples of a recording, or none and why: it has changed since it was checked."""
    try:
        return load_audio(path), None
    except AudioError as error:
        return np.zeros(0, np.float32), f"{path} {error}"


def _id(dialogue: Dialogue, number: int, typed: bool) -> str:
    return dialogue.turn_id(number) + ("/typed" if typed else "")


def _said(line: Replied, run: Path) -> Turn:
    """What the assistant said in an earlier session, to the last bit."""
    audio = None
    if line.audio is not None:
        samples, rate = soundfile.read(run / line.audio, dtype="float32")
        audio = Audio(samples, rate)
    return Turn("assistant", line.answer, audio)


def _line(
    one: _Asked,
    answer: Timed[Reply] | str,
    judges: Sequence[Judge],
    path: Path | None,
    run: Path,
    contended: bool,
) -> Replied:
    """path: where the spoken answer is kept; None where the turn was typed."""
    dialogue, typed = one.dialogue, path is None
    timed = answer if isinstance(answer, Timed) else None
    audio = timed.result.audio if timed else None
    heard: Mapping[str, str] = {}
    unheard: Mapping[str, str] = {}
    if audio is not None and path is not None:
        keep(audio, path)
        heard, unheard = listen(
            replace(audio, language=dialogue.lang), [j for j in judges if j.speaks(dialogue.lang)]
        )
    kept = path if audio is not None else None
    return Replied(
        id=_id(dialogue, one.number, typed),
        dialogue=dialogue.id,
        turn=one.number,
        user=one.text,
        typed=typed,
        answer=timed.result.text if timed else "",
        audio=kept.relative_to(run).as_posix() if kept else None,
        audio_seconds=audio.seconds if audio is not None else None,
        sample_rate=audio.sample_rate if audio is not None else None,
        processing_seconds=timed.seconds if timed else None,
        error=answer if isinstance(answer, str) else None,
        category=dialogue.category,
        lang=dialogue.lang,
        contended=contended,
        waited_seconds=timed.waited_seconds if timed else None,
        first_token_seconds=timed.first_token_seconds if timed else None,
        first_audio_seconds=timed.first_audio_seconds if timed else None,
        understood=timed.result.heard if timed else None,
        heard=heard,
        unheard=unheard,
    )
