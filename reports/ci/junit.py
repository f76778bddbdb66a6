"""Figures as properties of a JUnit XML file, by names that a reader can use.

pytest writes every user property of a test into its `<testcase>`. The rows that carry Model Lab's
figures from worker to scorecard are JSON, many and long; these take their place. The schema that
the family "xunit2" follows (junit-10.xsd of Jenkins's xUnit plugin) has no properties in a
`<testcase>`, only in a `<testsuite>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from evals.gate import case as cases
from evals.metrics import metric_of
from evals.records import measurement as measurements
from evals.records.measurement import Measurement
from reports.scorecard.scorecard import Scorecard
from reports.text.safe_terminal import plain

_OWN = "model_lab."
Property: TypeAlias = tuple[str, str]


def readable(properties: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """A test's user properties; those of Model Lab become names and values for a reader."""
    kept: list[tuple[str, object]] = []
    about: list[Property] = []
    figures: list[Property] = []
    for name, value in properties:
        if name == cases.PROPERTY:
            case = cases.from_property(str(value))
            about = [
                ("model", case.model),
                ("task", case.task),
                ("corpus", case.corpus),
                ("tier", case.tier),
            ]
        elif name == measurements.PROPERTY:
            figures += _figure(measurements.from_property(str(value)))
        elif not name.startswith(_OWN):
            kept.append((name, value))
    return [*kept, *((plain(n), plain(v)) for n, v in (*about, *figures))]


def without_figures(properties: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """A test's user properties that are not Model Lab's."""
    return [(name, value) for name, value in properties if not name.startswith(_OWN)]


def suite_properties(card: Scorecard, path: Path, *, figures: bool) -> list[Property]:
    """Properties of the whole session. figures: with every test's, under MODEL/TASK/."""
    p = card.provenance
    found = [
        ("run", card.run.id),
        ("git_sha", p.git_sha or "none"),
        ("git_dirty", "unknown" if p.git_dirty is None else str(p.git_dirty).lower()),
        ("scorecard", str(path)),
        ("gate", card.run.gate),
        ("complete", str(card.run.complete).lower()),
    ]
    if card.baseline is not None:
        found.append(("baseline", card.baseline))
    uses = {
        f"recommendation[{use.use_case}]": use.model or "none"
        for use in (*card.recommendations, card.recommendation)
    }
    found += uses.items()
    for grade in card.grades:
        found.append((f"{grade.model}/grade", grade.grade or "none"))
        found.append((f"{grade.model}/gate", grade.gate))
    if figures:
        for m in card.measurements:
            found += ((f"{m.model}/{m.task}/{name}", value) for name, value in _figure(m))
    return [(plain(name), plain(value)) for name, value in found]


def _figure(m: Measurement) -> Iterator[Property]:
    """The properties of a measurement; none for a part of the corpus without a limit."""
    if not m.is_whole and m.limit is None and not m.gated:
        return
    by = f"/{m.normalizer}" if not metric_of(m.metric).may_be_limited else ""
    name = f"{m.key}{by}[{m.corpus}]"
    if m.value is not None:
        yield name, _number(m.value)
    if m.ci is not None:
        yield f"{name}.interval", f"{_number(m.ci[0])} {_number(m.ci[1])}"
    if m.limit is not None:
        side = "at most" if m.bound == "max" else "at least"
        yield f"{name}.limit", f"{side} {_number(m.limit)}"
    if m.limit is not None or m.value is None:
        yield f"{name}.verdict", m.verdict
    if m.reason:
        yield f"{name}.reason", m.reason


def _number(value: float) -> str:
    return f"{value:.6g}"
