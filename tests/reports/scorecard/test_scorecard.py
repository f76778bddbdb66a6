"""The scorecard's file: what it says of a figure without a limit, and older versions of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evals.gate.baseline import Baseline
from reports.__main__ import main
from reports.runs.promote import promote
from reports.scorecard import scorecard
from tests.conftest import Runs
from tests.support.sessions import Finished, as_written, check_rescored
from tests.support.written_runs import as_version_1, document, row, write_run


@pytest.fixture
def finished(request: pytest.FixtureRequest, sessions: Runs) -> Finished:
    return sessions[request.param].result()


comparison = pytest.mark.parametrize("finished", ["comparison"], indirect=True)


@comparison
def test_a_figure_without_a_limit_passes_nothing(finished: Finished) -> None:
    rows = finished.card["measurements"]
    assert {m["limit"] is None for m in rows} == {True, False}
    for m in rows:
        assert (m["verdict"] == "no_limit") == (m["limit"] is None and m["value"] is not None), m


def test_version_1_called_no_limit_a_pass(tmp_path: Path) -> None:
    limited = row("m", "wer", 0.05, limit=0.1, bound="max")
    missing = row("m", "mer", None)
    run = write_run(tmp_path, document(1, [limited, row("m", "cer", 0.02), missing]))
    now = scorecard.read(run / "scorecard.json")
    as_version_1(run)
    old = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    assert [m["verdict"] for m in old["measurements"]] == ["pass", "pass", "not_measured"]
    read = scorecard.read(run / "scorecard.json")
    assert [m.verdict for m in read.measurements] == ["pass", "no_limit", "not_measured"]
    assert as_written(read) == as_written(now)


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_other_versions_are_refused(tmp_path: Path, version: object) -> None:
    run = write_run(tmp_path, {**document(1, [row("m", "wer", 0.1)]), "schema_version": version})
    with pytest.raises(ValueError, match=r"scorecard\.json: schema_version: "):
        scorecard.read(run / "scorecard.json")


@pytest.mark.slow
@comparison
def test_every_command_reads_version_1(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = (finished.folder / "runs/latest").resolve()
    run = Path(shutil.copytree(new, tmp_path / "runs/old"))
    as_version_1(run)
    renamed = tmp_path / "renamed"
    write_run(renamed, {**finished.card, "run": {**finished.card["run"], "id": "another"}})
    for model in ("oracle", "rival"):
        shutil.copytree(new / model, renamed / model)
    assert main(["compare", str(run), str(renamed)]) == 0
    assert main(["html", str(run)]) == 0
    assert "no limit" in (run / "scorecard.html").read_text(encoding="utf-8")
    capsys.readouterr()
    folders = [f"--runs-dir={tmp_path / 'runs'}", f"--baselines-dir={tmp_path / 'baselines'}"]
    assert main(["history", *folders, "--metric=mer", "--metric=wer"]) == 0
    said = capsys.readouterr().out
    assert "no limit" in said
    assert "pass" in said
    assert Baseline(promote(run, "old", tmp_path / "baselines") / "scorecard.json").models == {
        "oracle",
        "rival",
    }
    assert main(["rescore", "--dry-run", str(run)]) == 0
    assert "no figure, verdict or grade has changed" in capsys.readouterr().out
    check_rescored(run)
    assert main(["rescore", str(run)]) == 0
    written = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    assert written["schema_version"] == 2
    assert "no_limit" in {m["verdict"] for m in written["measurements"]}
