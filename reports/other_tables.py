"""Tables of the tasks that have one of their own: drift by condition, and words in non-speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from evals.measurement import Measurement
from evals.robustness import CLEAN

#: What stands behind a figure whose limit is not shown to be kept.
MARK = {"fail": " x", "inconclusive": " ?"}
_HALLUCINATION = (
    ("words/min", "hallucinated_words_per_minute", "{:.2f}", 1),
    ("clips %", "hallucination_rate", "{:.1f}", 100),
    ("loops", "loops", "{:.0f}", 1),
    ("phantoms", "phantom_phrases", "{:.0f}", 1),
    ("before", "leading_insertions", "{:.0f}", 1),
    ("after", "trailing_insertions", "{:.0f}", 1),
)


def other_tables(measurements: Sequence[Measurement]) -> Iterator[Table]:
    """A table for each such task that ran."""
    if rows := [m for m in measurements if m.task == "robustness"]:
        yield _robustness(rows)
    if rows := [m for m in measurements if m.task == "hallucination"]:
        yield _hallucination(rows)


def _robustness(rows: Sequence[Measurement]) -> Table:
    """A line per condition, a column per model and corpus, as points of WER with the interval."""
    table = _table("WER drift, in points")
    runs = list(dict.fromkeys((m.model, m.corpus) for m in rows))
    for model, corpus in runs:
        table.add_column(f"{model}\n{corpus}", justify="right", no_wrap=True)
    found = {(m.model, m.corpus, m.metric, m.slice): m for m in rows}
    clean = [found.get((*run, "wer", CLEAN)) for run in runs]
    table.add_row("clean: WER", *[_cell(m, "{:.2f}", 100) for m in clean])
    for condition in dict.fromkeys(m.slice for m in rows if m.metric == "wer_drift"):
        drifts = [found.get((*run, "wer_drift", condition)) for run in runs]
        table.add_row(condition, *[_cell(m, "{:+.1f}", 100) for m in drifts])
    return table


def _hallucination(rows: Sequence[Measurement]) -> Table:
    table = _table("non-speech", "corpus")
    for heading, *_ in _HALLUCINATION:
        table.add_column(heading, justify="right", no_wrap=True)
    found = {(m.model, m.corpus, m.metric): m for m in rows}
    for model, corpus in dict.fromkeys((m.model, m.corpus) for m in rows):
        cells = [
            _cell(found.get((model, corpus, metric)), form, scale)
            for _, metric, form, scale in _HALLUCINATION
        ]
        table.add_row(model, corpus, *cells)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _cell(m: Measurement | None, form: str, scale: int) -> Text:
    if m is None:
        return Text("not run", style="dim")
    if m.value is None:
        return Text(m.verdict.replace("_", " "), style="red" if m.verdict == "error" else "yellow")
    text = form.format(scale * m.value)
    if m.ci is not None:
        text += " [{}, {}]".format(*(form.format(scale * end) for end in m.ci))
    return Text(text + MARK.get(m.verdict, ""), style="red" if m.verdict == "fail" else "")
