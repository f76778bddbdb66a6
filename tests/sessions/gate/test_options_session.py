"""A sample, limits on top of others, and a model's other options held to its own: from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from evals.gate.limit_files import LimitFiles
from reports.__main__ import main
from tests.support.sessions import SELECT, TEXTS, card_of, check_rescored, prepare, row_of, run_toys

pytestmark = pytest.mark.slow

SLOPPY = "oracle:{mode: drops, drop_every: 5}"
NAME = "oracle-mode-drops-drop_every-5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the oracle."""
    made = prepare(tmp_path_factory.mktemp("options"))
    done = run_toys(made, *SELECT, "--model=oracle")
    assert done.returncode == 0, done.stdout
    return made


def _first_run(folder: Path) -> Path:
    return min(path for path in (folder / "runs").iterdir() if not path.is_symlink())


def test_other_options_are_a_gate(folder: Path) -> None:
    """Is it worse with them? Held to the same model without them, it is, and the name says which."""
    baseline = f"--baseline={_first_run(folder)}"
    done = run_toys(
        folder, *SELECT, f"--model={SLOPPY}", baseline, f"--map=oracle={SLOPPY}", "--gate=tier"
    )
    assert done.returncode == 1, done.stdout
    change = row_of(card_of(folder), NAME, "wer_change")
    assert change["value"] == pytest.approx(row_of(card_of(folder), NAME, "wer")["value"])
    assert change["verdict"] == "fail"
    assert card_of(folder)["provenance"]["options"]["map"] == [f"oracle={NAME}"]
    check_rescored_with_its_baseline(folder)


def check_rescored_with_its_baseline(folder: Path) -> None:
    run = folder / "runs" / "latest"
    before = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    assert main(["rescore", str(run)]) == 1
    after = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    assert after["measurements"] == before["measurements"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--map=oracle=rival",), "--map: it needs --baseline"),
        (("{baseline}", "--map=nobody=rival"), "no model nobody in it. Models: oracle"),
        (("{baseline}", "--map=oracle=nobody"), "nobody is none of the models that this session runs"),
        (("{baseline}", "--map=oracle"), "two different models, as OLD=NEW, are expected"),
        (("--limit=0",), "--limit: a number of rows, 1 or more"),
        (("--thresholds=none.yaml",), "none.yaml: no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    given = [a.format(baseline=f"--baseline={_first_run(folder)}") for a in arguments]
    done = run_toys(folder, *SELECT, "--model=rival", *given)
    assert done.returncode == 4, done.stdout
    assert says in done.stderr


def test_a_sample_is_said_wherever_it_counts(folder: Path) -> None:
    (folder / "strict.yaml").write_text(
        "extends: default\nmodels: {rival: {toy: {asr: {wer: {max: 0.02}}}}}\n", encoding="utf-8"
    )
    (folder / "strictest.yaml").write_text(
        "models: {rival: {toy: {asr: {wer: {max: 0.01}}}}}\n", encoding="utf-8"
    )
    done = run_toys(
        folder, *SELECT, "--model=rival", "--limit=20", "--seed=4",
        "--thresholds=strict.yaml", "--thresholds=strictest.yaml",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    size = f"20 of {len(TEXTS)} rows"
    assert f"rival on a sample ({size}) of toy (asr):" in done.stdout
    assert f"toy is a sample: 20 of its {len(TEXTS)} rows (--limit, with --seed 4)" in _flat(
        done.stdout
    )
    (corpus,) = card_of(folder)["provenance"]["corpora"]
    assert (corpus["utterances"], corpus["sampled_from"]) == (20, len(TEXTS))
    row = row_of(card_of(folder), "rival", "wer")
    assert (row["n"], row["limit"]) == (20, 0.01)
    run = folder / "runs" / "latest"
    page = (run / "scorecard.html").read_text(encoding="utf-8")
    assert "toy is a sample" in page
    kept: dict[str, Any] = yaml.safe_load((run / "thresholds.yaml").read_bytes())
    assert kept["models"]["rival"]["toy"]["asr"] == {"wer": {"max": 0.01}}
    assert (
        LimitFiles(run / "thresholds.yaml").sha256
        == (card_of(folder)["provenance"]["thresholds_sha256"])
    )
    check_rescored(run, run / "thresholds.yaml")


def _flat(text: str) -> str:
    return " ".join(text.split())
