"""Tables of the tasks that have one of their own: voices, drifts, words in non-speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from evals.conditions import UNGATED
from evals.fair_timing import BUSY
from evals.measurement import Measurement
from evals.robustness import CLEAN
from reports.scorecard import Grade, Scorecard

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


_VOICE = (
    ("WER %", "wer", "{:.2f}", 100),
    ("95 % interval", "wer", "", 100),
    ("ok %", "success_rate", "{:.1f}", 100),
    ("usable %", "usable_rate", "{:.1f}", 100),
    ("MOS", "dnsmos_overall", "{:.2f}", 1),
    ("UTMOS", "utmos", "{:.2f}", 1),
    ("RTF", "rtf", "{:.3f}", 1),
    ("p95 s", "latency_p95", "{:.2f}", 1),
    ("first s", "first_audio_p95", "{:.2f}", 1),
    ("LUFS", "loudness", "{:.1f}", 1),
    ("words/s", "speaking_rate", "{:.1f}", 1),
    ("load s", "load_time", "{:.2f}", 1),
    ("MB", "peak_memory", "{:,.0f}", 1),
)


_CHAT = (
    ("turns %", "turn_success_rate", "{:.1f}", 100),
    ("95 % interval", "turn_success_rate", "", 100),
    ("dialogues %", "dialogue_success_rate", "{:.1f}", 100),
    ("typed %", "typed_success_rate", "{:.1f}", 100),
    ("memory %", "memory_rate", "{:.1f}", 100),
    ("LLM %", "llm_judged_rate", "{:.1f}", 100),
    ("kappa", "llm_kappa", "{:.2f}", 1),
    ("said WER %", "speech_text_wer", "{:.1f}", 100),
    ("MOS", "dnsmos_overall", "{:.2f}", 1),
    ("text s", "first_token_p95", "{:.2f}", 1),
    ("audio s", "first_audio_p95", "{:.2f}", 1),
    ("whole s", "latency_p95", "{:.2f}", 1),
    ("words", "answer_words", "{:.0f}", 1),
    ("load s", "load_time", "{:.2f}", 1),
    ("MB", "peak_memory", "{:,.0f}", 1),
)


def other_tables(card: Scorecard) -> Iterator[Table]:
    """A table for each such task that ran."""
    measurements = card.measurements
    if rows := [m for m in measurements if m.task == "tts"]:
        yield _graded("voice", "tts", _VOICE, rows, card.grades)
    if rows := [m for m in measurements if m.task == "chat"]:
        yield _graded("assistant", "chat", _CHAT, rows, card.grades)
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


def _graded(
    what: str,
    task: str,
    columns: Sequence[tuple[str, str, str, int]],
    rows: Sequence[Measurement],
    grades: Sequence[Grade],
) -> Table:
    """A line per model and corpus; an empty format is the interval of the metric before."""
    table = _table(what, "corpus", "grade")
    found = {(m.model, m.corpus, m.metric): m for m in rows if m.is_whole}
    # Engines that do not stream have no first audio, and who names no network gets no UTMOS.
    had = {m.metric for m in rows if m.value is not None or m.metric != "utmos"}
    shown = [c for c in columns if c[1] in had]
    for heading, *_ in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("gate")
    for grade in grades:
        for corpus in (c for c in grade.corpora if c.task == task):
            cells = []
            for _, metric, form, scale in shown:
                m = found.get((grade.model, corpus.corpus, metric))
                if not form:
                    ends = [f"{scale * end:.1f}" for end in m.ci] if m and m.ci else ["-"]
                    cells.append(Text(" to ".join(ends)))
                else:
                    cells.append(_cell(m, form, scale, corpus.metrics.get(f"{task}/{metric}")))
            table.add_row(grade.model, corpus.corpus, corpus.grade or "-", *cells, grade.gate)
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


def _cell(m: Measurement | None, form: str, scale: int, letter: str | None = None) -> Text:
    """The figure: with its letter where it is graded, else with its interval."""
    if m is None:
        return Text("not run", style="dim")
    if m.value is None:
        return Text(m.verdict.replace("_", " "), style="red" if m.verdict == "error" else "yellow")
    text = form.format(scale * m.value)
    if letter is not None:
        text += f" {letter}"
    elif m.ci is not None and m.task not in ("tts", "chat"):
        text += " [{}, {}]".format(*(form.format(scale * end) for end in m.ci))
    unfair = bool((UNGATED | {BUSY}) & set(m.conditions))
    mark = " ~" if unfair else MARK.get(m.verdict, "")
    return Text(text + mark, style="red" if m.verdict == "fail" else "")
