"""The fixtures of what models hear and say: corpora, sentences, conversations, and their rules."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evals.measures.text.normalizers import SPOKEN, normalizer_of
from evals.measures.text.scoring.row_rule import check_row, rows_not_english
from evals.models.corpus_synthesizer import synthesizer
from evals.models.loaded import Settings
from evals.session.corpora_check import with_alternatives
from evals.session.limits import LISTENERS, THRESHOLDS
from evals.session.provided import listens
from evals.tasks.tts.scores import Listeners
from fixtures.audio.read import SAMPLE_RATE, load_audio
from fixtures.builtin.non_speech import non_speech_corpus
from fixtures.builtin.synthesize import Speaker
from fixtures.corpora.corpus import Corpus, CorpusError
from fixtures.corpora.fields import add_text_rule
from fixtures.corpora.sentences import Sentences
from fixtures.dialogues.dialogues import Dialogues
from fixtures.source import CorpusSource

#: The name under which a corpus's provenance travels in user_properties.
CORPUS_PROPERTY = "model_lab.corpus"

#: Says at the end of a test what its corpus was.
_TOLD_LATER: pytest.StashKey[Callable[[], None]] = pytest.StashKey()

add_text_rule(check_row)


@pytest.fixture(scope="session")
def speaker(settings: Settings) -> Speaker:
    """Opens the synthesizer of the built-in corpora."""
    return partial(synthesizer, settings)


@pytest.fixture(scope="session")
def checked_corpus(request: pytest.FixtureRequest, speaker: Speaker) -> Corpus:
    """One corpus after another, every file of it checked."""
    source: CorpusSource = request.param
    try:
        corpus = source.open(speaker, sound=listens(request.config))
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)
    if listens(request.config):
        _tell_oddities(corpus)
    if corpus.traits.beyond_ascii and (foreign := rows_not_english(corpus)):
        warnings.warn(
            f"corpus {corpus.name}: {foreign:,} of {len(corpus):,} rows name no language and are "
            "scored as English, and their text is in other letters: add the key 'lang' to them",
            stacklevel=1,
        )
    return corpus


@pytest.fixture
def corpus(checked_corpus: Corpus, request: pytest.FixtureRequest) -> Corpus:
    """The corpus that the test runs on."""

    def tell() -> None:
        heard = listens(request.config)
        seconds = checked_corpus.audio_seconds if heard else _seconds_told(checked_corpus)
        _tell_corpus(checked_corpus, seconds, request)

    if checked_corpus.is_large:  # to open all of its files now would take longer than many models
        request.node.stash[_TOLD_LATER] = tell
    else:
        tell()
    try:
        return with_alternatives(checked_corpus, request.config)
    except ValueError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Say what a large corpus was. An interrupted session does not get here, and need not wait."""
    tell = item.stash.get(_TOLD_LATER, None)
    if tell is not None:
        tell()


def _seconds_told(corpus: Corpus) -> float | None:
    """How long a corpus is that nobody hears: by its rows, else by sound that happens to be there.

    None where neither tells.
    """
    lengths = [utterance.duration for utterance in corpus]
    known = [length for length in lengths if length is not None]
    if len(known) == len(lengths):
        return sum(known)
    try:
        return corpus.audio_seconds if corpus.has_sound else None
    except CorpusError:
        return None


@pytest.fixture(scope="session")
def checked_sentences(request: pytest.FixtureRequest, speaker: Speaker) -> Sentences:
    """One list of sentences after another, every recording of it checked."""
    source: CorpusSource = request.param
    try:
        found = source.open_sentences(speaker, sound=listens(request.config))
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)
    if listens(request.config):
        _tell_oddities(found)
    return found


@pytest.fixture
def sentences(checked_sentences: Sentences, request: pytest.FixtureRequest) -> Sentences:
    """The sentences that the test has spoken."""
    _tell_corpus(checked_sentences, checked_sentences.audio_seconds, request)
    return checked_sentences


@pytest.fixture(scope="session")
def checked_dialogues(request: pytest.FixtureRequest) -> Dialogues:
    """One set of conversations after another, every recording of it checked."""
    source: CorpusSource = request.param
    try:
        found = source.open_dialogues()
    except CorpusError as error:
        pytest.fail(f"corpus {source.name}:\n{error}", pytrace=False)
    if listens(request.config):
        _tell_oddities(found)
    return found


@pytest.fixture
def dialogues(
    checked_dialogues: Dialogues,
    user_sounds: Mapping[str, Path],
    user_voice: Mapping[str, Any] | None,
    request: pytest.FixtureRequest,
) -> Dialogues:
    """The conversations that the test holds."""
    seconds = sum(len(load_audio(path)) for path in user_sounds.values()) / SAMPLE_RATE
    seconds_heard = seconds if listens(request.config) else None
    _tell_corpus(checked_dialogues, seconds_heard, request, user_voice)
    return checked_dialogues


def _tell_oddities(corpus: Corpus | Sentences | Dialogues) -> None:
    """Say once what is odd about files that are used all the same."""
    for said in corpus.oddities:
        warnings.warn(f"corpus {corpus.name}: {said}", stacklevel=2)


def _tell_corpus(
    corpus: Corpus | Sentences | Dialogues,
    audio_seconds: float | None,
    request: pytest.FixtureRequest,
    user_voice: Mapping[str, Any] | None = None,
) -> None:
    row = {
        "name": corpus.name,
        "content_hash": corpus.content_hash,
        "utterances": len(corpus),
        "audio_seconds": None if audio_seconds is None else round(audio_seconds, 3),
        "language": corpus.language,
        "sampled_from": corpus.sampled_from,
        "user_voice": user_voice,
        "has_sound": not isinstance(corpus, Corpus) or corpus.has_sound,
    }
    request.node.user_properties.append((CORPUS_PROPERTY, json.dumps(row)))


@pytest.fixture
def fewer(corpus: Corpus, pytestconfig: pytest.Config) -> Corpus:
    """As much of the corpus as the robustness task puts through each condition."""
    return corpus.sample(pytestconfig.getoption("robustness_utterances"))


@pytest.fixture
def non_speech(corpus: Corpus) -> Corpus:
    """Sounds without a word, and utterances of the corpus between such sounds."""
    try:
        return non_speech_corpus(corpus)
    except CorpusError as error:
        pytest.fail(f"corpus {corpus.name}:\n{error}", pytrace=False)


@pytest.fixture
def scoring(corpus: Corpus, pytestconfig: pytest.Config) -> str:
    """The name of the corpus's normalizer."""
    return _normalizer_name(corpus, pytestconfig)


@pytest.fixture
def text_scoring(sentences: Sentences, pytestconfig: pytest.Config) -> str:
    """The name of the sentences' normalizer."""
    return _normalizer_name(sentences, pytestconfig)


def _normalizer_name(corpus: Corpus | Sentences, config: pytest.Config) -> str:
    named = config.stash[THRESHOLDS].named_normalizer(corpus.name)
    try:
        return named or normalizer_of(corpus)
    except ValueError as error:
        pytest.fail(f"corpus {corpus.name}: {error}", pytrace=False)


@pytest.fixture
def dialogue_scoring(dialogues: Dialogues, pytestconfig: pytest.Config) -> str:
    """The name of the conversations' normalizer."""
    return pytestconfig.stash[THRESHOLDS].named_normalizer(dialogues.name) or SPOKEN


@pytest.fixture
def rated_clips(pytestconfig: pytest.Config) -> int:
    """How many clips of a voice are rated."""
    return int(pytestconfig.getoption("rated_clips"))


@pytest.fixture
def listeners(pytestconfig: pytest.Config) -> Listeners:
    """The networks that rate voices, as named on the command line."""
    return pytestconfig.stash[LISTENERS]
