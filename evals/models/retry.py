"""Asking a model one thing after another, through its errors and deaths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from adapters.worker.results import Timed, WorkerError
from evals.models.loaded import LoadedModel

#: A model that dies over so many items one after another, each tried twice, is given up.
MAX_IN_A_ROW = 3
#: So is one that dies over so many of a corpus in all.
MAX_DEATHS = 20

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answered(Generic[T, R]):
    """An item with the model's answer, or with the error for want of one.

    attempts: how often it was tried; 0 where the model had been given up.
    """

    item: T
    answer: Timed[R] | str
    attempts: int = 1


class Patience:
    """How often a model may die over what it is asked before the rest is not tried."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._deaths = 0
        #: Why nothing more is tried; None while it is.
        self.over: str | None = None

    def survived(self) -> None:
        """The model has answered, or refused."""
        self._in_a_row = 0

    def died(self, why: str) -> None:
        """The model's process died over an item, the second time too."""
        self._in_a_row += 1
        self._deaths += 1
        if self._in_a_row >= MAX_IN_A_ROW or self._deaths >= MAX_DEATHS:
            over = f"not tried: the model's process died over {self._deaths} others, twice each"
            self.over = f"{over}: {why}"


def ask_once(
    model: LoadedModel, item: T, ask: Callable[[T], Timed[R]], patience: Patience
) -> Answered[T, R]:
    """The answer to one item. Where the model's process dies it is started anew, warm, and the
    item is tried once more: what killed it may have come from outside.

    ask: raises WorkerError where the model fails.
    """
    if patience.over is not None:
        return Answered(item, patience.over, 0)
    for attempt in (1, 2):
        try:
            if not model.alive:
                _revive(model)
            answer = Answered(item, ask(item), attempt)
        except WorkerError as failure:
            if model.alive:
                answer = Answered(item, str(failure), attempt)
            elif attempt == 1:
                continue
            else:
                patience.died(str(failure))
                return Answered(item, f"{failure} (tried twice)", attempt)
        patience.survived()
        return answer
    raise AssertionError("two attempts end in an answer or an error")


def _revive(model: LoadedModel) -> None:
    """Start its process anew, a second time where it dies meanwhile, which is not the item's doing.

    Raises WorkerError.
    """
    try:
        model.restart()
    except WorkerError:
        if model.alive:
            raise
        model.restart()


def ask_each(
    model: LoadedModel, items: Iterable[T], ask: Callable[[T], Timed[R]]
) -> Iterator[Answered[T, R]]:
    """Each item with the model's answer or an error, so that none is dropped."""
    patience = Patience()
    for item in items:
        yield ask_once(model, item, ask, patience)
