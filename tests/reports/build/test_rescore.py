"""A run scored again: the same figures from what it keeps, others where limits or texts changed."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evals.gate import thresholds as thresholds_file
from evals.gate.baseline import Baseline
from evals.gate.limit_files import LimitFiles
from evals.records.jsonl_reader import SEAL
from evals.records.jsonl_writer import sealed
from evals.task import TASKS
from reports.__main__ import main
from reports.build.rescore import NotRescored, rescore
from reports.scorecard import scorecard, task_record
from reports.scorecard.scorecard import Scorecard
from tests.conftest import Runs
from tests.support.sessions import TEXTS, WORDS, Finished, check_rescored

pytestmark = pytest.mark.slow


@pytest.fixture
def finished(request: pytest.FixtureRequest, sessions: Runs) -> Finished:
    return sessions[request.param].result()


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the session's run, to change at will."""
    return Path(shutil.copytree((finished.folder / "runs/latest").resolve(), tmp_path / "run"))


def looks_at(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("finished", names, indirect=True)


def limits_of(finished: Finished) -> Path:
    strict = (
        "--thresholds=strict.yaml"
        in json.loads((finished.folder / "runs/latest/scorecard.json").read_text())["provenance"][
            "command_line"
        ]
    )
    return finished.folder / "strict.yaml" if strict else thresholds_file.DEFAULT


def again(run: Path, limits: Path = thresholds_file.DEFAULT) -> tuple[Scorecard, list[str]]:
    return rescore(run, LimitFiles(limits))


@looks_at(
    "comparison", "comparison -n 2", "two corpora", "no benchmark", "smoke", "production",
    "faulty",
)  # fmt: skip
def test_the_same_limits_give_the_same_scorecard(finished: Finished, run: Path) -> None:
    """Every row, grade and recommendation, and the exit status; nothing but what says when."""
    check_rescored(run, limits_of(finished))


@looks_at("comparison")
def test_a_stricter_limit_breaks(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rival drops every tenth word, so its WER of 10 % breaks 9 %, and not 11 %."""
    folder = tmp_path / "limits"
    folder.mkdir()
    text = thresholds_file.DEFAULT.read_text(encoding="utf-8")
    for allowed, status in (("0.04", 1), ("0.20", 0)):
        limits = folder / f"{allowed}.yaml"
        # The candidate's block holds the rival.
        head, candidate = text.split("  candidate:\n")
        limits.write_text(
            head
            + "  candidate:\n"
            + candidate.replace("wer: {max: 0.20}", f"wer: {{max: {allowed}}}", 1)
        )
        assert main(["rescore", str(run), "--thresholds", str(limits)]) == status
        said = capsys.readouterr().out
        assert ("wer" in said and "rival on toy (asr)" in said) == bool(status)
    card = scorecard.read(run / "scorecard.json")
    assert card.run.exit_status == 0
    former = [scorecard.read(run / f"scorecard.{n}.json").run.exit_status for n in (1, 2)]
    assert former == [0, 1]


@looks_at("comparison")
def test_another_text_gives_another_wer(run: Path) -> None:
    """One word more is wrong in the oracle's first prediction, and the jiwer of all says so."""
    file = run / "oracle/asr/toy.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    first["hypothesis"] = first["hypothesis"].replace("turn", "burn")
    others = "\n".join(lines[1:]) + "\n"
    file.write_text(json.dumps(first) + "\n" + others, encoding="utf-8")
    with pytest.raises(NotRescored, match=r"toy\.jsonl:1: its checksum is not that of the line"):
        again(run)
    unsealed = {key: first[key] for key in first if key not in SEAL}
    file.write_bytes(sealed(unsealed, first["key"], first["session"]) + others.encode())
    card, _ = again(run)
    (row,) = [
        m for m in card.measurements
        if (m.model, m.metric, m.slice, m.task) == ("oracle", "wer", "all", "asr")
    ]  # fmt: skip
    assert row.value == pytest.approx(1 / WORDS)
    assert row.n == len(TEXTS)


@looks_at("comparison")
def test_a_dry_run_writes_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["rescore", str(run), "--dry-run"]) == 0
    assert "no figure, verdict or grade has changed" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def _no_record(run: Path) -> Path:
    (run / "rival/asr.json").unlink()
    return run / "rival/asr"


def _no_lines(run: Path) -> Path:
    (run / "rival/asr/toy.jsonl").unlink()
    return run / "rival/asr/toy.jsonl"


def _broken_line(run: Path) -> str:
    file = run / "rival/asr/toy.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:3], lines[3][:20]]))
    return f"{file}:4"


def _broken_record(run: Path) -> Path:
    (run / "rival/asr.json").write_text('{"schema_version": 1}')
    return run / "rival/asr.json"


def _lost_lines(run: Path) -> Path:
    file = run / "rival/asr/toy.jsonl"
    file.write_text("\n".join(file.read_text().splitlines()[:-3]) + "\n")
    return file


def _no_card(run: Path) -> Path:
    (run / "scorecard.json").unlink()
    return run / "scorecard.json"


@looks_at("comparison")
@pytest.mark.parametrize(
    "damage", [_no_record, _no_lines, _lost_lines, _broken_line, _broken_record, _no_card]
)
def test_what_is_damaged_is_named(
    run: Path, damage: object, capsys: pytest.CaptureFixture[str]
) -> None:
    place = damage(run)  # type: ignore[operator]  # one of the functions above
    with pytest.raises((NotRescored, ValueError), match=str(place)):
        again(run)
    kept = (run / "scorecard.json").read_bytes() if (run / "scorecard.json").exists() else None
    assert main(["rescore", str(run)]) == 1
    assert str(place) in capsys.readouterr().err
    assert kept is None or (run / "scorecard.json").read_bytes() == kept


def change_record(run: Path, **parts: object) -> None:
    """Other parts in the record of the rival's one test of recognition."""
    (found,) = [r for r in task_record.read(run, ["rival"]) if r.task == "asr"]
    (case,) = found.cases
    changed = found.model_copy(update={"cases": [case.model_copy(update=parts)]})
    (run / "rival/asr.json").write_text(changed.model_dump_json(), encoding="utf-8")


@looks_at("comparison")
def test_a_limited_figure_that_is_not_there_has_a_row(run: Path, tmp_path: Path) -> None:
    """The corpus marks no entities, so a limit on these breaks the gate, and a row says of what."""
    limits = tmp_path / "limits.yaml"
    head, candidate = thresholds_file.DEFAULT.read_text(encoding="utf-8").split("  candidate:\n")
    of_wer = "wer: {max: 0.20}"
    candidate = candidate.replace(of_wer, f"{of_wer}\n        entity_error_rate: {{max: 0.5}}", 1)
    limits.write_text(f"{head}  candidate:\n{candidate}", encoding="utf-8")
    card, broken = again(run, limits)
    assert len(broken) == 1
    assert "entity_error_rate was not measured" in broken[0]
    (row,) = [m for m in card.measurements if m.metric == "entity_error_rate"]
    assert (row.model, row.task, row.verdict, row.gated) == ("rival", "asr", "error", True)


@looks_at("comparison")
def test_the_run_is_no_baseline_of_itself(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As runs/latest becomes when the run is over: every change since would be none."""
    with pytest.raises(NotRescored, match="the run itself"):
        rescore(run, LimitFiles(), baseline=Baseline(run / "scorecard.json"))
    other = Path(shutil.copytree(run, run.parent / "other"))
    (run.parent / "latest").symlink_to("other")
    recorded = str(run.parent / "latest/scorecard.json")
    card = scorecard.read(run / "scorecard.json").model_copy(update={"baseline": recorded})
    scorecard.write(card, run)
    assert main(["rescore", str(run)]) == 1
    assert "may be another run by now" in capsys.readouterr().err
    assert main(["rescore", str(run), "--baseline", str(other)]) == 0


@looks_at("comparison")
def test_a_test_without_facts_is_no_pass(run: Path) -> None:
    """Interrupted: it fails, and each figure says so. In a whole run: one that nothing can score."""
    change_record(run, facts=None)
    with pytest.raises(NotRescored, match=r"rival on toy.*without keeping"):
        again(run)
    before = scorecard.read(run / "scorecard.json")
    stopped = before.run.model_copy(update={"complete": False, "exit_status": 2})
    scorecard.write(before.model_copy(update={"run": stopped}), run)
    card, broken = again(run)
    assert len(broken) == 1
    assert "None" not in broken[0]
    assert {grade.model: grade.gate for grade in card.grades} == {"oracle": "pass", "rival": "fail"}
    assert main(["rescore", str(run)]) == 1


@looks_at("comparison")
def test_a_failure_after_the_test_has_words(run: Path) -> None:
    """As of a fixture that fails when the test is over, of which nothing is noted."""
    change_record(run, outcome="failed")
    _, broken = again(run)
    assert broken == ["rival on toy (asr):\n  its test failed"]


@looks_at("comparison")
def test_a_sound_that_is_gone_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A voice's figures are read from its sounds, and soundfile's error is none of the usual."""
    import soundfile

    missing = run / "rival/tts/toy/00001-a.wav"
    reads = replace(TASKS["asr"], score=lambda *_: soundfile.read(missing))
    monkeypatch.setitem(TASKS, "asr", reads)
    assert main(["rescore", str(run)]) == 1
    assert str(missing) in capsys.readouterr().err


@looks_at("comparison")
def test_the_page_and_the_costs_go_with_the_scorecard(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that went on showing the former verdicts would be a false one."""
    page = run / "scorecard.html"
    page.write_text("former", encoding="utf-8")
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "schema_version: 1\ncurrency: EUR\nas_of: '2026'\nsource: by hand\nutilisation: 0.5\n"
        "hardware: {any: {match: ['*'], per: device, price_per_hour: 7}}\n"
    )
    assert main(["rescore", str(run), "--prices", str(prices)]) == 0
    assert page.read_text(encoding="utf-8") != "former"
    said = capsys.readouterr().out
    assert re.search(
        r"oracle asr toy cost per audio hour: .* -> \S+ EUR \(any, by hand, 2026\)", said
    )


@looks_at("comparison")
def test_other_limits_are_told_apart(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_bytes(thresholds_file.DEFAULT.read_bytes())
    assert main(["rescore", str(run), "--thresholds", str(limits)]) == 0
    assert "limits:" not in capsys.readouterr().out, "the same ones in another place"
    limits.write_bytes(limits.read_bytes() + b"# a note\n")
    assert main(["rescore", str(run), "--thresholds", str(limits)]) == 0
    assert f"limits: {limits}, which are not those" in capsys.readouterr().out


@looks_at("comparison")
def test_a_normalizer_that_no_limits_name_any_more(run: Path) -> None:
    """Nobody knows any more which one the corpus would have had by itself."""
    path = run / "rival" / "asr.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["cases"][0]["facts"]["ruled"] = True
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(NotRescored, match="toy: the run's thresholds named its normalizer"):
        again(run)
