"""The page of a run: its figures and where they come from, what it escapes, samples and survives."""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from evals.gate.paired_change import Worsened
from evals.measures.text.confusions import Confusion
from evals.measures.text.normalizers import normalizer
from evals.metrics import METRICS
from evals.records.measurement import Measurement
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.task import TASKS
from fixtures.dialogues.files import builtin_dialogues
from reports.commands import html as html_command
from reports.page import scorecard_page as pages
from reports.page.errors import errors as page_errors
from reports.page.errors.audio_clips import Clip, Sounds
from reports.page.errors.sampling import Sample, shares
from reports.page.figures import changes, problems, unmeasured
from reports.page.origins import pointer
from reports.page.scorecard_page import embedded, render, write_page
from reports.scorecard import scorecard
from reports.scorecard.scorecard import (
    Cost,
    DominantUtterance,
    HeardThere,
    SuspiciousReference,
    SuspiciousReferences,
    WordErrors,
    WorsenedUtterances,
)
from reports.text.formats import FORMATS, format_of
from reports.text.safe_html import plain
from tests.support.page_reader import Page, resolve
from tests.support.page_runs import (
    CATEGORIES,
    card_of,
    measurement,
    predictions,
    write_lines,
    write_run,
    write_tones,
)

pytestmark = pytest.mark.slow

STYLE = (Path(pages.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")


def page_of(run: Path, **options: Any) -> Page:
    return Page(write_page(run, **options).read_text(encoding="utf-8"))


def full_card() -> scorecard.Scorecard:
    """Everything that a scorecard can hold, once at least."""
    wers = {
        (m, c): 0.04 * (1 + i + j) for i, m in enumerate(("one", "two")) for j, c in enumerate("ab")
    }
    extra = [
        measurement("one", "a", "wer_change", 0.02, verdict="fail", limit=0.005, bound="max",
                    limit_source="baseline margin", ci=(0.01, 0.03)),
        measurement("one", "", "latency_p95", 0.4, task="latency", unit="s"),
        measurement("one", "a", "wer", 0.1, task="robustness", slice="clean"),
        measurement("one", "a", "wer_drift", -0.00001, task="robustness", slice="reverb", ci=(-0.1, 0.1)),
        measurement("two", "a", "wer_drift", None, task="robustness", slice="opus", n=0,
                    verdict="not_measured", reason="no PyAV", gated=True),
        measurement("one", "a", "loops", 3, task="hallucination", unit="count"),
        measurement("one", "a", "hallucinated_words_per_minute", 0.4, task="hallucination", unit="1/min"),
    ]  # fmt: skip
    cost: dict[str, Any] = {
        "model": "one", "task": "asr", "corpus": "a", "hardware": "laptop", "price_per_hour": 0.1,
        "utilisation": 0.5, "per_audio_hour": 0.0123, "of_run": 0.00004,
        "watt_hours_per_audio_hour": 3.5, "energy_method": "nominal", "currency": "EUR",
        "source": "made up", "reason": None,
    }  # fmt: skip
    card = card_of(
        wers,
        extra=extra,
        exit_status=1,
        baseline="before/scorecard.json",
        costs=[Cost(**cost), Cost(**{**cost, "per_audio_hour": None, "of_run": None, "reason": "it was not run"})],
        word_errors=[
            WordErrors(model="one", corpus="a", rows=[
                Confusion("light", "lite", 1234),
                Confusion(None, "uh", 2),
                Confusion("now", None, 1),
            ])
        ],
        worsened=[
            WorsenedUtterances(model="one", corpus="a", rows=[
                Worsened(f"u{i}", "turn it off", "turn it off", "turn it of", 0, 1) for i in range(40)
            ])
        ],
        dominant_utterances=[
            DominantUtterance(
                model="one", task="asr", corpus="a", slice="all", id="u7", errors=399, insertions=399,
                words=1, all_errors=405, share=399 / 405, wer=33.75, wer_without=6 / 11, answered=True,
            ),
            DominantUtterance(
                model="two", task="robustness", corpus="a", slice="reverb", id="u8", errors=6,
                insertions=0, words=6, all_errors=6, share=1.0, wer=1.0, wer_without=None, answered=False,
            ),
        ],
        suspicious_references=[
            SuspiciousReferences(corpus="a", normalizer="lower", models=["one", "two"], total=51, rows=[
                SuspiciousReference(id="u3", reference="play some music", heard=[
                    HeardThere(model="one", hypothesis="turn it off", errors=3),
                    HeardThere(model="two", hypothesis="turn it off now", errors=4),
                ]),
            ]),
        ],
        sensitivity=[
            scorecard.Flip(corpus="a", better="one", worse="two", wer=(0.04, 0.05), normalizer="lower", wer_there=(0.07, 0.06))
        ],
    )  # fmt: skip
    capped = card.grades[0].corpora[0].model_copy(update={"capped_by": ["asr/rtf"]})
    grade = card.grades[0].model_copy(update={"corpora": [capped, *card.grades[0].corpora[1:]]})
    rejected = card.recommendation.candidates[0].model_copy(
        update={"score": None, "rejected": ["WER 12.00% breaks the production limit (at most 0.1)"]}
    )
    second = card.recommendation.model_copy(
        update={
            "use_case": "live_captions", "model": None, "description": "words in half a second",
            "to_run": ["pytest -m asr --corpus larger"], "candidates": [rejected],
        }
    )  # fmt: skip
    return card.model_copy(
        update={
            "grades": [grade, *card.grades[1:]],
            "recommendations": [card.recommendation, second],
        }
    )


def test_every_figure_is_the_formatted_value_at_its_key(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    scorecard.write(full_card(), run)
    card = json.loads((run / "scorecard.json").read_text(encoding="utf-8"))
    page = page_of(run)
    figures = [e for e in page.having("data-key") if "data-format" in e.attributes]
    drawn = [e for e in page.having("data-key") if "data-format" not in e.attributes]
    assert len(figures) > 300
    for e in figures:
        key, form = e.attributes["data-key"] or "", e.attributes["data-format"] or ""
        assert e.text == FORMATS[form](resolve(key, card)), key
    assert drawn, "no chart names the figures that it draws"
    for e in drawn:
        resolve(e.attributes["data-key"] or "", card)
    # All that is measured on the whole corpora is there, with its interval and limit.
    shown = {e.attributes["data-key"] for e in figures}
    for i, row in enumerate(card["measurements"]):
        if row["slice"] != "all" and row["task"] == "asr":
            continue
        wanted = ["value"] if row["value"] is not None else ["metric", "slice"]
        wanted += ["ci/0", "ci/1"] if row["ci"] else []
        found = [w for w in wanted if f"/measurements/{i}/{w}" in shown]
        assert found == wanted if row["value"] is not None else found, row
    for key in ("/recommendations/1/to_run/0", "/recommendations/1/candidates/0/rejected/0",
                "/costs/0/per_audio_hour", "/costs/1/reason", "/worsened/0/rows/0/after",
                "/word_errors/0/rows/0/count", "/sensitivity/0/wer/0", "/dominant_utterances/0/share",
                "/dominant_utterances/0/wer_without", "/dominant_utterances/1/slice",
                "/suspicious_references/0/total", "/suspicious_references/0/rows/0/heard/1/hypothesis", "/grades/0/corpora/0/capped_by/0",
                "/grades/0/corpora/0/metrics/asr~1wer", "/run/exit_status", "/baseline"):  # fmt: skip
        assert key in shown, key


def test_no_figure_stands_on_the_page_without_its_key(tmp_path: Path) -> None:
    """Digits outside of figures with an origin belong to names of metrics and to our own words."""
    run = tmp_path / "run"
    run.mkdir()
    scorecard.write(full_card(), run)
    ours = [
        *(m.meaning for m in METRICS.values()),
        *(m.capitalized for m in METRICS.values()),
        *(t.title for t in TASKS.values()),
    ]
    ours += [
        *(t.title.lower() for t in TASKS.values()),
        "95 % interval",
        "5 s clip p95",
        "SHA-256",
        "p95",
    ]
    for text in page_of(run).loose:
        left = text
        for words in sorted(ours, key=len, reverse=True):
            left = left.replace(words, "")
        assert not re.search(r"\d", left), f"a figure without a key: {text.strip()!r}"


def test_formats_say_what_the_value_is() -> None:
    assert FORMATS[format_of(METRICS["wer"])](0.0625) == "6.25"
    assert METRICS["wer"].shown_unit == "%"
    assert FORMATS[format_of(METRICS["wer_drift"])](0.0123) == "+1.23"
    assert FORMATS[format_of(METRICS["wer_drift"])](-0.0123) == "\u22121.23"
    assert FORMATS[format_of(METRICS["wer_drift"])](-0.00001) == "0.00"
    assert METRICS["wer_drift"].shown_unit == "points"
    assert FORMATS[format_of(METRICS["rtf"])](0.04567) == "0.046"
    assert FORMATS[format_of(METRICS["peak_memory"])](1234.6) == "1,235"
    assert (METRICS["peak_memory"].shown_unit, METRICS["rtfx"].shown_unit) == ("MB", "\u00d7")
    assert FORMATS[format_of(METRICS["load_time"])](1.526) == "1.53"
    assert [FORMATS["money"](x) for x in (12.5, 0.0123, 0.000042, 0)] == [
        "12.5000",
        "0.0123",
        "0.000042",
        "0.0000",
    ]
    assert FORMATS["duration"](3725) == "1 h 02 min"
    assert FORMATS["demands"]("MIT") == "no restriction known"
    assert FORMATS["demands"](None) == "licence not known"
    assert pointer("a/b", 3, "c~d") == "/a~1b/3/c~0d"


def test_the_answer_comes_first_and_says_what_to_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    scorecard.write(full_card(), run)
    text = page_of(run).text
    places = [text.index(x) for x in (
        "Fail", "exit status 1: a test failed", "For general", "✓ one", "What decided, and", "Runner-up",
        "a WER of 9 %", "For live captions", "No recommendation", "What to run",
        "Models by metrics", "Charts", "Costs and licences", "Errors one by one", "Against the baseline",
        "What could not be measured", "Provenance",
    )]  # fmt: skip
    assert places == sorted(places)
    assert "about 250 more utterances would decide" in text


def test_few_runs_are_named_and_none_twice(tmp_path: Path) -> None:
    card = full_card()
    first, second = card.recommendations
    first = first.model_copy(update={"to_run": [f"run {i}" for i in range(60)]})
    second = second.model_copy(update={"to_run": ["run 0", "run 99"]})
    card = card.model_copy(update={"recommendations": [first, second]})
    page = Page(render(card, tmp_path))
    named = [
        e.text for e in page.having("data-key") if "/to_run/" in (e.attributes["data-key"] or "")
    ]
    assert named == ["run 0", "run 1", "run 2", "run 3", "run 99"]
    assert "scorecard.json too: 60" in page.text


def test_runs_that_are_not_whole_say_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    card = card_of({("one", "a"): 0.05}, exit_status=2)
    off = card.run.model_copy(update={
        "complete": False, "conditions": ["contended"], "problems": ["two: no selected test evaluates it"],
    })  # fmt: skip
    scorecard.write(card.model_copy(update={"run": off}), run)
    text = page_of(run).text
    for said in ("not complete", "Models shared the machine", "The machine was busy", "interrupted",
                 "two: no selected test evaluates it", "Fail"):  # fmt: skip
        assert said in text
    gate_off = card.run.model_copy(update={"gate": "off", "exit_status": 0})
    scorecard.write(card.model_copy(update={"run": gate_off}), run)
    assert "Gate off" in page_of(run).text
    assert "Pass" not in page_of(run).text


def test_errors_are_those_that_jiwer_counts(tmp_path: Path) -> None:
    """The page's lines with an error, their counts and their words, against jiwer on the files."""
    run = write_run(tmp_path, models={"one": 0.1, "two": 0.3}, corpora={"a": 60})
    normalize = normalizer("whisper-english")
    data = page_of(run).errors
    seen = {(data["groups"][e[0]][0], e[1]): e for e in data["errors"]}
    for model in ("one", "two"):
        lines = (run / model / "asr" / "a.jsonl").read_text().splitlines()
        for number, line in enumerate(lines, start=1):
            p = json.loads(line)
            out = jiwer.process_words(normalize(p["reference"]), normalize(p["hypothesis"]))
            wrong = out.substitutions + out.deletions + out.insertions
            assert ((model, number) in seen) == (wrong > 0)
            if not wrong:
                continue
            e = seen[model, number]
            pieces = e[9]
            assert e[6:8] == [wrong, out.hits + out.substitutions + out.deletions]
            said = " ".join(
                x if isinstance(x, str) else x[0] for x in pieces if isinstance(x, str) or x[0]
            )
            heard = " ".join(
                x if isinstance(x, str) else x[1] for x in pieces if isinstance(x, str) or x[1]
            )
            assert (said, heard) == (normalize(p["reference"]), normalize(p["hypothesis"]))
            kinds = [k for k, n in (("substitution", out.substitutions), ("deletion", out.deletions),
                                    ("insertion", out.insertions)) if n]  # fmt: skip
            assert (e[2], e[3], e[5]) == (p["id"], p["category"], kinds)
    assert {e[3] for e in data["errors"]} == set(CATEGORIES)
    assert {kind for e in data["errors"] for kind in e[5]} == {
        "substitution",
        "deletion",
        "insertion",
    }


def test_what_differs_in_writing_alone_is_no_error_and_no_answer_is_one(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.1}, corpora={"a": 4})
    one = predictions(1, seed=0, wrong=0)[0]
    write_lines(run, "one", "asr", "a", [
        replace(one, id="same", reference="Turn it on, please.", hypothesis="turn it on please"),
        replace(one, id="lost", hypothesis="", error="the model died"),
        replace(one, id="empty", reference="", hypothesis="thank you"),
        replace(one, id="lost silence", reference="", hypothesis="", error="the model died"),
    ])  # fmt: skip
    errors = {e[2]: e for e in page_of(run).errors["errors"]}
    assert set(errors) == {"lost", "empty", "lost silence"}
    assert errors["lost silence"][5] == ["no answer"]
    assert errors["lost"][5] == ["no answer", "deletion"]
    assert ["Error", "the model died"] in errors["lost"][10]
    assert errors["empty"][9] == [[0, "thank"], [0, "you"]]


def test_too_many_errors_are_sampled_by_a_fixed_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path, models={"one": 0.05, "two": 0.5}, corpora={"a": 120})
    everything = page_of(run)
    assert "All" in everything.text
    monkeypatch.setattr(pages, "MOST", 40)
    monkeypatch.setattr(page_errors, "MOST", 40)
    card = scorecard.read(run / "scorecard.json")
    few = page_errors.errors_of(card, run, most=40)
    assert few.shown == 40 < few.total == len(everything.errors["errors"])
    assert few == page_errors.errors_of(card, run, most=40)
    assert [g.shown for g in few.groups] == [20, 20]
    every = page_errors.errors_of(card, run, most=10_000).wrong[1]
    worst = sorted((w.errors for w in every), reverse=True)[:10]
    assert [w.errors for w in few.wrong[1][:10]] == worst
    other = page_errors.errors_of(card, run, most=40, seed=1)
    assert [w.id for w in other.wrong[1]] != [w.id for w in few.wrong[1]]
    # Of many words fewer are shown, until they fit.
    monkeypatch.setattr(pages, "MOST_BYTES", 4000)
    page = page_of(run)
    text = next(e.text for e in page.elements if e.attributes.get("id") == "errors-data")
    assert len(text.encode()) <= 4000
    counts = {e.attributes["data-count"]: e.text for e in page.having("data-count")}
    assert counts["wrong"] == str(few.total)
    assert 0 < int(counts["shown"]) == len(page.errors["errors"]) < 40


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 120))
def test_shares_are_as_even_as_can_be(wanted: list[int], most: int) -> None:
    given_ = shares(wanted, most)
    assert sum(given_) == min(sum(wanted), most)
    assert all(g <= w for g, w in zip(given_, wanted, strict=True))
    short = [g for g, w in zip(given_, wanted, strict=True) if g < w]
    assert not short or max(given_) <= min(short) + 1


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=40),
    st.integers(0, 40), st.integers(0, 20), st.integers(0, 3),
)  # fmt: skip
def test_a_sample_holds_the_worst_and_others_by_their_ids(
    offered: list[tuple[int, int]], most: int, more: int, seed: int
) -> None:
    """However many are offered, and whatever else there would be room for, it keeps to the rule."""
    sample = Sample[int](most + more, seed=seed)
    for place, (errors, name) in enumerate(offered):
        sample.offer(f"u{name}", errors, partial(int, place))
    ranked = sorted(range(len(offered)), key=lambda i: -offered[i][0])
    worst, rest = ranked[: (most + 1) // 2], ranked[(most + 1) // 2 :]

    def lot(place: int) -> str:
        return hashlib.sha256(f"{seed}\0u{offered[place][1]}".encode()).hexdigest()

    drawn = sorted(rest, key=lot)[: most // 2]
    whole = ranked if len(offered) <= most else worst + [i for i in rest if i in drawn]
    assert sample.best(most) == whole
    assert sample.total == len(offered)


def test_a_sample_makes_what_it_keeps_and_little_more() -> None:
    sample = Sample[int](10)
    made: list[int] = []

    def make(place: int) -> int:
        made.append(place)
        return place

    for place in range(10_000):
        sample.offer(f"u{place}", 1, partial(make, place))
    assert len(sample.best(10)) == 10
    assert len(made) < 100, "errors that are not shown were worked out"


def test_long_texts_are_clipped_and_it_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.1}, corpora={"a": 1})
    p = predictions(1, seed=0, wrong=0)[0]
    write_lines(run, "one", "asr", "a", [replace(p, hypothesis="and then Again " * 20_000)])
    (error,) = page_of(run).errors["errors"]
    assert error[11] == 1
    assert len(json.dumps(error)) < 20_000
    assert error[6] >= 59_990, "the count is of the whole"


# What may not do anything but be read.
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "\" onmouseover=\"alert(1)",
    "' autofocus onfocus='alert(1)",
    "&lt;b&gt; {{ 7 * 7 }} {% raw %}",
    "javascript:alert(1)",
    "a\u202eb\u2028c\x00d\x1be\ud800f",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_shown_and_does_nothing(tmp_path: Path, text: str) -> None:
    card = full_card()
    dumped = json.loads(json.dumps(card.model_dump(mode="json")))

    def everywhere(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: everywhere(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [everywhere(v, key) for v in value]
        free = ("model", "corpus", "name", "reason", "rejected", "description", "licence", "checkpoint",
                "command_line", "limit_source", "slice", "reference", "hypothesis", "before", "after", "id",
                "baseline", "hardware", "source", "currency", "engine", "use_case", "better", "worse")  # fmt: skip
        return f"{value}{text}" if isinstance(value, str) and key in free else value

    hostile = scorecard.Scorecard.model_validate(everywhere(dumped))
    run = tmp_path / "run"
    html = render(hostile, run, dialogues={})
    page = Page(html)
    assert [s.attributes.get("type") for s in page.named("script")] == ["application/json", None]
    assert not page.named("img")
    assert not [
        a for e in page.elements for a in e.attributes if a.startswith("on") or a == "autofocus"
    ]
    assert plain(f"it hears best{text}") in page.text
    assert "49" not in page.text.replace(plain(text), "")
    assert "\u202e" not in html
    assert "\u2028" not in html
    assert "\x1b" not in html
    html.encode("utf-8")


@given(st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
))  # fmt: skip
def test_embedded_json_is_the_data_and_ends_no_element(data: Any) -> None:
    text = embedded({"data": data})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"data": data}


@given(st.text(st.characters(), max_size=40))
def test_plain_text_hides_and_reorders_nothing(text: str) -> None:
    shown = plain(text)
    assert not re.search(
        "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown
    )
    shown.encode("utf-8")
    assert plain(shown) == shown


def test_hostile_and_right_to_left_predictions_are_data(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.1}, corpora={"a": 3})
    p = predictions(1, seed=0, wrong=0)[0]
    write_lines(run, "one", "asr", "a", [
        replace(p, id="</script><b>", hypothesis="<script>alert(1)</script>"),
        replace(p, id="rtl", reference="مرحبا بالعالم", hypothesis="مرحبا يا عالم"),
    ])  # fmt: skip
    html = write_page(run).read_text(encoding="utf-8")
    assert "<script>alert" not in html
    errors = {e[2]: e for e in Page(html).errors["errors"]}
    assert ["Heard, as written", "<script>alert(1)</script>"] in errors["</script><b>"][10]
    assert "مرحبا" in str(errors["rtl"][9])


def test_only_the_pages_own_script_and_style_may_run(tmp_path: Path) -> None:
    page = page_of(write_run(tmp_path, models={"one": 0.1}, corpora={"a": 3}))
    (policy,) = (
        e.attributes["content"] or "" for e in page.named("meta") if e.attributes.get("http-equiv")
    )
    rules = {r.split()[0]: r.split()[1:] for r in policy.split(";")}
    (style,) = page.named("style")
    (script,) = (s for s in page.named("script") if "type" not in s.attributes)
    for rule, element in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert rules[rule] == [f"'sha256-{digest}'"]
    assert rules["default-src"] == ["'none'"]
    assert set(rules["media-src"] + rules["img-src"]) == {"data:"}
    for e in page.elements:
        for name in ("src", "href"):
            assert (e.attributes.get(name) or "#").startswith(("#", "data:")), e
    assert not re.search(r"url\(|@import|https?:", STYLE)
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert forbidden not in script.text


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "one/asr/a.jsonl: the file is not there"),
        (lambda file: file.write_text("no json\n" + file.read_text()), "one/asr/a.jsonl:1: not JSON"),
        (lambda file: file.write_text(file.read_text() + '{"id": "cut of'), "one/asr/a.jsonl:21: not JSON"),
        (lambda file: file.write_text(re.sub('"reference": "[^"]*"', '"reference": 5', file.read_text())), "reference is no text"),
        (lambda file: file.write_bytes(b"\xff\xfe\n" + file.read_bytes()), "one/asr/a.jsonl:1: not JSON"),
        (lambda file: (file.unlink(), file.mkdir()), "one/asr/a.jsonl: cannot be read"),
    ],
    ids=["missing", "broken", "cut", "types", "encoding", "folder"],
)  # fmt: skip
def test_lines_that_cannot_be_read_are_named_and_hide_no_others(
    tmp_path: Path, spoil: Any, said: str
) -> None:
    run = write_run(tmp_path, models={"one": 0.3, "two": 0.3}, corpora={"a": 20})
    spoil(run / "one" / "asr" / "a.jsonl")
    page = page_of(run)
    assert said in page.text
    assert any(page.errors["groups"][e[0]][0] == "two" for e in page.errors["errors"])


def test_a_run_without_any_predictions_still_has_a_page(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    scorecard.write(card_of({}, extra=[
        measurement("one", "a", "wer", None, n=0, verdict="error", reason="it could not be loaded", gated=True)
    ], exit_status=1), run)  # fmt: skip
    text = page_of(run).text
    for said in (
        "No recommendation",
        "one/asr/a.jsonl: the file is not there",
        "it could not be loaded",
        "error",
    ):
        assert said in text
    scorecard.write(card_of({}), run)
    assert "Nothing was measured." in page_of(run).text


def test_files_outside_the_run_are_not_read(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.1}, corpora={"a": 2})
    (tmp_path / "asr").mkdir()
    (tmp_path / "asr" / "a.jsonl").write_text((run / "one/asr/a.jsonl").read_text())
    card = scorecard.read(run / "scorecard.json")
    elsewhere = [replace(m, model="..") for m in card.measurements]
    errors = page_errors.errors_of(card.model_copy(update={"measurements": elsewhere}), run)
    assert errors.groups[0].problems == ("../asr/a.jsonl: not in the run's folder",)


def test_sound_is_of_the_channel_that_was_heard(tmp_path: Path) -> None:
    left, right = np.random.default_rng(1).normal(0, 0.1, (2, 16_000)).astype(np.float32)
    file = tmp_path / "call.wav"
    soundfile.write(file, np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    sounds = Sounds(tmp_path)
    places = [sounds.add(Clip(str(file), None, 1.0, channel)) for channel in (0, 1, None)]
    assert places == [0, 1, 2]
    for clip, expected in zip(sounds.clips, (left, right, (left + right) / 2), strict=True):
        samples, _ = soundfile.read(io.BytesIO(base64.b64decode(clip)), dtype="float32")
        assert np.allclose(samples, expected, atol=1 / 32768)


def test_sound_is_what_was_heard_and_fits_its_limit(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.5, "two": 0.5}, corpora={"a": 12}, sound=True)
    assert not page_of(run).errors["audio"], "no sound unless it is asked for"
    page = page_of(run, audio=True)
    data = page.errors
    assert data["audio"]
    # Two models that heard the same file share its sound.
    assert len(data["audio"]) <= 12 < len(data["errors"])
    for e in data["errors"]:
        samples, rate = soundfile.read(
            io.BytesIO(base64.b64decode(data["audio"][e[12]])), dtype="int16"
        )
        file = tmp_path / "sounds" / "a" / f"{e[1] - 1}.wav"
        assert rate == 16_000
        assert np.array_equal(samples, soundfile.read(file, dtype="int16")[0])
    small = page_of(run, audio=True, audio_mb=0.05)
    clips = small.errors["audio"]
    assert 0 < sum(map(len, clips)) <= 50_000
    assert "there is room for 0.05 MB" in small.text
    heard = sum(e[12] is not None for e in small.errors["errors"])
    counts = {e.attributes["data-count"]: e.text for e in small.having("data-count")}
    assert counts["audible"] == str(heard)
    for file in (tmp_path / "sounds" / "a").iterdir():
        file.unlink()
    assert "a file that cannot be read" in page_of(run, audio=True).text


def test_a_part_of_a_longer_file_is_cut_out(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.5}, corpora={"a": 1})
    ramp = np.linspace(-0.5, 0.5, 32_000)
    soundfile.write(tmp_path / "long.wav", ramp, 16_000, subtype="PCM_16")
    p = replace(
        predictions(1, seed=0, wrong=0)[0],
        hypothesis="",
        audio=str(tmp_path / "long.wav"),
        offset=1.0,
        audio_seconds=0.5,
    )
    write_lines(run, "one", "asr", "a", [p])
    (clip,) = page_of(run, audio=True).errors["audio"]
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(clip)), dtype="int16")
    assert np.array_equal(
        samples, soundfile.read(tmp_path / "long.wav", dtype="int16")[0][16_000:24_000]
    )


def test_voices_show_the_sentences_that_were_misheard(tmp_path: Path) -> None:
    run = tmp_path / "run"
    card = card_of(
        {}, extra=[measurement("voice", "s", "wer", 0.2, task="tts", normalizer="whisper-english")]
    )
    spoken = Spoken(
        "good", "Turn it on.", "voice/tts/s/1.wav", 0.5, 16_000, 0.1, heard={"judge": "turn it on"}
    )
    write_tones(run / "voice" / "tts" / "s", 3)
    write_tones(tmp_path / "elsewhere", 1)
    lines = [
        spoken,
        replace(spoken, id="bad", heard={"judge": "burn it on"}, audio="voice/tts/s/2.wav"),
        replace(spoken, id="mute", audio=None, error="it broke", heard={"judge": ""}),
        replace(spoken, id="unheard", heard={}, unheard={"judge": "it died"}),
        replace(spoken, id="thief", heard={"judge": "no"}, audio="../elsewhere/0.wav"),
    ]
    write_lines(run, "voice", "tts", "s", lines)
    html = render(card, run, audio=True, dialogues={})
    data = Page(html).errors
    errors = {e[2]: e for e in data["errors"]}
    assert set(errors) == {"bad", "mute", "unheard", "thief"}
    assert errors["bad"][9] == [["turn", "burn"], "it on"]
    assert errors["mute"][5] == ["no answer", "deletion"]
    assert errors["unheard"][5] == ["not judged"]
    assert errors["thief"][12] is None
    samples, _ = soundfile.read(
        io.BytesIO(base64.b64decode(data["audio"][errors["bad"][12]])), dtype="int16"
    )
    assert np.array_equal(samples, soundfile.read(run / "voice/tts/s/2.wav", dtype="int16")[0])


def test_conversations_show_the_turns_that_failed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    dialogues = builtin_dialogues("assistant")
    card = card_of(
        {},
        extra=[
            measurement(
                "bot",
                "assistant",
                "turn_success_rate",
                0.5,
                task="chat",
                normalizer="whisper-english",
            )
        ],
    )
    lines = []
    for dialogue in dialogues:
        for number, exchange in enumerate(dialogue.exchanges, start=1):
            said = exchange.user.text
            lines.append(Replied(dialogue.turn_id(number), dialogue.id, number, said, False, "Bananas.",
                                 understood="ten " + said, category=dialogue.category))  # fmt: skip
    lines[1] = replace(lines[1], error="it broke", answer="")
    write_lines(
        run,
        "bot",
        "chat",
        "assistant",
        [*lines, replace(lines[0], id=lines[0].id + "/typed", typed=True)],
    )
    page = Page(render(card, run, dialogues={"assistant": dialogues}))
    errors = {e[2]: e for e in page.errors["errors"]}
    assert len(errors) > len(lines) // 2, "hardly any turn is answered by bananas"
    first = errors[lines[0].id]
    assert any(kind.startswith("expected: ") for kind in first[5])
    assert [0, "10"] in first[9] or [0, "ten"] in first[9], "what the assistant misheard is aligned"
    assert ["Answer", "Bananas."] in first[10]
    assert "no answer" in errors[lines[1].id][5]
    assert not any(e[2].endswith("/typed") for e in page.errors["errors"])
    # Without the dialogues nobody can tell, and the page says so.
    blind = Page(render(card, run, dialogues={}))
    assert [e[2] for e in blind.errors["errors"]] == [lines[1].id]
    assert "what its dialogues expect is not at hand" in blind.text


def test_dialogues_are_those_that_the_run_kept(tmp_path: Path) -> None:
    from reports.page.errors.expected import dialogues_of

    dialogues = builtin_dialogues("assistant")
    card = card_of(
        {("bot", "assistant"): 0.1},
        extra=[measurement("bot", "assistant", "turn_success_rate", 0.5, task="chat")],
    )
    assert dialogues_of(card, tmp_path) == {}
    kept = tmp_path / "bot" / "chat" / "assistant.dialogues.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text("dialogues: [", encoding="utf-8")
    assert dialogues_of(card, tmp_path) == {}, "damaged"
    kept.write_bytes(dialogues.path.read_bytes())
    found = dialogues_of(card, tmp_path)
    assert list(found) == ["assistant"]
    assert found["assistant"].content_hash == dialogues.content_hash


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_the_paper(theme: int) -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for marks."""
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", STYLE))
    colours = {name: pair.split(", ")[theme] for name, pair in pairs.items()}

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a: str, b: str) -> float:
        low, high = sorted((luminance(colours[a]), luminance(colours[b])))
        return (high + 0.05) / (low + 0.05)

    for name in ("ink", "muted", "accent", "good", "bad", "warn"):
        assert contrast(name, "paper") >= 4.5, name
        assert contrast(name, "panel") >= 4.5, name
    for name in ("good", "bad", "warn"):
        assert contrast(name, f"{name}-soft") >= 4.5, name
        assert contrast("ink", f"{name}-soft") >= 4.5, name
    for i in range(1, 9):
        assert contrast(f"c{i}", "paper") >= 3, i


def test_page_replaces_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path, models={"one": 0.1}, corpora={"a": 2})
    assert write_page(run) == run / "scorecard.html"
    before = (run / "scorecard.html").read_bytes()
    monkeypatch.setattr(pages, "Figures", lambda card: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(run)
    assert (run / "scorecard.html").read_bytes() == before
    assert not list(run.glob("*.tmp"))


def test_page_is_the_same_each_time(tmp_path: Path) -> None:
    run = write_run(tmp_path, models={"one": 0.2, "two": 0.1}, corpora={"a": 30})
    random.seed(1)
    first = write_page(run).read_bytes()
    random.seed(2)
    assert write_page(run).read_bytes() == first


def test_command_writes_the_page_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    html_command.add_command(parser.add_subparsers())
    run = write_run(tmp_path, models={"one": 0.5}, corpora={"a": 3}, sound=True)

    def command(*words: str) -> int:
        options = parser.parse_args(["html", *words])
        status: int = options.run(options)
        return status

    assert command(str(run)) == 0
    assert capsys.readouterr().out == f"Page: {run / 'scorecard.html'}\n"
    audio = ("--audio", "--audio-root", str(tmp_path))
    assert command(str(run), *audio, "-o", str(tmp_path / "it.html")) == 0
    assert Page((tmp_path / "it.html").read_text()).errors["audio"]
    assert command(str(tmp_path / "nowhere")) == 1
    assert "scorecard.json: cannot be read" in capsys.readouterr().err
    assert command(str(run), "-o", str(tmp_path / "no" / "such" / "folder.html")) == 1
    for wrong in ("0", "-1", "nan", "inf", "much"):
        with pytest.raises(SystemExit):
            command(str(run), "--audio-mb", wrong)


def rows_of_tables(page: Page, kind: str) -> Iterator[list[list[str]]]:
    """The rows of each table of a class: of each cell the keys that it names."""
    for table in re.findall(rf'<table class="{kind}".*?</table>', page.html, re.DOTALL):
        yield [
            [" ".join(re.findall(r'data-key="([^"]+)"', cell)) for cell in row]
            for row in (re.findall(r"<t[hd].*?</t[hd]>", r, re.DOTALL) for r in table.split("<tr>"))
        ]


def test_figures_stand_in_their_own_row_and_column(tmp_path: Path) -> None:
    card = full_card()
    page = Page(render(card, tmp_path))

    def measured(keys: str) -> list[Measurement]:
        found = re.findall(r"/measurements/(\d+)/(?:value|ci|limit)", keys)
        return [card.measurements[int(index)] for index in dict.fromkeys(found)]

    def case(keys: str) -> Measurement:
        return card.measurements[int(keys.split("/")[2])]

    seen = 0
    for rows in rows_of_tables(page, "sortable"):
        if not any(measured(cell) for row in rows for cell in row):
            continue  # the costs
        columns: dict[int, str] = {}
        for model, corpus, *cells in rows[2:]:
            for place, cell in enumerate(cells):
                for m in measured(cell):
                    assert m.model == case(model).model
                    assert m.corpus == case(corpus).corpus or m.task == "latency"
                    assert columns.setdefault(place, m.metric) == m.metric
                    seen += 1
    for _, head, *rows in rows_of_tables(page, "all"):
        for name, *cells in rows:
            own = [m for cell in cells for m in measured(cell)]
            assert len({(m.metric, m.slice) for m in own}) <= 1
            assert all(m.slice == "all" or name for m in own), "a part without its name"
            for above, cell in zip(head[1:], cells, strict=True):
                for m in measured(cell):
                    of = case(above)
                    assert (m.task, m.model, m.corpus) == (of.task, of.model, of.corpus)
                    seen += 1
    assert seen > 60


def test_page_keeps_problems_apart() -> None:
    card = full_card()
    states = [m.verdict for m in problems(card)]
    assert states == sorted(states, key=["fail", "not_measured", "inconclusive"].index)
    assert {*states} == {"fail", "not_measured", "inconclusive"}
    (own, worse), *_ = changes(card)
    assert ([m.metric for m in own], worse) == (["wer_change"], card.worsened[0])
    missing = {(g[0].model, tuple(m.metric for m in g), g[0].reason) for g in unmeasured(card)}
    assert ("one", ("first_inference",), "the clip was not there") in missing


def test_a_long_list_of_worse_utterances_is_cut_and_says_how_many_there_are(tmp_path: Path) -> None:
    page = Page(render(full_card(), tmp_path))
    ids = [
        e
        for e in page.having("data-key")
        if re.fullmatch(r"/worsened/0/rows/\d+/id", e.attributes["data-key"] or "")
    ]
    assert len(ids) == 30
    assert "Got worse: 40; the worst are shown." in page.text
