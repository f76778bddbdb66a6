"""Charts: every mark shows the scorecard's figure, where its scale says, whatever the figures are."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from evals.records.measurement import Measurement
from evals.task import TASKS, Column
from reports.page import charts
from reports.page.charts import Difference, History, Point, Series, scales, svg
from reports.page.charts.labels import change_said, said
from reports.scorecard.scorecard import (
    Candidate,
    ModelRecord,
    Provenance,
    Recommendation,
    Run,
    Scorecard,
)

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"
CHARTS = (charts.panels, charts.pareto, charts.slices, charts.conditions)


def row(model: str, metric: str, value: float | None, **more: Any) -> Measurement:
    units = {"peak_memory": "MB"}
    return Measurement(
        **{
            "model": model,
            "task": "asr",
            "corpus": "calls",
            "metric": metric,
            "value": value,
            "unit": units.get(metric, "ratio"),
            "n": 50 if value is not None else 0,
            "verdict": "not_measured"
            if value is None
            else "pass"
            if "limit" in more
            else "no_limit",
            **more,
        }
    )


def card_of(
    names: Sequence[str],
    measurements: Sequence[Measurement],
    candidates: Sequence[Candidate] = (),
    tasks: Sequence[str] = ("asr",),
) -> Scorecard:
    """A scorecard with those models, in that order, and figures."""
    nothing: Mapping[str, Any] = dict.fromkeys(
        (
            "checkpoint_sha256",
            "revision",
            "licence",
            "parameters",
            "device",
            "device_note",
            "python",
        )
    )
    return Scorecard(
        run=Run(id="r", started="2026-11-23T00:00:00Z", seconds=1, exit_status=0, complete=True, gate="tier", conditions=[]),
        provenance=Provenance(
            git_sha=None, git_dirty=None, python="3", packages={}, platform="p", processor="p", cores=1,
            memory_bytes=1, command_line=[], threads=1, seed=0, device_requested="cpu",
            thresholds_sha256="0", corpora=[],
        ),
        models=[
            ModelRecord(name=n, engine="e", checkpoint="c", tasks=list(tasks), tier="candidate", options={}, packages={}, **nothing)
            for n in names
        ],
        measurements=list(measurements),
        grades=[],
        recommendation=Recommendation(use_case="general", model=None, reason="", candidates=list(candidates)),
    )  # fmt: skip


def parsed(drawn: Markup | None) -> Element:
    """A chart as XML, in which every drawing must have its text alternative."""
    assert drawn is not None
    assert isinstance(drawn, Markup)
    root = ElementTree.fromstring(f"<body>{drawn}</body>")
    for picture in root.iter(f"{SVG}svg"):
        assert picture.get("role") == "img"
        assert picture.get("aria-label")
    return root


def pictures(drawn: Markup | None) -> list[Element]:
    return list(parsed(drawn).iter(f"{SVG}svg"))


def as_file(card: Scorecard) -> Any:
    """What is in the card's file."""
    return json.loads(json.dumps(card.model_dump(mode="json")))


def at(file: Any, key: str) -> Any:
    """The value that a JSON pointer names in a card's file."""
    found = file
    for part in key.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        found = found[int(part) if isinstance(found, list) else part]
    return found


def keyed(root: Element) -> Iterator[tuple[str, str, Element]]:
    """Key, title and element of everything that shows a figure."""
    for element in root.iter():
        if key := element.get("data-key"):
            inside = element.find(f"{SVG}title")
            title = element.get("title") if inside is None else inside.text
            assert title
            yield key, title, element


def number_in(text: str) -> float:
    """A tick's value: "12.5 %" is 0.125."""
    plain = text.replace(",", "").replace("\u2212", "-").replace("+", "")
    return float(plain.removesuffix(" %")) / (100 if plain.endswith("%") else 1)


def ticks(picture: Element, axis: str) -> list[tuple[float, float]]:
    """Value and place of each tick that is named."""
    return [
        (number_in(t.text or ""), float(t.get(axis, "nan")) - (4 if axis == "y" else 0))
        for t in picture.iter(f"{SVG}text")
        if t.get("class") == f"tick {axis}"
    ]


def place_by_ticks(picture: Element, axis: str, value: float) -> float:
    """Where a value belongs, told from the first and the last tick alone."""
    known = sorted(ticks(picture, axis))
    assert len(known) >= 2
    values, places = zip(*known, strict=True)
    log = len(known) > 2 and values[0] > 0 and not _even(values)

    def bent(v: float) -> float:
        return math.log10(v) if log else v

    part = (bent(value) - bent(values[0])) / (bent(values[-1]) - bent(values[0]))
    return float(places[0] + part * (places[-1] - places[0]))


def _even(values: Sequence[float]) -> bool:
    steps = [b - a for a, b in pairwise(values)]
    return max(steps) < 1.01 * min(steps)


def spot(element: Element) -> tuple[float, float]:
    """The middle of the one mark in a group."""
    marks = [p for p in element.iter(f"{SVG}path") if p.get("class") == "mark"]
    assert len(marks) == 1
    x, y = re.findall(r"[-\d.]+", marks[0].get("transform", ""))
    return float(x), float(y)


def marks_of(picture: Element) -> dict[str, tuple[float, float]]:
    """Key of a figure to the middle of its mark."""
    found = {}
    for key, _, element in keyed(picture):
        if any(p.get("class") == "mark" for p in element.iter(f"{SVG}path")):
            found[key] = spot(element)
    return found


LIMITED = {"limit": 0.2, "bound": "max", "limit_source": "tier candidate"}
NAMES = ("quick", "good", "slow")
FIGURES = [
    row("quick", "wer", 0.3, ci=(0.22, 0.41), verdict="fail", **LIMITED),
    row("quick", "rtf", 0.005, limit=2.0, bound="max", limit_source="tier candidate"),
    row("quick", "rtfx", 200.0, ci=(180.0, 230.0)),
    row("quick", "peak_memory", 75.4),
    row("good", "wer", 0.0625, ci=(0.03, 0.09), **LIMITED),
    row("good", "rtfx", 20.0, ci=(18.0, 22.0), conditions=("busy",), reason="waited"),
    row("good", "peak_memory", 150.0, limit=8000.0, bound="max", limit_source="tier candidate"),
    row("slow", "wer", 0.12, ci=(0.1, 0.25), verdict="inconclusive", **LIMITED),
    row("slow", "rtfx", 2.0, ci=(1.5, 3.0)),
    row("slow", "peak_memory", None, reason="no <meter>"),
    *(
        row(m, "wer", v, slice=s, n=n, ci=(v / 2, 2 * v))
        for m, s, v, n in [
            ("quick", "category=alarms", 0.5, 30),
            ("good", "category=alarms", 0.1, 30),
            ("quick", "category=digits", 0.0, 8),
            ("good", "category=digits", 1.5, 8),
            ("quick", "duration=10-30 s", 0.2, 12),
            ("quick", "duration=2-5 s", 0.1, 12),
        ]
    ),
    row("slow", "wer", None, slice="category=digits", reason="the references hold no words"),
    *(
        row(m, "wer_drift", v, task="robustness", slice=c, ci=(v - 0.05, v + 0.07))
        for m, c, v in [
            ("quick", "white-20db", 0.01),
            ("quick", "white-0db", 0.9),
            ("good", "white-20db", -0.02),
            ("good", "white-10db", 0.2),
            ("good", "white-0db", 0.4),
            ("quick", "reverb", 0.12),
            ("good", "reverb", -0.03),
            ("good", "gain-12db", 0.0),
        ]
    ),
    row("quick", "wer_drift", None, task="robustness", slice="white-10db", reason="no noise"),
    row("quick", "wer_drift", None, task="robustness", slice="gain-12db", verdict="error"),
    row("quick", "wer", 0.3, task="robustness", slice="clean"),
]  # fmt: skip
CANDIDATES = [
    Candidate(model="good", score=0.61, parts={"wer": 0.375, "rtf": 0.96, "peak_memory": 0.98}, rejected=["WER"]),
    Candidate(model="quick", score=None, parts={"rtf": 0.99}, rejected=["no WER"]),
]  # fmt: skip
CARD = card_of(NAMES, FIGURES, CANDIDATES)
FILE = as_file(CARD)


@pytest.mark.parametrize("chart", CHARTS)
def test_every_mark_says_what_the_scorecard_says(chart: Any) -> None:
    seen = 0
    for key, title, _ in keyed(parsed(chart(CARD))):
        value = at(FILE, key)
        seen += 1
        if key.startswith("/measurements"):
            m = CARD.measurements[int(key.split("/")[2])]
            assert m.model in title
            expected = m.verdict.replace("_", " ") if value is None else said(value, m.metric)
            if m.value is not None and key.endswith("/value"):
                assert f"n = {m.n}" in title
                for end in m.ci or ():
                    assert said(end, m.metric) in title
        else:
            expected = "no score" if value is None else f"{value:.2f}"
        assert expected in title
    assert seen > 4


def test_every_figure_of_the_panels_is_there_once() -> None:
    keys = [key for key, _, _ in keyed(parsed(charts.panels(CARD)))]
    for i, m in enumerate(FIGURES):
        if m.slice == "all" and m.metric in ("wer", "rtfx", "peak_memory"):
            assert keys.count(f"/measurements/{i}/value") == 1
    assert "/recommendation/candidates/0/parts/peak_memory" in keys
    assert "/recommendation/candidates/1/score" in keys


def test_marks_are_where_the_ticks_say() -> None:
    seen = 0
    for picture in pictures(charts.panels(CARD)):
        for key, (x, _) in marks_of(picture).items():
            assert x == pytest.approx(place_by_ticks(picture, "x", at(FILE, key)), abs=0.1)
            seen += 1
    assert seen == 8  # the nine figures but the one that was not measured
    (plot,) = pictures(charts.pareto(CARD))
    for key, (x, y) in marks_of(plot).items():
        wer = CARD.measurements[int(key.split("/")[2])]
        rtfx = next(m for m in FIGURES if (m.model, m.metric) == (wer.model, "rtfx"))
        assert x == pytest.approx(place_by_ticks(plot, "x", rtfx.value or 0), abs=0.1)
        assert y == pytest.approx(place_by_ticks(plot, "y", wer.value or 0), abs=0.1)
    curve, dots = pictures(charts.conditions(CARD))
    for picture, axis in ((curve, "y"), (dots, "x")):
        marks = marks_of(picture)
        assert len(marks) == (5 if picture is curve else 3)
        for key, where in marks.items():
            wanted = place_by_ticks(picture, axis, 100 * at(FILE, key))
            assert where[axis == "y"] == pytest.approx(wanted, abs=0.1)


def test_scores_and_their_parts_are_where_the_ticks_say() -> None:
    picture = pictures(charts.panels(CARD))[3]
    seen = 0
    for key, _, element in keyed(picture):
        value = at(FILE, key)
        if "/parts/" in key:
            (bar,) = element.findall(f"{SVG}rect")
            start, width = (float(bar.get(name, "nan")) for name in ("x", "width"))
            assert start == pytest.approx(place_by_ticks(picture, "x", 0), abs=0.1)
            assert start + width == pytest.approx(place_by_ticks(picture, "x", value), abs=0.1)
        elif value is not None:
            (mark,) = element.findall(f"{SVG}line")
            wanted = place_by_ticks(picture, "x", value)
            assert float(mark.get("x1", "nan")) == pytest.approx(wanted, abs=0.1)
        else:
            assert not element.findall(f"{SVG}line")
        seen += 1
    assert seen == 6  # two scores, one of them missing, and four parts


def test_speeds_over_decades_are_on_a_logarithmic_scale_and_errors_never() -> None:
    wer, speed, memory = ([v for v, _ in ticks(p, "x")] for p in pictures(charts.panels(CARD))[:3])
    assert {1.0, 10.0, 100.0} <= set(speed)
    assert min(wer) == min(memory) == 0
    wide = [replace(m, value=(m.value or 0) ** 3) for m in FIGURES[:10] if m.metric == "wer"]
    assert _even(sorted(v for v, _ in ticks(pictures(charts.panels(card_of(NAMES, wide)))[0], "x")))
    near = [replace(m, value=20 + (m.value or 0) / 100) for m in FIGURES[:10] if m.metric == "rtfx"]
    assert min(v for v, _ in ticks(pictures(charts.panels(card_of(NAMES, near)))[0], "x")) == 0


def test_whiskers_span_the_interval() -> None:
    wer = pictures(charts.panels(CARD))[0]
    (element,) = (e for key, _, e in keyed(wer) if key == "/measurements/0/value")
    lines = list(element.iter(f"{SVG}line"))
    widest = max(lines, key=lambda e: float(e.get("x2", 0)) - float(e.get("x1", 0)))
    ends = [float(widest.get(end, "nan")) for end in ("x1", "x2")]
    assert ends == pytest.approx([place_by_ticks(wer, "x", v) for v in (0.22, 0.41)], abs=0.1)


def test_limits_are_lines_and_what_is_far_off_is_said() -> None:
    wer, speed, memory, _ = parsed(charts.panels(CARD)).iter("figure")
    (picture,) = wer.iter(f"{SVG}svg")
    bounds = [e for key, _, e in keyed(wer) if key.endswith("/limit")]
    assert len(bounds) == 3
    for bound in bounds:
        (mark,) = bound.iter(f"{SVG}line")
        assert float(mark.get("x1", 0)) == pytest.approx(place_by_ticks(picture, "x", 0.2), abs=0.1)
    # RTF at most 2 is RTFx at least 0.5.
    (of_speed,) = ((k, t, e) for k, t, e in keyed(speed) if k.endswith("/limit"))
    assert of_speed[0] == "/measurements/1/limit"
    (picture,) = speed.iter(f"{SVG}svg")
    (mark,) = of_speed[2].iter(f"{SVG}line")
    values = [v for v, _ in ticks(picture, "x")]
    assert min(values) <= 1 <= 100 <= max(values)
    assert float(mark.get("x1", 0)) == pytest.approx(place_by_ticks(picture, "x", 0.5), abs=0.1)
    # 8,000 MB would leave 150 MB no room.
    assert "Limits off the scale: at most 8,000 MB" in "".join(memory.itertext())
    assert max(v for v, _ in ticks(next(memory.iter(f"{SVG}svg")), "x")) < 300


def test_what_is_missing_says_so_and_has_no_mark() -> None:
    root = parsed(charts.panels(CARD))
    missing = next(i for i, m in enumerate(FIGURES) if m.value is None)
    (element,) = (e for key, _, e in keyed(root) if key == f"/measurements/{missing}/value")
    assert "not measured" in [t.text for t in element.iter(f"{SVG}text")]
    assert not list(element.iter(f"{SVG}path"))
    told = "".join(parsed(charts.conditions(CARD)).itertext())
    assert "quick white-10db not measured" in told
    assert "quick gain-12db error" in told
    # A model whose task it is, and which has no row at all.
    unseen = parsed(charts.panels(card_of(("quick", "absent"), FIGURES[:1])))
    assert "not run" in [t.text for t in unseen.iter(f"{SVG}text")]


def test_gaps_break_the_curve() -> None:
    curve = pictures(charts.conditions(CARD))[0]
    quick, good = (p.get("d", "") for p in curve.iter(f"{SVG}path") if p.get("fill") == "none")
    assert (quick.count("M"), quick.count("L")) == (2, 0)
    assert (good.count("M"), good.count("L")) == (1, 2)


def test_many_models_share_a_scale_over_several_charts() -> None:
    names = [f"model-{i}" for i in range(8)]
    drifts = [
        row(n, "wer_drift", i / 10 + extra, task="robustness", slice=c)
        for i, n in enumerate(names)
        for c, extra in (("white-20db", 0.0), ("white-0db", 0.1), ("mp3", 0.2))
    ]
    drawn = pictures(charts.conditions(card_of(names, drifts)))
    curves, dots = drawn[:2], drawn[2:]
    assert [len(marks_of(p)) for p in drawn] == [12, 4, 6, 2]
    assert "models 7 to 8 of 8" in str(curves[1].get("aria-label"))
    assert ticks(curves[0], "y") == ticks(curves[1], "y")
    assert ticks(dots[0], "x") == ticks(dots[1], "x")


def test_louder_noise_is_further_right() -> None:
    curve = pictures(charts.conditions(CARD))[0]
    marks = marks_of(curve)
    places = [
        marks[f"/measurements/{i}/value"][0]
        for level in ("20", "10", "0")
        for i, m in enumerate(FIGURES)
        if (m.model, m.slice) == ("good", f"white-{level}db")
    ]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.1)
    assert places == sorted(places)


def test_busy_figures_are_hollow() -> None:
    speed = pictures(charts.panels(CARD))[1]
    fills = {
        key: [p.get("fill") for p in e.iter(f"{SVG}path")]
        for key, _, e in keyed(speed)
        if key.endswith("value")
    }
    assert fills["/measurements/5/value"] == [svg.PAPER]
    assert fills["/measurements/2/value"] != [svg.PAPER]
    contended = [replace(m, conditions=("contended",)) for m in FIGURES[:4]]
    again = pictures(charts.panels(card_of(NAMES, contended)))[1]
    assert svg.PAPER in {p.get("fill") for p in again.iter(f"{SVG}path")}


def test_broken_limits_and_open_questions_are_marked_in_words_too() -> None:
    wer = next(parsed(charts.panels(CARD)).iter("figure"))
    texts = [t.text for t in wer.iter(f"{SVG}text")]
    assert texts.count("✕") == 1
    assert texts.count("?") == 1
    assert "✕: breaks its limit; ?: not enough evidence" in "".join(wer.itertext())


def test_the_front_is_what_none_beats() -> None:
    beaten = [
        row("beaten", "wer", 0.3, ci=(0.2, 0.4)),
        row("beaten", "rtfx", 20.0),
        row("equal", "wer", 0.0625),
        row("equal", "rtfx", 20.0),
    ]
    card = card_of((*NAMES, "beaten", "equal"), [*FIGURES[:10], *beaten])
    root = parsed(charts.pareto(card))
    titles = {title.partition(" on ")[0]: title for _, title, _ in keyed(root)}
    assert titles["beaten"].endswith("beaten in both by quick")
    assert titles["slow"].endswith("beaten in both by good")
    for name in ("quick", "good", "equal"):
        assert titles[name].endswith("on the front")
    faint = [g for g in root.iter(f"{SVG}g") if g.get("opacity")]
    assert len(faint) == 2
    # The staircase turns at the marks of the front, and at no other.
    (front,) = (p for p in root.iter(f"{SVG}path") if p.get("class") == "front")
    turns = {float(x) for x in re.findall(r"H([\d.]+)", front.get("d", ""))}
    marks = marks_of(root)
    keys = {k: card.measurements[int(k.split("/")[2])].model for k in marks}
    assert turns == {marks[k][0] for k, name in keys.items() if name in ("quick", "good", "equal")}


def test_the_heat_map_writes_its_values_and_tints_by_them() -> None:
    category, duration = pictures(charts.slices(CARD))
    cells = {
        key: (e.findall(f"{SVG}text")[0].text, e.findall(f"{SVG}rect")[0])
        for key, _, e in keyed(category)
    }
    by_part = {(m.model, m.slice): f"/measurements/{i}/value" for i, m in enumerate(FIGURES)}
    wanted = {
        ("quick", "category=alarms"): "50.0",
        ("good", "category=alarms"): "10.0",
        ("quick", "category=digits"): "0.0",
        ("good", "category=digits"): "150.0",
    }
    tints = {}
    for part, text in wanted.items():
        shown, cell = cells[by_part[part]]
        assert shown == text
        tints[part] = float(cell.get("fill-opacity", "nan"))
    order = sorted(wanted, key=lambda part: float(wanted[part]))
    assert [tints[p] for p in order] == sorted(tints.values())
    assert tints["quick", "category=digits"] == 0
    assert cells[by_part["slow", "category=digits"]][0] in ("not measured", "none")
    # The worst first; lengths in their order.
    names = [t.text for t in category.iter(f"{SVG}text")]
    assert names.index("digits") < names.index("alarms")
    names = [t.text for t in duration.iter(f"{SVG}text")]
    assert names.index("2-5 s") < names.index("10-30 s")


def test_many_models_make_several_maps_and_many_parts_are_cut() -> None:
    names = [f"model-{i}" for i in range(12)]
    parts = [row(n, "wer", i / 30, slice=f"speaker={i}") for n in names for i in range(30)]
    root = parsed(charts.slices(card_of(names, parts)))
    assert len(list(root.iter(f"{SVG}svg"))) == 3
    assert "the 20 worst of 30" in "".join(root.itertext())
    assert len({key for key, _, _ in keyed(root)}) == 12 * 20


HOSTILE = "<script>alert(1)</script>&\"'\x00\x1b[31m\u202eevil\ufffe"


def test_text_from_outside_is_text() -> None:
    figures = [replace(m, model=HOSTILE, corpus=HOSTILE, reason=HOSTILE) for m in FIGURES if m.model == "quick"]  # fmt: skip
    figures += [row(HOSTILE, "wer", 0.1, slice=f"{HOSTILE}={HOSTILE}", corpus=HOSTILE)]
    figures += [row(HOSTILE, "wer_drift", 0.1, slice=HOSTILE, task="robustness")]
    who = [Candidate(model=HOSTILE, score=0.5, parts={"wer": 0.5}, rejected=[HOSTILE])]
    card = card_of([HOSTILE], figures, who)
    for chart in CHARTS:
        drawn = chart(card)
        assert drawn is not None
        assert "<script" not in drawn
        for hidden in "\x00\x1b\u202e\ufffe":
            assert hidden not in drawn
        assert "<script>alert(1)</script>" in "".join(parsed(drawn).itertext())
    drawn = charts.forest([Difference(HOSTILE, "wer", 0.1, 5, reason=HOSTILE)])
    assert "<script" not in str(drawn)
    points = [Point(HOSTILE, "/x", 0.1, 5), Point("r2", "/y", None, 0, state=HOSTILE)]
    told = charts.history(History("wer", HOSTILE, [HOSTILE, "r2"], [Series(HOSTILE, 0, points)]))
    assert "<script" not in str(told)
    parsed(told)


def test_nothing_to_show_is_none() -> None:
    empty = card_of(NAMES, [])
    for chart in CHARTS:
        assert chart(empty) is None
    assert charts.forest([]) is None
    gone = Series("m", 0, [Point("r", "/k", None, 0)])
    assert charts.history(History("wer", "c", ["r"], [gone])) is None


def test_other_tasks_have_panels_of_their_own() -> None:
    figures = [
        row("v", "wer", 0.1, task="tts"),
        row("v", "turn_success_rate", 0.9, task="chat", ci=(0.8, 0.95)),
        row("v", "first_audio_p95", 0.4, task="chat", unit="s"),
    ]
    captions = [e.text for e in parsed(charts.panels(card_of(["v"], figures, tasks=["tts", "chat"]))).iter("strong")]  # fmt: skip
    assert captions == [
        "Voices: word error rate as a judge hears them",
        "Conversation: turns that succeed",
        "Conversation: first audio p95",
    ]


def test_a_task_from_outside_is_drawn_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    wake = replace(
        TASKS["asr"],
        name="wake",
        title="Wake words",
        essential="hallucination_rate",
        columns=(Column("success_rate"), Column("hallucination_rate")),
        drawn=None,
        front=("success_rate", "hallucination_rate"),
        parts=("radio",),
        sliced=frozenset({"success_rate"}),
    )
    monkeypatch.setitem(TASKS, "wake", wake)
    figures = [
        row("m", "hallucination_rate", 0.1, task="wake", ci=(0.05, 0.2)),
        row("m", "success_rate", 0.9, task="wake"),
        row("m", "hallucination_rate", 0.3, task="wake", slice="radio"),
        row("m", "success_rate", 0.95, task="wake", slice="room=hall"),
        row("m", "success_rate", 0.4, task="wake", slice="room=car"),
    ]
    card = card_of(["m"], figures)
    captions = [
        [e.text for e in parsed(chart(card)).iter("strong")]
        for chart in (charts.panels, charts.pareto, charts.slices, charts.conditions)
    ]
    assert captions == [
        ["Wake words: hallucination rate"],
        ["Hallucination rate against success rate"],
        ["Success rate by room"],
        ["Conditions"],
    ]
    drawn = [key for chart in CHARTS for key, _, _ in keyed(parsed(chart(card)))]
    assert {f"/measurements/{i}/value" for i in range(5)} <= {*drawn}
    # More is better, so that the least is the worst.
    texts = [t.text for t in parsed(charts.slices(card)).iter(f"{SVG}text")]
    assert texts.index("car") < texts.index("hall")


def test_history_draws_each_run_and_marks_the_baseline() -> None:
    runs = [f"2026-11-{day:02}T08-30-00Z" for day in range(1, 31)]
    values = [0.05 + 0.001 * i for i in range(30)]
    points = [
        Point(run, f"/measurements/{i}/value", v, 100, (v - 0.01, v + 0.02), unfair=i == 29)
        for i, (run, v) in enumerate(zip(runs, values, strict=True))
    ]
    points[20] = replace(points[20], value=None)
    whole = History("wer", "calls", runs, [Series("m", 2, points)], runs[10], limit=0.1)
    root = parsed(charts.history(whole))
    (picture,) = root.iter(f"{SVG}svg")
    assert "the latest 24 of 30 runs" in "".join(root.itertext())
    shown = [(e, t) for _, t, e in keyed(picture)]
    assert [e.get("data-run") for e, _ in shown] == [r for i, r in enumerate(runs) if i > 5 and i != 20]  # fmt: skip
    for key, (_, y) in marks_of(picture).items():
        wanted = place_by_ticks(picture, "y", values[int(key.split("/")[2])])
        assert y == pytest.approx(wanted, abs=0.1)
    assert "not measured" in "".join(root.itertext())
    assert [t for _, t in shown if "(baseline)" in t and runs[10] in t]
    assert "baseline" in [t.text for t in picture.iter(f"{SVG}text")]
    (path,) = (p.get("d", "") for p in picture.iter(f"{SVG}path") if p.get("fill") == "none")
    assert path.count("M") == 2
    assert [e.find(f"{SVG}path").get("fill") == svg.PAPER for e, _ in shown].count(True) == 1  # type: ignore[union-attr]


def test_differences_stand_against_zero_and_the_margin() -> None:
    rows = [
        Difference("a", "wer", 0.031, 640, (0.012, 0.05), 0.005, "fail", "/paired/0"),
        Difference("b", "wer", -0.02, 640, (-0.03, -0.01), 0.005, "pass"),
        Difference("c", "wer", None, 0, reason="other corpus"),
        Difference("d", "success_rate", -0.01, 640, (-0.02, 0.0), 0.005, "inconclusive"),
    ]
    errors, answers = pictures(charts.forest(rows))
    (zero,) = (e for e in errors.iter(f"{SVG}line") if e.get("class") == "zero")
    assert float(zero.get("x1", 0)) == pytest.approx(place_by_ticks(errors, "x", 0), abs=0.1)
    groups = {t.partition(":")[0]: (t, e) for e in errors.iter(f"{SVG}g") if (t := e.findtext(f"{SVG}title"))}  # fmt: skip
    for one in rows[:2]:
        title, element = groups[one.name]
        assert change_said(one.value or 0, one.metric) in title
        wanted = place_by_ticks(errors, "x", 100 * (one.value or 0))
        assert spot(element)[0] == pytest.approx(wanted, abs=0.1)
        # The margin lies on the side where more errors are.
        margins = [e for e in element.iter(f"{SVG}line") if e.get("stroke-dasharray") == "4 3"]
        assert float(margins[0].get("x1", 0)) == pytest.approx(place_by_ticks(errors, "x", 0.5), abs=0.1)  # fmt: skip
    assert "not measured" in [t.text for t in groups["c"][1].iter(f"{SVG}text")]
    # Of what must not fall the margin lies below zero.
    margin = next(e for e in answers.iter(f"{SVG}line") if e.get("stroke-dasharray") == "4 3")
    assert float(margin.get("x1", 0)) == pytest.approx(place_by_ticks(answers, "x", -0.5), abs=0.1)


def boxes(picture: Element) -> list[tuple[float, float, float, float, str]]:
    """About where each upright text is; letters are half as wide as they are high."""
    found = []
    for t in picture.iter(f"{SVG}text"):
        if t.get("transform"):
            continue
        size, words = float(t.get("font-size", "nan")), t.text or ""
        wide = 0.5 * size * len(words)
        x = float(t.get("x", "nan")) - {"middle": wide / 2, "end": wide}.get(t.get("text-anchor", ""), 0)  # fmt: skip
        y = float(t.get("y", "nan"))
        found.append((x, y - 0.7 * size, x + wide, y, words))
    return found


@pytest.mark.parametrize("models", [1, 2, 5, 20])
def test_texts_are_large_enough_and_do_not_touch(models: int) -> None:
    names = [f"a-model-with-quite-a-long-name-{i}" for i in range(models)]
    figures = [
        replace(m, model=n, corpus=c, value=m.value and m.value * (1 + i / 7))
        for i, n in enumerate(names)
        for c in ("calls", "meetings-with-a-long-name" * 3)
        for m in FIGURES
        if m.model == "good"
    ]
    card = card_of(names, figures)
    for chart in CHARTS:
        for picture in pictures(chart(card)):
            assert picture.get("viewBox", "").split()[2] == "380"
            texts = boxes(picture)
            for i, a in enumerate(texts):
                assert a[0] > -1
                assert a[2] < 381
                for b in texts[:i]:
                    apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
                    assert apart, f"{a[4]!r} touches {b[4]!r}"
            sizes = {float(t.get("font-size", 0)) for t in picture.iter(f"{SVG}text")}
            assert min(sizes) >= 11


def test_colours_are_the_pages() -> None:
    for chart in CHARTS:
        for element in parsed(chart(CARD)).iter():
            for name in ("fill", "stroke"):
                value = element.get(name, "none")
                assert value == "none" or re.fullmatch(r"var\(--[a-z0-9]+, #[0-9a-f]{6}\)", value)


def test_models_keep_their_mark_in_every_chart() -> None:
    marks: dict[str, set[tuple[str | None, str | None]]] = {}
    for chart in (charts.panels, charts.pareto, charts.conditions):
        for key, title, element in keyed(parsed(chart(CARD))):
            for path in element.iter(f"{SVG}path"):
                if path.get("class") == "mark" and path.get("fill") != svg.PAPER:
                    assert key
                    name = title.partition(" on ")[0]
                    marks.setdefault(name, set()).add((path.get("d"), path.get("fill")))
    assert {name: len(found) for name, found in marks.items()} == dict.fromkeys(NAMES, 1)
    assert len(set.union(*marks.values())) == 3


VALUES = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, 0.05, 3.0, -0.5, 5e-324, 1e-9, 1e12, 1.7e308, -1.7e308]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def cards(draw: st.DrawFn) -> Scorecard:
    names = draw(st.lists(st.text(max_size=30), min_size=1, max_size=4, unique=True))
    corpora = draw(st.lists(st.text(max_size=30), min_size=1, max_size=3, unique=True))
    parts = [("asr", m, "all") for m in ("wer", "rtf", "rtfx", "peak_memory")]
    parts += [("asr", "wer", s) for s in ("k=v", "=", "duration=0-2 s")]
    parts += [("robustness", "wer_drift", s) for s in ("n-1db", "n-20db", "mp3")]
    figures = []
    for name in names:
        for corpus in corpora:
            for task, metric, part in parts:
                if not draw(st.booleans()):
                    continue
                value, limit = draw(VALUES), draw(VALUES)
                ends = draw(st.one_of(st.none(), st.tuples(VALUES, VALUES)))
                ci = None
                if ends is not None and ends[0] is not None and ends[1] is not None:
                    ci = (min(ends[0], ends[1]), max(ends[0], ends[1]))
                more = (
                    {} if limit is None else {"limit": limit, "bound": "max", "limit_source": "t"}
                )
                figures.append(row(name, metric, value, task=task, corpus=corpus, slice=part, ci=ci, **more))  # fmt: skip
    return card_of(names, figures)


@given(cards())
@settings(max_examples=40, deadline=None)
def test_no_figures_break_a_chart(card: Scorecard) -> None:
    file = as_file(card)
    for chart in CHARTS:
        drawn = chart(card)
        if drawn is None:
            continue
        root = parsed(drawn)
        for key, _, _ in keyed(root):
            at(file, key)
        for picture in root.iter(f"{SVG}svg"):
            height = float(picture.get("viewBox", "").split()[3])
            for element in picture.findall(".//*"):
                for name in ("x", "x1", "x2", "width"):
                    assert -1 <= float(element.get(name, 0)) <= 381
                for name in ("y", "y1", "y2", "height"):
                    assert -1 <= float(element.get(name, 0)) <= height
                assert "nan" not in element.get("d", "") + element.get("transform", "")


@given(st.lists(VALUES.filter(lambda v: v is not None), min_size=1, max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_scales_keep_order_and_have_round_ticks(values: list[float], zero: bool) -> None:
    scale = scales.linear(values, 10, 110, zero=zero)
    assert 2 <= len(scale.ticks) <= 12
    places = [scale(v) for v in sorted(values)]
    assert places == sorted(places)
    assert all(10 <= p <= 110 for p in places)
    if all(v > 0 for v in values):
        log = scales.logarithmic(values, 110, 10)
        assert 1 <= len(log.ticks) <= 12
        assert [log(v) for v in sorted(values, reverse=True)] == sorted(log(v) for v in values)


def test_names_are_shortened_in_their_middle() -> None:
    short = svg.shorten("whisper-large-v3-turbo-quantized", 100, 12)
    assert svg.width_of(short, 12) <= 100
    assert short.startswith("whisper")
    assert short.endswith("zed")
    assert "…" in short
    assert svg.shorten("short", 100, 12) == "short"
