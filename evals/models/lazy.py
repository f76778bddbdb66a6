"""A model that is loaded when somebody needs it, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from adapters.worker.results import WorkerError
from evals.models.loaded import LoadedModel


class LazyModel:
    """Gives the loaded model each time that it is called; it is loaded the first time.

    Raises WorkerError where it cannot be loaded, the same one each time without trying again.
    """

    def __init__(
        self,
        name: str,
        opened: Callable[[], AbstractContextManager[LoadedModel]],
        stack: ExitStack,
    ) -> None:
        self.name = name
        self._opened = opened
        self._stack = stack
        self._model: LoadedModel | None = None
        self._failure: WorkerError | None = None

    def __call__(self) -> LoadedModel:
        if self._failure is not None:
            raise self._failure
        if self._model is None:
            try:
                self._model = self._stack.enter_context(self._opened())
            except WorkerError as error:
                self._failure = error
                raise
        return self._model


@contextmanager
def lazy_model(
    name: str, opened: Callable[[], AbstractContextManager[LoadedModel]]
) -> Iterator[LazyModel]:
    """A model by its name; if it was loaded its process ends with the block."""
    with ExitStack() as stack:
        yield LazyModel(name, opened, stack)
