"""The audio that models make: kept in the run, so that people can listen, and judges do."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile

from adapters.interface import Audio
from adapters.worker.results import WorkerError
from evals.judges.asr_judge import Judge
from evals.records.jsonl_reader import read_lines
from evals.records.jsonl_writer import LineFile
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from fixtures.audio.read import SAMPLE_RATE, to_mono_16k
from fixtures.corpora.corpus import Utterance

Line = TypeVar("Line", Spoken, Replied)


def keep(audio: Audio, path: Path) -> None:
    """Write it as WAV of floats: integers would clip what is too loud, and hide NaN."""
    content = io.BytesIO()
    soundfile.write(content, audio.samples, audio.sample_rate, format="WAV", subtype="FLOAT")
    path.write_bytes(content.getvalue())  # whose error says what is wrong with the disk


def listen(audio: Audio, judges: Sequence[Judge]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What each judge hears, raw, by its name; and of those that failed, why."""
    heard: dict[str, str] = {}
    unheard: dict[str, str] = {}
    for judge in judges:
        try:
            if len(audio.samples) and np.isfinite(audio.samples).all():
                heard[judge.name] = judge.hear(
                    to_mono_16k(audio.samples, audio.sample_rate), audio.language
                )
            else:
                heard[judge.name] = ""  # of what is no sound there is nothing to hear
        except WorkerError as error:
            unheard[judge.name] = str(error)
    return heard, unheard


def hear_again(
    file: LineFile[Line],
    kind: type[Line],
    judges: Callable[[], Sequence[Judge]],
    run: Path,
    recordings: Mapping[str, Utterance] | None = None,
) -> None:
    """Ask judges once more for what they failed on in earlier sessions.

    file: whose lines are replaced; all else in them stays. judges: loads them, where there is
    anything to ask. run: the folder that names of kept audio are relative to. recordings: of
    people, by the lines' ids.
    """
    if not file.begun:
        return
    again = [line for line in read_lines(file.path, kind) if line.unheard and line.audio]
    if not again:
        return
    heard = [_heard_again(line, judges(), run, (recordings or {}).get(line.id)) for line in again]
    if changed := [new for old, new in zip(again, heard, strict=True) if new != old]:
        file.replace(changed)


def _heard_again(
    line: Line, judges: Sequence[Judge], run: Path, recording: Utterance | None
) -> Line:
    failed = [judge for judge in judges if judge.name in line.unheard]
    samples, rate = soundfile.read(run / str(line.audio), dtype="float32")
    heard, unheard = listen(
        Audio(samples, rate, line.lang), [j for j in failed if j.name not in line.heard]
    )
    heard = _in_order({**line.heard, **heard}, judges)
    if isinstance(line, Replied):
        return replace(line, heard=heard, unheard=unheard)
    recorded: Mapping[str, str] = line.heard_recording
    if recording is not None:
        audio = Audio(recording.load(), SAMPLE_RATE, line.lang)
        of_person, deaf = listen(audio, [j for j in failed if j.name not in recorded])
        recorded = _in_order({**recorded, **of_person}, judges)
        unheard = {**deaf, **unheard}
    return replace(line, heard=heard, heard_recording=recorded, unheard=unheard)


def _in_order(heard: Mapping[str, str], judges: Sequence[Judge]) -> Mapping[str, str]:
    """Limits hold for what the first of the judges hears."""
    return {judge.name: heard[judge.name] for judge in judges if judge.name in heard}


def file_name(number: int, name: str) -> str:
    """A file name that sorts by number and shows what it is of, whatever the name holds."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:60]
    return f"{number:05d}-{safe}.wav"
