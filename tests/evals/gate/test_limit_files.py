"""Thresholds on top of others: what they are together, and where each mistake stands."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from adapters.catalog.yaml_file import ConfigError
from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import DEFAULT, load

STRICT = (
    "extends: default\ntiers:\n  production:\n    limits:\n      asr:\n        wer: {max: 0.04}\n"
)


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _limits(limits: LimitFiles) -> dict[str, float | None]:
    return {k: v.max for k, v in limits.thresholds.tiers["production"].limits["asr"].items()}


def test_what_an_overlay_does_not_say_is_the_default(tmp_path: Path) -> None:
    changed = _limits(LimitFiles(_file(tmp_path, "strict.yaml", STRICT)))
    assert changed == {**_limits(LimitFiles()), "wer": 0.04}


def test_a_second_file_lies_on_the_first(tmp_path: Path) -> None:
    strict = _file(tmp_path, "strict.yaml", STRICT)
    looser = "tiers: {production: {limits: {asr: {wer: {max: 0.5}, cer: null}}}}\n"
    limits = LimitFiles(strict, _file(tmp_path, "looser.yaml", looser))
    expected = {**_limits(LimitFiles()), "wer": 0.5}
    del expected["cer"]  # null lifts a limit
    assert _limits(limits) == expected
    assert limits.names == f"{strict} + {tmp_path / 'looser.yaml'}"


def test_a_file_extends_another_by_its_own_folder(tmp_path: Path) -> None:
    _file(tmp_path, "shared/strict.yaml", STRICT)
    ours = "extends: ../shared/strict.yaml\nmissing_caps_grade_at: C\n"
    limits = LimitFiles(_file(tmp_path, "ours/limits.yaml", ours))
    assert _limits(limits)["wer"] == 0.04
    assert limits.thresholds.missing_caps_grade_at == "C"


def test_one_file_would_say_the_same(tmp_path: Path) -> None:
    """What a run keeps makes the same limits, and counts as the same by its hash."""
    limits = LimitFiles(_file(tmp_path, "strict.yaml", STRICT))
    kept = tmp_path / "kept.yaml"
    kept.write_bytes(limits.content)
    again = LimitFiles(kept)
    assert again.thresholds == limits.thresholds
    assert again.sha256 == limits.sha256
    assert "extends" not in yaml.safe_load(limits.content)


def test_a_file_alone_is_kept_to_the_byte() -> None:
    assert LimitFiles().content == DEFAULT.read_bytes()
    assert LimitFiles().sha256 == hashlib.sha256(DEFAULT.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STRICT.replace("wer:", "wre:"), "a.yaml:6: tiers.production.limits.asr.wre: unknown metric"),
        (STRICT.replace("0.04", "4"), "a.yaml:6: tiers.production.limits.asr.wer.max: 4 is 400 %"),
        (STRICT.replace("max", "min"), "a.yaml:6: tiers.production.limits.asr.wer: exactly one"),
        ("extends: defualt\n", "a.yaml:1: extends: "),
        ("extends: a.yaml\n", "a.yaml:1: extends: a.yaml lies on this file already"),
        ("extends: 3\n", "a.yaml:1: extends: 'default' or the path of a file is expected"),
        ("extends: default\nextra: 1\n", "a.yaml:2: extra: unknown key"),
        ("baseline: {inconclusive: pass}\n", "`extends: default` takes what it does not say"),
        ("extends: default\nbands: {asr: {wer: {A: 0.9}}}\n", "a.yaml:2: bands.asr.wer: impossible"),
        ("extends: default\nbands: {asr: {wre: null}}\n", "a.yaml:2: bands.asr.wre"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LimitFiles(_file(tmp_path, "a.yaml", text))
    assert says in str(caught.value)


def test_a_mistake_below_is_told_in_the_file_below(tmp_path: Path) -> None:
    _file(tmp_path, "below.yaml", STRICT.replace("0.04", "ten"))
    above = _file(tmp_path, "above.yaml", "extends: below.yaml\nmissing_caps_grade_at: C\n")
    with pytest.raises(ConfigError, match=r"below\.yaml:6: tiers\.production\.limits\.asr\.wer"):
        LimitFiles(above)


def test_a_circle_of_two_is_refused(tmp_path: Path) -> None:
    _file(tmp_path, "a.yaml", "extends: b.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:1: extends: b\.yaml lies on this file"):
        LimitFiles(_file(tmp_path, "b.yaml", "extends: a.yaml\n"))


def test_extends_is_for_every_reader(tmp_path: Path) -> None:
    strict = _file(tmp_path, "strict.yaml", STRICT)
    assert load(strict) == LimitFiles(strict).thresholds
