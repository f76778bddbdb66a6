"""Before and after: paired, refused where they are not of the same thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.gate.baseline import Baseline, BaselineError, find
from evals.gate.case import Case
from evals.gate.paired_change import NotComparable, changes, worsened
from evals.gate.verdict import decide
from evals.measures.statistics.further_evidence import further_evidence
from evals.measures.text.alignment import Aligned, align
from evals.records.measurement import Limit
from evals.records.predictions import Prediction, PredictionFile
from reports.runs.promote import NotPromoted, promote

CASE = Case("m", "candidate", "asr", "c")


def _rows(heard: list[str], said: list[str] | None = None) -> list[Prediction]:
    said = said or ["a b c d"] * len(heard)
    return [
        Prediction(f"u{i}", reference, text, 1.0, 0.1)
        for i, (reference, text) in enumerate(zip(said, heard, strict=True))
    ]


def _aligned(heard: list[str]) -> Aligned:
    return align(_rows(heard), "none")


def test_differences_by_hand() -> None:
    before = _aligned(["a b c d", "a b c x", "a b c d", ""])
    after = _aligned(["a b c d", "a b c d", "a y c d", ""])
    figures = changes(before, after)
    assert figures["wer_change"].value == 0.0  # one better, one worse
    assert figures["sentence_error_rate_change"].value == 0.0
    assert figures["success_rate_change"].value == 0.0
    worse = changes(before, _aligned(["x y z w", "a b c x", "a b c d", ""]))
    assert worse["wer_change"].value == pytest.approx(4 / 16)
    assert worse["sentence_error_rate_change"].value == pytest.approx(1 / 4)


def test_the_same_is_no_change_and_not_certain() -> None:
    """Sixty utterances do not show that the next one is the same too."""
    same = _aligned(["a b c x", "a b c d", "a b"] * 20)
    for figure in changes(same, same).values():
        assert figure.value == 0
        assert figure.identical
        assert figure.ci is not None
        assert -0.07 < figure.ci[0] == -figure.ci[1] < -0.01


@pytest.mark.parametrize("n", [8, 20])
def test_what_is_said_to_show_no_change_shows_it(n: int) -> None:
    """Without a change the interval shrinks with the number of utterances, not with its root."""
    heard = ["a b c x", "a b c d"] * (n // 2)
    margin = Limit("max", 0.02, "made up")
    same = changes(_aligned(heard), _aligned(heard))["wer_change"]
    more = further_evidence(same, margin).utterances
    assert more is not None
    times = -(-(n + more) // n)
    larger, smaller = (_aligned(heard * t) for t in (times, times - 2))
    assert decide(changes(larger, larger)["wer_change"], [margin])[0] == "pass"
    assert decide(changes(smaller, smaller)["wer_change"], [margin])[0] == "inconclusive"


def test_a_few_differences_are_not_certain() -> None:
    """One utterance of a hundred got better: that is no proof that the next will not be worse."""
    before = _aligned(["a b c x"] + ["a b c d"] * 99)
    after = _aligned(["a b c d"] * 100)
    ci = changes(before, after)["wer_change"].ci
    assert ci is not None
    assert ci[0] < 0 < ci[1]


def test_what_is_hard_for_both_cancels() -> None:
    """The paired interval is narrower than the two models' own."""
    rng = np.random.default_rng(5)
    hard = rng.random(400) < 0.3
    before = ["a" if h else "a b c d" for h in hard]
    after = [text if rng.random() > 0.05 else "a b c" for text in before]
    figures = changes(_aligned(before), _aligned(after))
    ci = figures["wer_change"].ci
    assert ci is not None
    assert ci[1] - ci[0] < 0.03


def test_the_worst_come_first() -> None:
    before = _aligned(["a b c d", "a b c d", "a b c x", "a b c d"])
    after = _aligned(["a b c x", "", "a b c d", "a b x x"])
    assert [(w.id, w.errors_before, w.errors_after) for w in worsened(before, after)] == [
        ("u1", 0, 4),
        ("u3", 0, 2),
        ("u0", 0, 1),
    ]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (align(_rows(["a"] * 2), "none"), "3 utterances before, 2 now"),
        (align(_rows(["a"] * 3, ["a", "other", "a"]), "none"), "utterance 1 was 'u0'"),
        (align(_rows(["a"] * 3), "lower"), "normalizer none before, lower now"),
    ],
)
def test_other_utterances_are_refused(after: Aligned, says: str) -> None:
    with pytest.raises(NotComparable, match=says):
        changes(_aligned(["a b c d"] * 3), after)


def test_margin_decides() -> None:
    """Three points worse on 300 utterances is caught at a margin of half a point."""
    rng = np.random.default_rng(1)
    words = "a b c d e f g h"
    said = [words] * 300
    after = [" ".join(w for w in words.split() if rng.random() > 0.03) for _ in said]
    figure = changes(align(_rows(said, said), "none"), align(_rows(after, said), "none"))[
        "wer_change"
    ]
    assert decide(figure, [Limit("max", 0.005, "margin")])[0] == "fail"
    assert decide(figure, [Limit("max", 0.06, "margin")])[0] == "pass"


# A run's folder, as a session leaves it.


def _card(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    row = {"model": "m", "task": "asr", "corpus": "c", "metric": "wer", "normalizer": "none"}
    card = {
        "run": {"id": "r", "complete": True, "exit_status": 0, **changes},
        "provenance": {"corpora": [{"name": "c", "content_hash": "h1"}]},
        "measurements": [row],
    }
    (folder / "scorecard.json").write_text(json.dumps(card), encoding="utf-8")
    with PredictionFile(folder / "m" / "asr" / "c.jsonl") as file:
        for prediction in _rows(["a b c d"] * 30):
            file.append(prediction)
    return folder / "scorecard.json"


def test_baseline_compares(tmp_path: Path) -> None:
    baseline = Baseline(_card(tmp_path / "run"))
    comparison = baseline.compare(CASE, "h1", _aligned(["a b c"] * 30))
    assert comparison.figures["wer_change"].value == 0.25
    assert len(comparison.worsened) == 30
    assert baseline.models == {"m"}


@pytest.mark.parametrize(
    ("case", "content_hash", "normalizer", "says"),
    [
        (CASE, "h2", "none", "its corpus c is another one"),
        (CASE, "h1", "lower", "scored with none, now with lower"),
        (Case("m", "candidate", "tts", "c"), "h1", "none", "it has no tts of m on c"),
        (Case("n", "candidate", "asr", "c"), "h1", "none", "it has no asr of n on c"),
    ],
)
def test_another_baseline_is_refused(
    tmp_path: Path, case: Case, content_hash: str, normalizer: str, says: str
) -> None:
    baseline = Baseline(_card(tmp_path / "run"))
    with pytest.raises(NotComparable, match=says):
        baseline.compare(case, content_hash, align(_rows(["a"] * 30), normalizer))


def test_lost_predictions_are_said(tmp_path: Path) -> None:
    baseline = Baseline(_card(tmp_path / "run"))
    (tmp_path / "run" / "m" / "asr" / "c.jsonl").unlink()
    with pytest.raises(NotComparable, match="predictions cannot be read"):
        baseline.compare(CASE, "h1", _aligned(["a"] * 30))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "Invalid JSON"),
        ("{}", "run: Field required: not a scorecard"),
        ('{"run": {"id": 3}}', "run.id: "),
    ],
)
def test_what_is_no_scorecard(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "scorecard.json"
    file.write_text(content)
    with pytest.raises(BaselineError, match=says) as caught:
        Baseline(file)
    assert str(file) in str(caught.value)


def test_interrupted_run_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="interrupted"):
        Baseline(_card(tmp_path / "run", complete=False))


def test_found_by_file_folder_or_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = _card(tmp_path / "baselines" / "main")
    monkeypatch.chdir(tmp_path)
    assert find(str(card)) == card
    assert find(str(card.parent)) == card
    assert find("main").resolve() == card
    # The link is another run's by the time that a rescored run is compared with it again.
    (card.parent.parent / "latest").symlink_to(card.parent.name)
    assert find(str(card.parent.parent / "latest")) == card
    with pytest.raises(BaselineError, match="promote"):
        find("other")


def test_promoting_what_is_no_scorecard(tmp_path: Path) -> None:
    with pytest.raises(NotPromoted, match="cannot be read"):
        promote(tmp_path, "main", tmp_path / "baselines")
    with pytest.raises(NotPromoted, match="a name has letters"):
        promote(tmp_path, "../main", tmp_path / "baselines")
