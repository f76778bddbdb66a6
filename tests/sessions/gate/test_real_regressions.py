"""A real model that gets worse is caught by the comparison with its baseline; int8 is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from reports.runs.promote import promote
from tests.contract.installed import need, need_package
from tests.support.degraded_whisper import heard_by
from tests.support.real_speech import CLAUSES, TWO_CITIES, write_clauses
from tests.support.real_whispers import entry
from tests.support.sessions import SELECT, broken_limits, card_of, row_of, run_toys, write_toys

pytestmark = [pytest.mark.slow, pytest.mark.engine]

#: The longer ones, of one book: each costs the encoder a window of 30 s.
HEARD = [clause for clause in CLAUSES if clause.of is TWO_CITIES]
DAMAGED: Mapping[str, Mapping[str, Any]] = {
    "layer-destroyed": {"damage": "layer"},
    "at-8-khz": {"damage": "8 kHz"},
    "sampled": {"temperature": 1.0, "best_of": 1},
    "half-of-the-mels": {"damage": "mels"},
}
INT8: Mapping[str, Mapping[str, Any]] = {"int8": {"compute_type": "int8"}}


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The scorecard of the changed models, held to the run of the honest one, and what was said."""
    model = entry("faster-whisper")
    need("faster_whisper")
    need_package(model.checkpoint)
    folder = tmp_path_factory.mktemp("real")
    write_toys(folder, {"unused": {}})
    write_clauses(folder / "toy", HEARD)
    for name, options in {"honest": {}, **DAMAGED, **INT8}.items():
        rows = enumerate(heard_by(model, options, HEARD))
        lines = [json.dumps({"id": f"c{number}", "pred_text": text}) for number, text in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    catalog = [
        f"  {name}: {{engine: predictions, checkpoint: ./{name}.jsonl, tasks: [asr], tier: baseline}}\n"
        for name in ("honest", *DAMAGED, *INT8)
    ]
    text = "".join(["schema_version: 1\nmodels:\n", *catalog])
    (folder / "catalog.yaml").write_text(text, encoding="utf-8")
    before = run_toys(folder, *SELECT, "--model=honest")
    assert before.returncode == 0, before.stdout + before.stderr
    # Of a model that hears nothing anyway nothing would be shown.
    assert row_of(card_of(folder), "honest", "wer")["value"] < 0.10
    promote(folder / "runs" / "latest", "before", folder / "baselines")
    changed = [*DAMAGED, *INT8]
    held = [f"--map=honest={name}" for name in changed]
    done = run_toys(folder, *SELECT, "--baseline=before", *held, *(f"--model={n}" for n in changed))
    assert done.returncode == 1, done.stdout + done.stderr
    return card_of(folder), done.stdout


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_caught(name: str, after: tuple[dict[str, Any], str]) -> None:
    card, said = after
    change = row_of(card, name, "wer_change")
    assert "wer_change" in broken_limits(said).get(name, []), change
    assert change["ci"][0] > 0


def test_honest_int8_passes(after: tuple[dict[str, Any], str]) -> None:
    card, said = after
    assert broken_limits(said).get("int8", []) == []
    (grade,) = (g for g in card["grades"] if g["model"] == "int8")
    assert grade["gate"] == "pass"
