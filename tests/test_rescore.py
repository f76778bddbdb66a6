"""A run scored again: the same figures from what it keeps, others where limits or texts changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evals import thresholds as thresholds_file
from reports import scorecard
from reports.__main__ import main
from reports.rescore import NotRescored, rescore
from reports.scorecard import Scorecard
from tests.conftest import Runs
from tests.sessions import TEXTS, WORDS, Finished, check_rescored


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
    return rescore(run, thresholds_file.load(limits), limits)


@looks_at(
    "comparison", "comparison -n 2", "two corpora", "no benchmark", "smoke", "production",
    "faulty", "bad audio",
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
    file.write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n", encoding="utf-8")
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


def _no_card(run: Path) -> Path:
    (run / "scorecard.json").unlink()
    return run / "scorecard.json"


@looks_at("comparison")
@pytest.mark.parametrize("damage", [_no_record, _no_lines, _broken_line, _broken_record, _no_card])
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
