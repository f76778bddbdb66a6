"""Asking a model one thing after another, through its errors and deaths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from adapters.process import Timed, WorkerError
from evals.models import LoadedModel

#: A model that keeps dying is given up after this many deaths on one corpus.
MAX_DEATHS = 3

T = TypeVar("T")
R = TypeVar("R")


def ask_each(
    model: LoadedModel, items: Iterable[T], ask: Callable[[T], Timed[R]]
) -> Iterator[tuple[T, Timed[R] | str]]:
    """Each item with the model's answer, or with the error for want of one.

    ask: raises WorkerError where the model fails. Where the model's process dies it is started
    anew, and warm, for the next item; after MAX_DEATHS the rest are errors without being tried,
    so that none is dropped.
    """
    deaths = 0
    given_up: str | None = None
    for item in items:
        if given_up is not None:
            yield item, given_up
            continue
        try:
            if not model.alive:
                model.restart()
            answer: Timed[R] | str = ask(item)
        except WorkerError as failure:
            answer = str(failure)
            if not model.alive:
                deaths += 1
                if deaths >= MAX_DEATHS:
                    given_up = f"not tried: the model's process died {deaths} times: {answer}"
        yield item, answer
