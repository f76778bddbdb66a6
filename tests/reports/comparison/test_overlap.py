"""Where two runs' own intervals and the paired difference seem to disagree, it is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.commands.compare import read_report
from reports.comparison.overlap import explanations
from reports.comparison.result import Change, Direction
from reports.comparison.terminal import render
from reports.comparison.utterance_changes import Of
from tests.reports.comparison.test_compare import MODEL, SAID, THRESHOLDS, heard, wrong
from tests.support.written_runs import asr_run

Ends = tuple[float, float]
APART: tuple[Ends, Ends] = ((0.01, 0.03), (0.04, 0.08))
OVERLAPPING: tuple[Ends, Ends] = ((0.01, 0.03), (0.02, 0.08))


def change(direction: Direction, own: tuple[Ends | None, Ends | None], metric: str) -> Change:
    return Change(
        of=Of("m", "m", "asr", "c"),
        metric=metric,
        before=0.02,
        after=0.06,
        change=0.04,
        ci=(0.0, 0.08),
        n=100,
        normalizer=None,
        direction=direction,
        margin=None,
        verdict=None,
        reason=None,
        further_utterances=None,
        before_ci=own[0],
        after_ci=own[1],
    )


@pytest.mark.parametrize(
    ("direction", "own", "says"),
    [
        ("worse", OVERLAPPING, "what is hard for both"),
        ("better", OVERLAPPING, "what is hard for both"),
        ("unclear", APART, "others may not show it"),
        ("worse", APART, None),
        ("unclear", OVERLAPPING, None),
        ("same", OVERLAPPING, None),
        ("worse", (None, (0.0, 1.0)), None),
    ],
)
def test_only_what_seems_to_disagree(
    direction: Direction, own: tuple[Ends | None, Ends | None], says: str | None
) -> None:
    lines = list(explanations([change(direction, own, "wer"), change(direction, own, "cer")]))
    assert len(lines) == (says is not None)
    if says:
        assert says in lines[0]
        assert "m on c (asr)" in lines[0]
        assert "of wer and cer" in lines[0]


def test_said_in_the_terminal_and_on_the_page(tmp_path: Path) -> None:
    """Half of the utterances are hopeless either way; a third of the others lose a word."""
    from reports.page.compare_page import page

    before = [wrong(8) if i % 2 else SAID for i in range(120)]
    after = [wrong(1) if i % 6 == 0 else text for i, text in enumerate(before)]
    runs = [
        asr_run(tmp_path / name, number, {MODEL: heard(texts)})
        for number, (name, texts) in enumerate({"a": before, "b": after}.items())
    ]
    report = read_report([str(run) for run in runs], THRESHOLDS)
    (compared,) = report.comparisons
    wer = next(c for c in compared.paired if c.metric == "wer")
    assert wer.direction == "worse"
    assert wer.before_ci is not None
    assert wer.after_ci is not None
    assert wer.before_ci[1] > wer.after_ci[0]
    for text in (render(report), page(report)):
        assert "is shown all the same" in text
        assert text.count("what is hard for both runs") == 1
