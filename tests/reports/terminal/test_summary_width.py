"""The results fit the terminal, and a narrow one shows no figure less."""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from evals.gate.thresholds import load
from reports.scorecard import scorecard
from reports.scorecard.grades import grade_models
from reports.scorecard.scorecard import Scorecard
from reports.terminal import summary
from reports.terminal.grid import Grid, GridColumn, fitting, terminal_width
from reports.terminal.task_tables import task_tables
from tests.support.written_runs import Row, document, row, write_run

THRESHOLDS = load()
WIDTHS = (60, 80, 100, 120)
MODELS = (
    "faster-whisper-micro",
    "pocketsphinx-commands",
    "our-own-recognizer.of-the-second-generation_large-v3-turbo",
)
CORPORA = ("voice-commands", "read-speech-of-many-people")


def _asr_rows() -> list[Row]:
    limited: Row = {"limit": 0.1, "bound": "max", "limit_source": "tier production"}
    rows = []
    for n, model in enumerate(MODELS):
        for c, corpus in enumerate(CORPORA):
            at: Row = {"corpus": corpus}
            wer = 0.0625 + 0.1 * n + 0.03 * c
            open_ = {**limited, "verdict": "inconclusive"}
            rows += [
                row(model, "wer", wer, ci=(wer / 2, wer * 2.5), **at, **open_),
                row(model, "cer", wer / 2, ci=(wer / 4, wer), **at, **open_),
                row(model, "success_rate", 1.0, ci=(0.98, 1.0), **at),
                row(model, "rtf", 0.2041 + n, **at, conditions=["busy"]),
                row(model, "latency_p95", 0.643 + n, **at),
                row(model, "load_time", 0.835, **at),
                row(model, "peak_memory", 1_592.0, **at),
            ]
        rows.append(row(model, "latency_p95", 0.63 + n, task="latency", corpus="clip-5s"))
    return rows


def _robustness_rows() -> list[Row]:
    rows = []
    for n, model in enumerate(MODELS):
        rows.append(row(model, "wer", 0.0432, ci=(0.012, 0.143), task="robustness", slice="clean"))
        for part in ("babble 10 dB", "telephone", "reverb"):
            drift = 0.05 * (n + 1)
            rows.append(
                row(
                    model,
                    "wer_drift",
                    drift,
                    ci=(-drift, 3 * drift),
                    task="robustness",
                    slice=part,
                    limit=0.03,
                    bound="max",
                    verdict="inconclusive",
                )
            )
    return rows


@pytest.fixture(params=["asr", "robustness", "one corpus", "both"])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Scorecard:
    rows = {"asr": _asr_rows, "robustness": _robustness_rows}.get(
        request.param, lambda: [*_asr_rows(), *_robustness_rows()]
    )()
    if request.param == "one corpus":
        rows = [r for r in _asr_rows() if r["corpus"] != CORPORA[1]]
    run = write_run(tmp_path, document(1, rows))
    read = scorecard.read(run / "scorecard.json")
    grades = grade_models(read.measurements, MODELS, THRESHOLDS, "tier", frozenset())
    return read.model_copy(update={"grades": grades})


def test_it_is_no_wider_than_the_terminal(card: Scorecard) -> None:
    for width in WIDTHS:
        text = summary.render(card, THRESHOLDS, Path("x"), width=width, color=False)
        assert max(cell_len(line) for line in text.splitlines() if "uv run" not in line) <= width


def test_a_narrow_one_shows_every_figure_whole(card: Scorecard) -> None:
    """With its letter and its mark, in as many rows, and an interval beside its figure."""
    for grid in task_tables(card, THRESHOLDS):
        cells = Counter(cell.plain for line in grid.rows for cell in line[grid.names :])
        assert any("?" in cell for cell in cells)
        for width in WIDTHS:
            lines = _printed(grid, width)
            for cell, count in cells.items():
                assert sum(line.count(cell) for line in lines) >= count, (width, cell)
            for line in lines:
                assert "95 % interval" not in line or "WER %" in line


def test_a_long_name_goes_on_after_its_hyphen_in_the_next_line() -> None:
    rows = [[Text(model), Text("6.25 B ?"), Text("2.6 to 14.9")] for model in MODELS]
    columns = [GridColumn("model"), GridColumn("WER %"), GridColumn("95 % interval", True)]
    assert _printed(Grid(1, columns, rows), 60) == [
        "model                                 WER %  95 % interval",
        "faster-whisper-micro               6.25 B ?    2.6 to 14.9",
        "pocketsphinx-commands              6.25 B ?    2.6 to 14.9",
        "our-own-recognizer.of-the-second-  6.25 B ?    2.6 to 14.9",
        " generation_large-v3-turbo",
    ]


@pytest.mark.slow
def test_text_is_broken_in_no_name_and_before_no_unit(card: Scorecard) -> None:
    for width in range(60, 121, 6):
        text = summary.render(card, THRESHOLDS, Path("x"), width=width, color=False)
        lines = text[text.index("A to D: grade") :].splitlines()
        for line, after in pairwise(lines):
            assert not (line.endswith(tuple("0123456789")) and after.strip().startswith("%"))
            assert not line.endswith("-")


def test_one_corpus_is_said_once_where_there_is_no_room_for_a_column() -> None:
    rows = [[Text(f"model-{i}"), Text("a-corpus"), Text("0.43 A")] for i in range(3)]
    grid = Grid(2, [GridColumn("model"), GridColumn("corpus"), GridColumn("WER %")], rows)
    assert "a-corpus" in _printed(grid, 80)[1]
    assert _printed(grid, 20) == [
        "corpus: a-corpus",
        "model     WER %",
        *(f"model-{i}  0.43 A" for i in range(3)),
    ]


def test_a_name_without_a_hyphen_goes_on_after_an_ellipsis() -> None:
    grid = Grid(
        1,
        [GridColumn("model"), GridColumn("WER %")],
        [[Text("abcdefghijklmnopqrstuvwxyz"), Text("0.43 A")]],
    )
    _, *lines = _printed(grid, 20)
    assert lines == ["abcdefghijk…  0.43 A", " lmnopqrstu…", " vwxyz"]


names = st.text(alphabet="abc-_/. é日", min_size=1, max_size=40).filter(lambda x: x.strip() == x)
figures = st.from_regex(r"[0-9]{1,3}\.[0-9]{2}( [A-D])?( [?x~])?", fullmatch=True)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(names, st.lists(figures, min_size=6, max_size=6)), min_size=1, max_size=4),
    st.integers(40, 130),
)
def test_any_table_fits_and_has_its_figures(rows: list[tuple[str, list[str]]], width: int) -> None:
    columns = [GridColumn("model"), *(GridColumn(f"figure {i}") for i in range(6))]
    grid = Grid(1, columns, [[Text(name), *map(Text, cells)] for name, cells in rows])
    lines = _printed(grid, width)
    assert max(cell_len(line) for line in lines) <= width
    said = " ".join(lines).split()
    for cell in (cell for _, cells in rows for cell in cells):
        assert all(part in said for part in cell.split())


def _printed(grid: Grid, width: int | None) -> list[str]:
    console = Console(width=1_000, color_system=None, highlight=False)
    with console.capture() as captured:
        for table in fitting(grid, width):
            console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_letters_that_are_two_columns_wide_fit_too() -> None:
    grid = Grid(1, [GridColumn("model"), GridColumn("WER %")], [[Text("語" * 30), Text("0.43 A")]])
    lines = _printed(grid, 40)
    assert max(cell_len(line) for line in lines) <= 40
    assert sum(line.count("語") for line in lines) == 30


@pytest.mark.parametrize(
    ("columns", "is_terminal", "width"),
    [("80", False, 80), ("100", True, 100), (None, False, None)],
)
def test_a_pipe_is_as_wide_as_a_table(
    columns: str | None, is_terminal: bool, width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width(is_terminal=is_terminal) == width
    assert os.environ.get("COLUMNS") == columns
