"""Which tests there are: a model and a corpus each, those that are asked for, in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from adapters.catalog.model import Model
from adapters.plugin import MODELS
from evals.gate.thresholds import PRODUCTION
from evals.run.shards import Part
from evals.session.limits import thresholds_of
from evals.session.run import worker_count
from evals.task import TASKS, Task
from fixtures.plugin import CORPORA, sources

#: The fixture by which a test gets its model, and the task that the model must do.
_MODEL_FIXTURES = {
    "transcriber": "asr",
    "recognizer": "asr",
    "tts_model": "tts",
    "chat_model": "chat",
}
#: The fixture by which a test gets its corpus, and the task whose corpora those are.
CORPUS_FIXTURES = {
    "checked_corpus": "asr",
    "checked_sentences": "tts",
    "checked_dialogues": "chat",
}


@pytest.hookimpl(trylast=True)  # after adapters.plugin and fixtures.plugin, whose choice it checks
def pytest_configure(config: pytest.Config) -> None:
    _refuse_unheld(config)
    _refuse_twins(config)


def _refuse_twins(config: pytest.Config) -> None:
    """Model and corpus make the name of a test, which must not be that of two."""
    seen: dict[str, tuple[str, str]] = {}
    for model in config.stash[MODELS]:
        for source in config.stash[CORPORA]:
            pair = model.name, source.name
            twin = seen.setdefault("-".join(pair), pair)
            if twin != pair:
                raise pytest.UsageError(
                    f"--corpus: the model {pair[0]} on {pair[1]} and the model {twin[0]} on "
                    f"{twin[1]} would both be called {'-'.join(pair)}: rename a manifest"
                )


def _refuse_unheld(config: pytest.Config) -> None:
    """Conversations that were named are to be held, and not to be left out without a word."""
    held = next((s.name for s in config.stash[CORPORA] if s.holds_dialogues), None)
    able = [task for task in TASKS.values() if task.corpus == "dialogues"]
    if held is not None and not any(asks_for(task, config) for task in able):
        names = " or ".join(task.name for task in able)
        raise pytest.UsageError(
            f"--corpus: {held} holds conversations, which only the {names} task can use: "
            f"add -m {able[0].name}"
        )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of the tasks that the production tier limits, before -m selects."""
    if any(item.get_closest_marker(task) for task in limited(item.config)):
        item.add_marker(PRODUCTION)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m asr` selects none of the harness's own tests, so their modules are not even read.

    Their only marks that anyone selects by are `slow` and `engine`, so an expression that is
    false with none and with either leaves them all out. A wrong expression is pytest's to refuse.
    """
    own_tests = Path(__file__).parents[2] / "tests"
    if own_tests not in (collection_path, *collection_path.parents):
        return None
    try:
        expression = Expression.compile(config.option.markexpr or "True")
        selects_some = any(
            expression.evaluate(lambda name, /, mark=mark, **arguments: name in ("True", mark))
            for mark in ("", "slow", "engine")
        )
    except SyntaxError:
        return None
    return None if selects_some else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = [task for name, task in _MODEL_FIXTURES.items() if name in metafunc.fixturenames]
    if not wanted:
        return
    params = [
        pytest.param(model, id=model.name, marks=() if model.shipped else pytest.mark.real_e2e)
        for model in metafunc.config.stash[MODELS]
        if all(task in model.tasks for task in wanted)
    ]
    metafunc.parametrize("model", params, indirect=True, scope="session")
    for name, task in CORPUS_FIXTURES.items():
        if name in metafunc.fixturenames:
            found = sources(metafunc.config, task)
            ids = [source.name for source in found]
            metafunc.parametrize(name, found, ids=ids, indirect=True, scope="session")
    workers = worker_count(metafunc.config)
    if workers > 1 and _is_shared_out(metafunc.fixturenames):
        shares = [Part(number, workers) for number in range(1, workers + 1)]
        ids = [f"{share.number}of{share.of}" for share in shares]
        metafunc.parametrize("part", shares, ids=ids, indirect=True, scope="session")


def _is_shared_out(fixtures: Sequence[str]) -> bool:
    """Whether processes can share a test's work: what it does is one thing per utterance."""
    return "corpus" in fixtures and bool({"transcriber", "recognizer"} & set(fixtures))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All tests of one model together, so that it is loaded once, whatever the corpora."""
    _leave_out_unasked(config, items)
    models = config.stash[MODELS]
    order = {model.name: index for index, model in enumerate(models)}

    def place(item: pytest.Item) -> int:
        model = getattr(getattr(item, "callspec", None), "params", {}).get("model")
        return order.get(model.name, -1) if isinstance(model, Model) else -1

    # Evaluations first, as they were collected; a stable sort leaves the rest as it is.
    evaluations = [item for item in items if place(item) >= 0]
    others = [item for item in items if place(item) < 0]
    items[:] = sorted(evaluations, key=place) + others


def _leave_out_unasked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of tasks that take long run where -m or a path names them."""
    unasked = [t for t in TASKS.values() if t.where_named and not asks_for(t, config)]

    def left_out(item: pytest.Item) -> bool:
        return any(item.get_closest_marker(task.name) for task in unasked)

    if gone := [item for item in items if left_out(item)]:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not left_out(item)]


def asks_for(task: Task, config: pytest.Config) -> bool:
    """Whether a path or -m names the task."""
    if task.file_name in named_files(config):
        return True
    marks = {task.name, *([task.selected_with] if task.selected_with else [])}
    marks |= {PRODUCTION} if task.name in limited(config) else set()
    return _selects(marks, config.option.markexpr or "")


def _selects(marks: Set[str], expression: str) -> bool:
    """Whether -m names one of a test's marks, and not to leave it out.

    A wrong expression is pytest's to refuse.
    """
    if marks.isdisjoint(re.findall(r"\w+", expression)):
        return False
    try:
        return Expression.compile(expression).evaluate(lambda name, /, **arguments: name in marks)
    except SyntaxError:
        return True


def limited(config: pytest.Config) -> Set[str]:
    """The tasks that the production tier limits."""
    tier = thresholds_of(config).tiers[PRODUCTION]
    return {task for task, limits in tier.limits.items() if limits}


def named_files(config: pytest.Config) -> set[str]:
    """Of the files that the command line names."""
    return {Path(argument.partition("::")[0]).name for argument in config.args}
