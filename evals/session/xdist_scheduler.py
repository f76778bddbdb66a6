"""Which of pytest-xdist's workers runs what: one model's part of the corpora stays together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from xdist.scheduler import LoadScopeScheduling

_PART = re.compile(r"-(\d+of\d+)\]$")


class ByModelAndPart(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A model's tests of one part go to one worker, which loads it once; other tests, anywhere."""

    def __init__(self, config: Any, log: Any, models: Sequence[str]) -> None:
        super().__init__(config, log)
        # The longest name first: one model's may be the beginning of another's.
        self._models = sorted(models, key=len, reverse=True)

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith("evals/"):
            return nodeid
        parameters = nodeid.partition("[")[2]
        model = next((m for m in self._models if parameters.startswith((f"{m}-", f"{m}]"))), nodeid)
        part = _PART.search(nodeid)
        return f"{model} {part[1] if part else ''}"

    def remove_node(self, node: Any) -> str | None:
        """The test over which a worker died is not tried again: it would take the next one too."""
        units = self.assigned_work.get(node, {}).values()
        crashed = next((n for unit in units for n, done in unit.items() if not done), None)
        if crashed is not None:
            for unit in units:
                if crashed in unit:
                    unit[crashed] = True
        super().remove_node(node)
        return crashed
