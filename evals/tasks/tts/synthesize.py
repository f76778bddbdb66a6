"""Having a list of sentences spoken, kept and listened to: where `Spoken` lines are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.interface import Audio, Speech
from adapters.worker.results import Timed
from evals.judges.asr_judge import Judge
from evals.measures.text.normalizers import SPOKEN
from evals.models.loaded import LoadedModel
from evals.models.retry import ask_each
from evals.records.jsonl_writer import LineFile
from evals.records.spoken import Spoken
from evals.run.audio_files import file_name, keep, listen
from evals.tasks.tts.provided import ProvidedVoice
from evals.tasks.tts.second_voices import SecondVoices
from fixtures.audio.read import SAMPLE_RATE, AudioError, Samples
from fixtures.corpora.sentences import Sentence, Sentences


def synthesize_corpus(
    model: LoadedModel | ProvidedVoice,
    sentences: Sentences,
    judges: Sequence[Judge],
    file: LineFile[Spoken],
    run: Path,
    *,
    second: SecondVoices | None = None,
    scoring: str = SPOKEN,
    contended: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """One `Spoken` per sentence, in order, appended to `file` as made; the audio is kept beside it.

    Sentences that `file` has already are left. run: the run's folder, which the audio's file
    names are relative to. A sentence that the model fails on is a line with its error. second: the
    voices that say what a judge misheard by the normalizer `scoring`.
    """
    folder = file.path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)

    def missing() -> Iterator[tuple[int, Sentence]]:
        for index, sentence in enumerate(sentences):
            if sentence.id in file:
                advance()
            else:
                yield index, sentence

    if isinstance(model, ProvidedVoice):
        every = model.each(missing())
    else:
        voice = model
        every = ask_each(model, missing(), lambda one: voice.synthesize(one[1].text))
    for asked in every:
        index, sentence = asked.item
        name = folder / file_name(index + 1, sentence.id)
        line = _line(sentence, asked.answer, judges, name, run)
        if second is not None and line.error is None:
            again = second.hear(sentence.text, sentence.lang, line.heard, judges, scoring)
            line = replace(line, heard_second=again)
        if isinstance(model, ProvidedVoice):
            line = replace(line, processing_seconds=model.seconds(sentence))
        file.append(replace(line, contended=contended, index=index, attempts=asked.attempts))
        advance()


def _line(
    sentence: Sentence, answer: Timed[Speech] | str, judges: Sequence[Judge], path: Path, run: Path
) -> Spoken:
    about: dict[str, Any] = {
        "category": sentence.category,
        "lang": sentence.lang,
        "metadata": dict(sentence.metadata),
    }
    if isinstance(answer, str):
        # Who would have understood it heard nothing: all deletions.
        nothing = {judge.name: "" for judge in judges if judge.understands(sentence)}
        return Spoken(
            sentence.id, sentence.text, None, None, None, None,
            error=answer, heard=nothing, **about,
        )  # fmt: skip
    audio = answer.result.audio
    keep(audio, path)
    able = [judge for judge in judges if judge.understands(sentence)]
    heard, unheard = listen(replace(audio, language=sentence.lang), able)
    recorded: Mapping[str, str] = {}
    if (samples := _recording_of(sentence)) is not None:
        recorded, deaf = listen(Audio(samples, SAMPLE_RATE, sentence.lang), able)
        unheard = {**deaf, **unheard}
    return Spoken(
        id=sentence.id,
        text=sentence.text,
        audio=path.relative_to(run).as_posix(),
        audio_seconds=audio.seconds,
        sample_rate=audio.sample_rate,
        processing_seconds=answer.seconds,
        waited_seconds=answer.waited_seconds,
        first_audio_seconds=answer.first_audio_seconds,
        heard=heard,
        heard_recording=recorded,
        unheard=unheard,
        joules=answer.joules,
        energy_method=answer.energy_method,
        **about,
    )


def _recording_of(sentence: Sentence) -> Samples | None:
    """How a person said it; None where nobody did, or the file has changed since it was checked."""
    if sentence.recording is None:
        return None
    try:
        return sentence.recording.load()
    except AudioError:
        return None
