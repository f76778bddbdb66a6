"""What each engine does, as a Markdown table made from the adapters' own declarations."""

from __future__ import annotations

from adapters.catalog.engine import EngineRef, known_engines
from adapters.interface import Adapter

BEGIN = "<!-- python -m adapters engines --write -->\n"
END = "<!-- end of the table -->\n"
_PYTHON = "3.11"  # the project's own
_HEADINGS = (
    "engine", "extra", "Python", "tasks", "devices", "streams", "batches", "times", "longest audio",
)  # fmt: skip


def table() -> str:
    """One row per engine, and below it what each cannot do on a device that it can use."""
    rows = [_HEADINGS, tuple("---" for _ in _HEADINGS)]
    notes: list[str] = []
    for name in known_engines():
        ref = EngineRef(name)
        adapter = ref.adapter()
        rows.append(_row(name, ref.tasks(), adapter))
        notes += [
            f"- {name} on {r.device}: no `{r.option}` {_values(r.values)} ({r.why})"
            for r in adapter.restrictions
        ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", *notes] if notes else lines) + "\n"


def updated(page: str) -> str:
    """The page with the table between its two marks made anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(name: str, tasks: tuple[str, ...], adapter: type[Adapter]) -> tuple[str, ...]:
    longest = adapter.longest_audio
    return (
        f"`{name}`",
        f"`{adapter.extra}`" if adapter.extra else "-",
        f"{adapter.python or _PYTHON}+",
        ", ".join(tasks),
        ", ".join(adapter.devices),
        ", ".join(adapter.streams) or "-",
        "yes" if adapter.batches else "-",
        (adapter.timestamps or "-") if "asr" in tasks else "-",
        ("hours" if longest is None else f"{longest:g} s") if "asr" in tasks else "-",
    )


def _values(values: object) -> str:
    return " or ".join(f"`{value}`" for value in values) if isinstance(values, tuple | list) else ""
