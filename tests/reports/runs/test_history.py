"""`python -m reports history`: what is joined, what breaks a series, and what must be said."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.records.measurement import Measurement
from reports.commands import history
from reports.commands.history import as_json, render
from reports.runs.history import History, Point, read_history
from reports.runs.read_run import RunError
from tests.support.written_runs import CORPUS, Row, document, model_record, row, write_run

pytestmark = pytest.mark.slow

MODEL = "some-model"


def everything(m: Measurement) -> bool:
    return True


def measured(value: float | None, metric: str = "wer", **more: Any) -> Row:
    normalizer = None if metric in ("rtf", "peak_memory") else "none"
    return row(MODEL, metric, value, **{"normalizer": normalizer, **more})


def write(root: Path, number: int, rows: Sequence[Row], **card: Any) -> Path:
    return write_run(root / "runs" / f"run-{number}", document(number, rows, **card))


def read(root: Path) -> History:
    return read_history(root / "runs", root / "baselines", everything)


def only_series(found: History) -> list[Point]:
    (series,) = found.series
    return list(series.points)


def command(root: Path, *arguments: str | Path) -> int:
    """Run the command; its exit status, as the shell sees it."""
    parser = argparse.ArgumentParser()
    history.add_command(parser.add_subparsers())
    folders = [f"--runs-dir={root / 'runs'}", f"--baselines-dir={root / 'baselines'}"]
    options = parser.parse_args(["history", *folders, *map(str, arguments)])
    status: int = options.run(options)
    return status


def test_another_encoder_breaks_a_series(tmp_path: Path) -> None:
    for number, by in enumerate(("Resemblyzer 0.1.4", "Resemblyzer 0.1.4", "other"), 1):
        write(tmp_path, number, [measured(0.8, "speaker_similarity", by=by)])
    points = only_series(read(tmp_path))
    assert [p.segment for p in points] == [0, 0, 1]
    assert [*points[2].breaks] == ["measured by: Resemblyzer 0.1.4, now other"]


def test_by_hand(tmp_path: Path) -> None:
    """Three runs, written in another order than they were made."""
    write(tmp_path, 3, [measured(0.3, ci=(0.2, 0.4), verdict="fail", limit=0.25, bound="max")])
    write(tmp_path, 1, [measured(0.1, ci=(0.05, 0.2))])
    write(tmp_path, 2, [measured(None, verdict="error", reason="it died")])
    found = read(tmp_path)
    assert [run.id for run in found.runs] == ["run-1", "run-2", "run-3"]
    (series,) = found.series
    assert (series.model, series.task, series.corpus, series.metric) == (
        MODEL, "asr", CORPUS, "wer",
    )  # fmt: skip
    assert [(p.run, p.value, p.ci, p.verdict, p.segment) for p in series.points] == [
        (0, 0.1, (0.05, 0.2), "no_limit", 0),
        (1, None, None, "error", 0),
        (2, 0.3, (0.2, 0.4), "fail", 0),
    ]
    lines = render(found).splitlines()
    assert lines[0] == f"wer of {MODEL} on {CORPUS} (asr)"
    assert [line.split() for line in lines[2:5]] == [
        ["2026-11-23", "01:00", "11111111", "20", "10.00", "%", "5.00", "to", "20.00", "no", "limit"],
        ["2026-11-23", "02:00", "22222222", "-", "-", "-", "error", "it", "died"],
        ["2026-11-23", "03:00", "33333333", "20", "30.00", "%", "20.00", "to", "40.00", "fail"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("later", "says"),
    [
        ({"corpora": {CORPUS: "e" * 64}}, "corpus content hash: cccccccccccc, now eeeeeeeeeeee"),
        ({"models": [model_record(MODEL, checkpoint_sha256="f" * 64)]}, "checkpoint hash: dddddddddddd, now ffffffffffff"),
        ({"models": [model_record(MODEL, checkpoint="b")]}, "checkpoint: a/checkpoint, now b"),
        ({"models": [model_record(MODEL, options={})]}, "option beam_size: 1, now none"),
        ({"models": [model_record(MODEL, packages={"an-engine": "2.0"})]}, "package an-engine: 1.0, now 2.0"),
        ({"models": [model_record(MODEL, device="cuda:0")]}, "device: cpu, now cuda:0"),
        ({"provenance": {"packages": {"jiwer": "5.0.0"}}}, "package jiwer: 4.0.0, now 5.0.0"),
    ],
    ids=["corpus", "hash", "checkpoint", "options", "package", "device", "scoring"],
)  # fmt: skip
def test_what_breaks_a_series(tmp_path: Path, later: Mapping[str, Any], says: str) -> None:
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(0.1)])
    write(tmp_path, 3, [measured(0.2)], **later)
    write(tmp_path, 4, [measured(0.2)], **later)
    found = read(tmp_path)
    points = only_series(found)
    assert [p.segment for p in points] == [0, 0, 1, 1]
    assert [list(p.breaks) for p in points] == [[], [], [says], []]
    assert f"break  {says}" in " ".join(render(found).split()).replace("break ", "break  ")


def test_another_normalizer_breaks_it(tmp_path: Path) -> None:
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(0.1, normalizer="lower")])
    assert [list(p.breaks) for p in only_series(read(tmp_path))] == [
        [],
        ["normalizer: none, now lower"],
    ]


def test_a_break_is_seen_past_what_is_missing(tmp_path: Path) -> None:
    """The next value is compared with the last one, not with the gap between."""
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(None)], corpora={})
    write(tmp_path, 3, [measured(0.1)])
    write(tmp_path, 4, [measured(None)], corpora={CORPUS: "e" * 64})
    write(tmp_path, 5, [measured(0.1)], corpora={CORPUS: "e" * 64})
    assert [p.segment for p in only_series(read(tmp_path))] == [0, 0, 0, 0, 1]


def test_another_machine_breaks_times_alone(tmp_path: Path) -> None:
    rows = [measured(0.1), measured(0.5, "rtf"), measured(100.0, "peak_memory")]
    write(tmp_path, 1, rows)
    write(tmp_path, 2, rows, provenance={"processor": "another"})
    broken = {s.metric: [p.segment for p in s.points] for s in read(tmp_path).series}
    assert broken == {"wer": [0, 0], "rtf": [0, 1], "peak_memory": [0, 1]}


def test_another_python_breaks_memory_and_no_texts(tmp_path: Path) -> None:
    rows = [measured(0.1), measured(100.0, "peak_memory")]
    write(tmp_path, 1, rows)
    write(tmp_path, 2, rows, models=[model_record(MODEL, python="3.12.1")])
    broken = {s.metric: [p.segment for p in s.points] for s in read(tmp_path).series}
    assert broken == {"wer": [0, 0], "peak_memory": [0, 1]}


def test_other_packages_join(tmp_path: Path) -> None:
    """A newer pytest makes no other figures, and a newer commit is what is looked at."""
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(0.1)], provenance={"packages": {"jiwer": "4.0.0", "pytest": "9"}})
    assert [p.segment for p in only_series(read(tmp_path))] == [0, 0]


def test_baselines_are_marked(tmp_path: Path) -> None:
    card = document(1, [measured(0.1)])
    write_run(tmp_path / "runs" / "run-1", card)
    write(tmp_path, 2, [measured(0.2)])
    write_run(tmp_path / "baselines" / "main", card)
    found = read(tmp_path)
    assert [list(run.baselines) for run in found.runs] == [["main"], []]
    marked = [line for line in render(found).splitlines() if "BASELINE main" in line]
    assert len(marked) == 1
    assert "01:00" in marked[0]


def test_a_baseline_outlives_its_run(tmp_path: Path) -> None:
    write(tmp_path, 2, [measured(0.2)])
    write_run(tmp_path / "baselines" / "main", document(1, [measured(0.1)]))
    assert [p.value for p in only_series(read(tmp_path))] == [0.1, 0.2]


def test_partial_and_contended_runs_are_marked(tmp_path: Path) -> None:
    write(tmp_path, 1, [measured(0.5, "rtf")], complete=False)
    write(tmp_path, 2, [measured(0.5, "rtf", conditions=["contended"])], conditions=["contended"])
    write(tmp_path, 3, [measured(0.5, "rtf")], provenance={"git_dirty": True, "git_sha": None})
    lines = render(read(tmp_path)).splitlines()[2:5]
    assert lines[0].endswith("partial: the run was interrupted")
    assert lines[1].endswith("contended")
    assert "not in git" in lines[2]
    assert lines[2].endswith("uncommitted changes")


def test_parts_have_series_of_their_own(tmp_path: Path) -> None:
    rows = [measured(0.1), measured(0.3, slice="category=timer")]
    rows += [measured(0.2, "wer_by_normalizer", normalizer=n) for n in ("lower", "none")]
    write(tmp_path, 1, rows)
    assert [s.metric for s in read(tmp_path).series] == ["wer", "wer/category=timer"]


def test_links_and_repeated_runs_are_left_out(tmp_path: Path) -> None:
    first = write(tmp_path, 1, [measured(0.1)])
    (tmp_path / "runs" / "latest").symlink_to(first.name, target_is_directory=True)
    write_run(tmp_path / "runs" / "run-1-copy", document(1, [measured(0.1)]))
    found = read(tmp_path)
    assert len(found.runs) == 1
    (line,) = found.unread
    assert "run-1-copy: the same run as" in line


# The command.


def test_broken_runs_are_named_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, 1, [measured(0.1)])
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "scorecard.json").write_text("{")
    (tmp_path / "runs" / "empty").mkdir()
    write_run(tmp_path / "runs" / "timeless", document(2, [measured(0.1)], started="once"))
    assert command(tmp_path) == 0
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 3
    assert f"{broken}/scorecard.json: file: Invalid JSON" in lines[0]
    assert "empty: no scorecard.json in it" in lines[1]
    assert "run.started: not a time" in lines[2]
    assert "10.00 %" in captured.out


@pytest.mark.parametrize("runs", [None, "nothing", "broken"])
def test_nothing_to_read(
    tmp_path: Path, runs: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if runs is not None:
        (tmp_path / "runs" / runs).mkdir(parents=True)
    if runs == "broken":
        (tmp_path / "runs" / runs / "scorecard.json").write_text("[]")
    assert command(tmp_path) == 1
    assert str(tmp_path / "runs") in capsys.readouterr().err.splitlines()[-1]


def test_filters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [measured(0.1), measured(0.5, "rtf"), measured(0.2, "mer")]
    rows += [{**r, "model": "other"} for r in rows]
    rows += [row("other", "wer", 0.4, task="tts", corpus="sentences")]
    write(tmp_path, 1, rows)

    def said(*arguments: str) -> list[str]:
        assert command(tmp_path, *arguments) == 0
        return [line for line in capsys.readouterr().out.splitlines() if " of " in line]

    # Those that are graded, unless others are asked for.
    assert said("--model=some-*") == [
        f"wer of {MODEL} on {CORPUS} (asr)",
        f"rtf of {MODEL} on {CORPUS} (asr)",
    ]
    assert said("--metric=mer", "--model=other") == [f"mer of other on {CORPUS} (asr)"]
    assert said("--task=tts") == ["wer of other on sentences (tts)"]
    assert said("--corpus=sent*") == ["wer of other on sentences (tts)"]
    assert len(said("--metric=*")) == 7
    assert command(tmp_path, "--model=nobody") == 1
    assert "none of 1 runs has a figure" in capsys.readouterr().err


def test_unknown_metric_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(tmp_path, "--metric=were")
    assert stopped.value.code == 2
    assert "no such metric" in capsys.readouterr().err


def test_json(tmp_path: Path) -> None:
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(0.2)], corpora={CORPUS: "e" * 64})
    path = tmp_path / "history.json"
    assert command(tmp_path, "--json", path) == 0
    written = json.loads(path.read_text())
    assert written == json.loads(json.dumps(as_json(read(tmp_path))))
    (series,) = written["series"]
    assert [p["segment"] for p in series["points"]] == [0, 1]
    assert series["points"][0]["pointer"] == "/measurements/0/value"


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder of runs"):
        read(tmp_path)


# The page.


def test_the_page_joins_nothing_across_a_break(tmp_path: Path) -> None:
    write(tmp_path, 1, [measured(0.1)])
    write(tmp_path, 2, [measured(0.1)])
    write(tmp_path, 3, [measured(0.2)], corpora={CORPUS: "e" * 64})
    path = tmp_path / "history.html"
    assert command(tmp_path, "--html", path) == 0
    text = path.read_text(encoding="utf-8")
    assert "Break: corpus content hash: cccccccccccc, now eeeeeeeeeeee" in text
    lines = [part.partition('"')[0] for part in text.split('<path d="')[1:]]
    drawn = [
        line for line in lines if line.startswith("M") and line.count("L") >= 1 and "Z" not in line
    ]
    assert [line.count("L") for line in drawn] == [1]  # from the first to the second, no further


def test_the_page_shows_text_as_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    write(tmp_path, 1, [measured(None, reason=evil)], models=[model_record(MODEL)])
    path = tmp_path / "history.html"
    assert command(tmp_path, "--html", path) == 0
    text = path.read_text(encoding="utf-8")
    assert evil not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
