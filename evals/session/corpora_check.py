"""The named corpora are looked through before any model is loaded: what is wrong is exit code 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import pytest
from _pytest.mark.expression import Expression

from adapters.plugin import MODELS
from evals.gate.baseline import BaselineError
from evals.gate.case import Case
from evals.gate.thresholds import PRODUCTION
from evals.measures.text.normalizers import normalizer_of
from evals.session.collection import CORPUS_FIXTURES, asks_for, limited, named_files
from evals.session.limits import BASELINE, THRESHOLDS, thresholds_of
from evals.session.provided import listens
from evals.task import TASKS, Task
from fixtures.builtin.synthesize import Speak
from fixtures.corpora.corpus import Corpus, CorpusError
from fixtures.corpora.sentences import Sentences
from fixtures.plugin import sources
from fixtures.source import CorpusSource

#: The fixture of a task's corpus, by the task's kind of corpus.
_FIXTURES = {
    "speech": "checked_corpus",
    "sentences": "checked_sentences",
    "dialogues": "checked_dialogues",
}


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Of the tests that are left when all others have selected."""
    yield
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    refuse_unusable(_corpora_of(items), config)
    if any(item.get_closest_marker("asr") for item in items):
        refuse_unreadable_baseline(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Under pytest-xdist, before its workers start: its controller has no tests itself."""
    config = session.config
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    if config.getoption("numprocesses", None):
        refuse_unusable(_corpora_of_tasks(config), config)
        if _is_selected(TASKS["asr"], config):
            refuse_unreadable_baseline(config)


def refuse_unusable(named: Iterable[tuple[str, CorpusSource]], config: pytest.Config) -> None:
    """Raise UsageError with what is wrong in all of them. named: with the fixture of each."""
    wrong: dict[str, None] = {}
    for fixture, source in named:
        if source.manifest is None:
            continue
        try:
            _open(fixture, source, config)
        except (CorpusError, ValueError) as error:
            wrong[f"corpus {source.name}:\n{error}"] = None
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def refuse_unreadable_baseline(config: pytest.Config) -> None:
    """Raise UsageError where a model of the session cannot be held to what the baseline has."""
    baseline = config.stash.get(BASELINE, None)
    if baseline is None:
        return
    for model in config.stash[MODELS]:
        for source in sources(config, "asr"):
            try:
                baseline.check_lines(Case(model.name, model.tier, "asr", source.name))
            except BaselineError as error:
                raise pytest.UsageError(f"--baseline {baseline.path}: {error}") from None


def _open(fixture: str, source: CorpusSource, config: pytest.Config) -> None:
    if fixture == "checked_dialogues":
        source.open_dialogues()
        return
    found: Corpus | Sentences
    sound = listens(config)
    if fixture == "checked_sentences":
        found = source.open_sentences(_no_voice, sound=sound)
    else:
        found = source.open(_no_voice, sound=sound)
    if config.stash[THRESHOLDS].named_normalizer(found.name) is None:
        normalizer_of(found)
    if isinstance(found, Corpus):
        with_alternatives(found, config)


def with_alternatives(corpus: Corpus, config: pytest.Config) -> Corpus:
    """The corpus with the further right texts that thresholds.yaml names. Raises ValueError."""
    rules = thresholds_of(config).corpora.get(corpus.name)
    if rules is None or not rules.alternatives:
        return corpus
    try:
        return corpus.also_right(rules.alternatives)
    except ValueError as error:
        raise ValueError(f"thresholds.yaml: corpora.{corpus.name}.alternatives: {error}") from None


def _no_voice() -> AbstractContextManager[Speak]:
    raise AssertionError("a corpus of files needs no synthesizer")


def _corpora_of(items: Iterable[pytest.Item]) -> Iterable[tuple[str, CorpusSource]]:
    """The corpora that tests are of, each once, with the fixture that opens it."""
    found: dict[tuple[str, str], tuple[str, CorpusSource]] = {}
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        for fixture in CORPUS_FIXTURES:
            if isinstance(source := params.get(fixture), CorpusSource):
                found[fixture, source.name] = fixture, source
    return found.values()


def _corpora_of_tasks(config: pytest.Config) -> Iterator[tuple[str, CorpusSource]]:
    """Those of the tasks that the command line selects."""
    done = set()
    for task in TASKS.values():
        fixture = _FIXTURES.get(task.corpus)
        if fixture is None or fixture in done or not _is_selected(task, config):
            continue
        if any(task.protocol in model.tasks for model in config.stash[MODELS]):
            done.add(fixture)
            for source in sources(config, task.protocol):
                yield fixture, source


def _is_selected(task: Task, config: pytest.Config) -> bool:
    """Whether -m and the named files let a test of the task run. pytest refuses a wrong -m."""
    if task.where_named and not asks_for(task, config):
        return False
    files = {name for name in named_files(config) if name.endswith(".py")}
    if files and task.file_name not in files:
        return False
    marks = {task.name, *([PRODUCTION] if task.name in limited(config) else [])}
    try:
        expression = Expression.compile(config.option.markexpr or "True")
        return any(
            expression.evaluate(lambda name, /, marks=found, **arguments: name in marks)
            for found in ({"True", *marks}, {"True", "real_e2e", *marks})
        )
    except SyntaxError:
        return False
