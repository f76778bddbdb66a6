"""What CI systems are told: annotations, Markdown, JUnit properties, and the workflows in the docs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

import adapters.__main__
import reports.__main__
from adapters.catalog.catalog import Catalog
from evals.gate import thresholds as thresholds_file
from evals.gate.case import Case
from evals.gate.paired_change import Worsened
from evals.task import TASKS
from reports.ci import github, junit, markdown
from reports.scorecard.scorecard import Scorecard, WorsenedUtterances
from reports.scorecard.task_record import Seen
from tests.support.page_runs import card_of, measurement
from tests.support.sessions import ROOT

pytestmark = pytest.mark.slow

SHIPPED = thresholds_file.load()
LIMIT = {"limit": 0.1, "bound": "max", "limit_source": "tier production", "gated": True}
PAGE = ROOT / "docs" / "ci.md"
HOSTILE = "<script>alert(1)</script> | [a](http://b) `c` **d** ![e](f) www.g.org h@i.org $j$ k\nl \x1b[0m ::error::m"


def broken(model: str, value: float, **more: Any) -> Any:
    return measurement(
        model, "toy", "wer", value, verdict="fail", ci=(value, value), **{**LIMIT, **more}
    )


def failed(*rows: Any, **more: Any) -> Scorecard:
    return card_of({}, extra=rows, exit_status=1, **more)


def seen(card: Scorecard, *models: str) -> list[Seen]:
    """The tests of those models failed, those of the others passed."""
    places = dict.fromkeys((m.model, m.task, m.corpus) for m in card.measurements)
    return [
        Seen(Case(model, "production", task, corpus), "failed" if model in models else "passed")
        for model, task, corpus in places
    ]


def unescaped(line: str) -> tuple[str, str, str]:
    """Kind, title and message of a workflow command, as GitHub's runner reads it."""
    found = re.fullmatch(r"::(\w+) title=([^,:]*)::(.*)", line)
    assert found, line
    title, message = found[2], found[3]
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r")):
        title, message = (
            title.replace(code, character),
            message.replace(code, character) if character in "\r\n" else message,
        )
    return found[1], title.replace("%25", "%"), message.replace("%25", "%")


def test_a_command_is_escaped_as_github_documents_it() -> None:
    line = github.command("error", "50 %: a, b", "100 %\r\nnext: one, two")
    assert line == "::error title=50 %25%3A a%2C b::100 %25%0D%0Anext: one, two"
    assert unescaped(line) == ("error", "50 %: a, b", "100 %\r\nnext: one, two")


@pytest.mark.parametrize("text", ["\n::warning::x", "a,line=3::x", "%0A::error::x", "\x1b]0;x\x07"])
def test_no_text_makes_a_command_of_its_own(text: str) -> None:
    line = github.command("warning", text, text)
    assert line.splitlines() == [line]
    assert "\x1b" not in line
    kind, title, message = unescaped(line)
    visible = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    assert (kind, title, message) == ("warning", visible, visible)


def test_broken_limits_are_errors_the_worst_first() -> None:
    card = failed(broken("a", 0.2), broken("b", 0.9), broken("c", 0.3))
    told = [unescaped(line) for line in github.annotations(card, SHIPPED)]
    assert [kind for kind, *_ in told] == ["error"] * 3
    assert [title for _, title, _ in told] == [f"Model Lab: {m} on toy (asr)" for m in "bca"]
    assert told[0][2] == "wer 90 % [90, 90], at most 10 % allowed by tier production"


@pytest.mark.parametrize(("tier", "kind"), [("production", "error"), ("candidate", "warning")])
def test_undecided_is_an_error_where_it_fails(tier: str, kind: str) -> None:
    """`inconclusive` of the model's tier in thresholds.yaml says whether."""
    assert SHIPPED.inconclusive_fails(tier, "tier") == (kind == "error")
    row = measurement("a", "toy", "wer", 0.1, verdict="inconclusive", ci=(0.05, 0.2), **LIMIT)
    card = failed(row)
    card.models[0].tier = tier
    told = [unescaped(line) for line in github.annotations(card, SHIPPED, seen(card, "a"))]
    assert [found for found, _, message in told if "is inconclusive" in message] == [kind]


def test_undecided_that_does_not_fail_is_a_warning() -> None:
    row = measurement("a", "toy", "wer", 0.1, verdict="inconclusive", ci=(0.05, 0.2), **LIMIT)
    card = card_of({}, extra=[row])
    (line,) = github.annotations(card, SHIPPED, seen(card))
    assert unescaped(line)[0] == "warning"
    assert "is inconclusive" in line


def test_figures_that_one_cause_took_away_are_told_once() -> None:
    reason = "engine 'a' is not installed"
    rows = [
        measurement("a", "toy", metric, None, verdict="error", n=0, reason=reason, gated=True)
        for metric in ("wer", "cer", "rtf")
    ]
    card = failed(*rows)
    (line,) = github.annotations(card, SHIPPED, seen(card, "a"))
    assert unescaped(line) == (
        "error",
        "Model Lab: a on toy (asr)",
        f"wer, cer, rtf error: {reason}",
    )


def test_a_skipped_test_is_a_warning_beside_one_that_failed() -> None:
    """Both are of a model that failed; only one of them failed it."""
    gone = measurement(
        "a", "clip", "latency_p95", None, task="latency", n=0, verdict="not_measured",
        reason="no timing under -n", gated=True,
    )  # fmt: skip
    card = failed(broken("a", 0.5), gone)
    tests = [
        Seen(Case("a", "production", "asr", "toy"), "failed", gate_broken=True),
        Seen(Case("a", "production", "latency", "clip"), "skipped"),
    ]
    told = [unescaped(line)[:2] for line in github.annotations(card, SHIPPED, tests)]
    assert told == [
        ("error", "Model Lab: a on toy (asr)"),
        ("warning", "Model Lab: a on clip (latency)"),
    ]


def test_a_failure_without_a_broken_limit_is_told() -> None:
    card = failed(measurement("a", "toy", "wer", 0.01, **LIMIT))
    test = Seen(Case("a", "production", "asr", "toy"), "failed", message="the worker died")
    (line,) = github.annotations(card, SHIPPED, [test])
    assert unescaped(line) == ("error", "Model Lab: a on toy (asr)", "the worker died")


def test_nothing_to_say_is_nothing() -> None:
    card = card_of({("a", "toy"): 0.01})
    card.measurements[:] = [m for m in card.measurements if m.value is not None]
    assert github.annotations(card, SHIPPED, seen(card)) == []


@pytest.mark.parametrize("count", [10, 11, 500])
def test_never_more_than_github_shows(count: int) -> None:
    card = failed(*(broken(f"m{n:03}", 0.2 + n / 1000) for n in range(count)))
    lines = github.annotations(card, SHIPPED)
    assert len(lines) == github.SHOWN
    assert f"m{count - 1:03} on toy" in lines[0]
    assert (unescaped(lines[-1])[2] == f"{count - 9} more errors: see the scorecard") == (
        count > 10
    )


def tokens(text: str) -> list[Any]:
    """As GitHub's Markdown reads it: blocks, and what is in their lines."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [t for block in blocks for t in (block, *(block.children or ()))]


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, as a reader sees their cells."""
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    at = next(i for i, t in enumerate(parsed) if t.type == "inline" and t.content == heading)
    rows: list[list[str]] = []
    for token in parsed[at:]:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(c.content for c in token.children or () if c.type != "image"))
        elif token.type == "table_close":
            break
    return rows


def test_summary_begins_with_the_answer() -> None:
    card = card_of({("good", "toy"): 0.01, ("fair", "toy"): 0.09})
    lines = markdown.summary(card, SHIPPED).splitlines()
    assert lines[0] == "## Model Lab: passed"
    assert lines[4] == "Recommended for production (general): **good**: it hears best"
    rows = table("\n".join(lines), "asr")
    assert rows[0][:4] == ["model", "corpus", "grade", "wer"]
    assert rows[1][:4] == ["good", "toy", "B", "1.00 % (0.80 to 1.20), A, kept"]
    assert "not shown either way" in rows[2][3]


def test_summary_of_a_failure_names_what_failed() -> None:
    card = failed(broken("bad", 0.5))
    text = markdown.summary(card, SHIPPED, seen(card, "bad"))
    assert text.startswith("## Model Lab: failed\n\n1 finding failed the session.\n")
    assert "- bad on toy (asr): wer 50 %" in text
    assert table(text, "asr")[1][2] == "50.00 % (50.00 to 50.00), D, broken"
    assert table(text, "asr")[1][-1] == "fail"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"complete": False, "exit_status": 2}, "interrupted (exit status 2)"),
        ({"gate": "off"}, "no verdict"),
        ({"exit_status": 1}, "failed"),
    ],
)
def test_summary_never_says_passed_of_another(change: dict[str, Any], verdict: str) -> None:
    card = card_of({("a", "toy"): 0.01})
    card.run = card.run.model_copy(update=change)
    assert markdown.summary(card, SHIPPED).splitlines()[0] == f"## Model Lab: {verdict}"


def test_summary_says_what_limits_held_nothing() -> None:
    card = card_of({("a", "toy"): 0.01})
    assert "### Notes" not in markdown.summary(card, SHIPPED)
    card.run = card.run.model_copy(update={"notes": ["own.yaml:3: corpora.[toi](a): no corpus"]})
    text = markdown.summary(card, SHIPPED)
    assert "### Notes\n\n- own.yaml:3: corpora.\\[toi\\](a): no corpus\n" in text


def test_summary_tells_how_to_do_it_again() -> None:
    card = card_of({("a", "toy"): 0.01})
    card.provenance.command_line = ["-m", "asr and not latency", "--model=a\n```\n# b"]
    text = markdown.summary(card, SHIPPED)
    (fence,) = [t for t in tokens(text) if t.type == "fence"]
    assert fence.content == "pytest -m 'asr and not latency' '--model=a ``` # b'\n"
    assert "- run: 2026-11-23T10-00-00Z" in text
    assert "- code: 0123456789ab" in text


def test_summary_shows_what_got_worse_first() -> None:
    margin = {
        "limit": 0.01,
        "bound": "max",
        "limit_source": "margin to the baseline",
        "gated": True,
    }
    rows = [
        measurement("same", "toy", "wer_change", 0.0, ci=(0.0, 0.0), **margin),
        measurement("worse", "toy", "wer_change", 0.2, ci=(0.1, 0.3), verdict="fail", **margin),
        # Half of the utterances more are wrong, and thresholds.yaml has no margin for that.
        measurement("worse", "toy", "sentence_error_rate_change", 0.5, ci=(0.4, 0.6)),
    ]
    card = failed(
        *rows,
        baseline="baselines/main",
        worsened=[
            WorsenedUtterances(
                model="worse",
                corpus="toy",
                rows=[
                    Worsened(f"u{n}", "the light", "the light", HOSTILE, 0, 9) for n in range(12)
                ],
            )
        ],
    )
    text = markdown.summary(card, SHIPPED, seen(card, "worse"))
    rows_of = table(text, "Against the baseline baselines/main")
    assert [row[0] for row in rows_of[1:]] == ["worse", "same", "worse"]
    assert rows_of[1][4:] == ["+20.00", "+10.00 to +30.00", "worse"]
    assert rows_of[3][4:] == ["+50.00", "+40.00 to +60.00", "no margin to hold it to"]
    assert "and 2 more: `worsened` in `scorecard.json`" in text
    # The words are there, as words.
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_outside_text_is_text_wherever_it_stands() -> None:
    """Names, reasons, transcripts: no HTML, link, image, code or cell of theirs."""
    row = broken(HOSTILE, 0.5, reason=HOSTILE)
    other = measurement(
        HOSTILE, "toy", "load_time", None, unit="s", n=0, verdict="error", reason=HOSTILE
    )
    card = failed(
        row,
        other,
        baseline=HOSTILE,
        worsened=[
            WorsenedUtterances(
                model=HOSTILE,
                corpus=HOSTILE,
                rows=[Worsened(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0, 1)],
            )
        ],
    )
    card.run = card.run.model_copy(update={"id": HOSTILE, "problems": [HOSTILE]})
    card.recommendation = card.recommendation.model_copy(
        update={"use_case": HOSTILE, "model": HOSTILE, "reason": HOSTILE, "to_run": [HOSTILE]}
    )
    card.provenance.platform = HOSTILE
    text = markdown.summary(card, SHIPPED, seen(card, HOSTILE))
    kinds = {t.type for t in tokens(text)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "em_open"}
    assert [t.content for t in tokens(text) if t.type == "code_inline"] == []
    prose = text.partition("```")[0]
    # Of these GitHub makes a link without any brackets.
    assert not re.search(r"(?<!\\)://|www\.|h@i", prose)
    assert "\x1b" not in text
    rows = table(text, "asr")
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[1][0] == HOSTILE.replace("\n", " ").replace("\x1b", " ")


@pytest.mark.parametrize("limit", [5_000, 20_000, markdown.LIMIT])
def test_summary_is_cut_to_what_there_is_room_for(limit: int) -> None:
    """In whole lines, with a word about it, and still with the way to do it again."""
    words = "\u00e4\u4e2d" * 500
    card = failed(
        *(broken(f"model-{n}", 0.5) for n in range(30)),
        baseline="main",
        worsened=[
            WorsenedUtterances(
                model=f"model-{n}",
                corpus="toy",
                rows=[Worsened(f"u{i}", words, words, words, 0, 1) for i in range(20)],
            )
            for n in range(30)
        ],
    )
    rows = [measurement("model-0", "toy", "wer_change", 0.2, ci=(0.1, 0.3), verdict="fail")]
    card.measurements.extend(rows)
    whole = markdown.summary(card, SHIPPED, limit=10**9)
    text = markdown.summary(card, SHIPPED, limit=limit)
    assert len(whole.encode()) > markdown.LIMIT
    assert len(text.encode()) <= limit
    assert "Cut here" in text
    assert "Cut here" not in whole
    kept, tail = text.split("\nCut here", 1)
    assert "### To do it again" in tail
    assert whole.startswith(kept.rstrip("\n") + "\n")


def test_no_room_at_all_is_no_crash() -> None:
    card = card_of({("a", "toy"): 0.01})
    assert len(markdown.summary(card, SHIPPED, limit=100).encode()) <= 100


def properties(*rows: Any) -> list[tuple[str, object]]:
    case = Case("a", "candidate", "asr", "toy").as_property()
    return [("theirs", 7), case, *(m.as_property() for m in rows), ("model_lab.stored", "{}")]


def test_junit_properties_are_names_and_numbers() -> None:
    rows = [
        broken("a", 0.25),
        measurement("a", "toy", "cer", 0.125),
        measurement("a", "toy", "rtf", None, n=0, verdict="error", reason="it\x07died", gated=True),
        measurement("a", "toy", "wer", 0.5, slice="category=calls"),
    ]
    assert junit.readable(properties(*rows)) == [
        ("theirs", 7),
        ("model", "a"),
        ("task", "asr"),
        ("corpus", "toy"),
        ("tier", "candidate"),
        ("wer[toy]", "0.25"),
        ("wer[toy].interval", "0.25 0.25"),
        ("wer[toy].limit", "at most 0.1"),
        ("wer[toy].verdict", "fail"),
        ("cer[toy]", "0.125"),
        ("rtf[toy].verdict", "error"),
        ("rtf[toy].reason", "it died"),
    ]
    assert junit.without_figures(properties(*rows)) == [("theirs", 7)]


def test_junit_properties_of_the_session() -> None:
    card = failed(broken("a", 0.25), baseline="main")
    found = junit.suite_properties(card, Path("runs/x/scorecard.json"), figures=False)
    assert (
        dict(found).items()
        >= {
            "run": "2026-11-23T10-00-00Z",
            "git_sha": "0123456789abcdef",
            "git_dirty": "false",
            "scorecard": "runs/x/scorecard.json",
            "baseline": "main",
            "recommendation[general]": "none",
            "a/gate": "fail",
        }.items()
    )
    more = junit.suite_properties(card, Path("x"), figures=True)
    assert ("a/asr/wer[toy]", "0.25") in more
    assert not any("wer" in name for name, _ in found)


WORKFLOWS = [
    yaml.safe_load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
]
STEPS = [step for flow in WORKFLOWS for job in flow["jobs"].values() for step in job["steps"]]
ACTIONS = {
    "actions/checkout",
    "actions/cache",
    "actions/download-artifact",
    "actions/upload-artifact",
    "astral-sh/setup-uv",
}


def test_workflows_are_whole() -> None:
    names = [flow["name"] for flow in WORKFLOWS]
    assert names == ["Fast gate", "Nightly gate", "Sharded gate"]
    for flow in WORKFLOWS:
        # YAML 1.1 reads the key `on` as true; GitHub does not.
        assert flow[True], "nothing starts it"
        assert flow["permissions"]["contents"] == "read"
        for job in flow["jobs"].values():
            assert job["runs-on"]
            assert job["timeout-minutes"]
            names = [step.get("name") for step in job["steps"]]
            assert "Gate" in names or "Recognize" in names
            kept = next(s for s in job["steps"] if s.get("name") == "Keep the run")
            assert kept["if"] == "always()"
    for step in STEPS:
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            name, _, version = step["uses"].partition("@")
            assert name in ACTIONS
            assert re.fullmatch(r"v\d+", version)


def test_baseline_is_promoted_only_after_the_gate_passed() -> None:
    steps = WORKFLOWS[1]["jobs"]["gate"]["steps"]
    names = [step.get("name") for step in steps]
    order = ["Fetch the baseline", "Gate", "Make the run the baseline", "Keep the baseline"]
    assert [name for name in names if name in order] == order
    for step in steps[names.index("Gate") : names.index("Keep the run")]:
        assert "if" not in step
        assert "continue-on-error" not in step
    fetch, keep = (steps[names.index(n)] for n in (order[0], order[3]))
    name = keep["with"]["name"]
    assert f"--name {name} --dir {keep['with']['path']}" in fetch["run"]
    assert "--status success" in fetch["run"]
    assert f"--workflow {page_name(1)} " in fetch["run"]


def page_name(index: int) -> str:
    """The file that the comment above a workflow names."""
    found = re.findall(r"^# \.github/workflows/(\S+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(found) == len(WORKFLOWS)
    return str(found[index])


def typed() -> list[list[str]]:
    """The words of each command of ours in the workflows, behind `uv run`."""
    found = []
    for step in STEPS:
        for line in step.get("run", "").splitlines():
            line = line.replace("${{ matrix.number }}", "1")
            words = shlex.split(line.replace("$BASELINE", "--baseline=nightly"))
            if words[:2] == ["uv", "run"]:
                rest = words[2:]
                while rest[0] == "--extra":
                    rest = rest[2:]
                found.append(rest)
    return found


def test_workflows_run_our_commands() -> None:
    said = [" ".join(words[:3]) for words in typed()]
    assert len([s for s in said if s.startswith("pytest")]) == 3
    assert "python -m reports" in said
    assert "python -m adapters" in said


@pytest.mark.parametrize("words", typed(), ids=lambda words: " ".join(words)[:60])
def test_commands_of_workflows_can_be_typed(
    words: Sequence[str], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[:2] == ["python", "-m"]:
        module = {"adapters": adapters.__main__, "reports": reports.__main__}[words[2]]
        options = module.command_line().parse_args(list(words[3:]))
        if words[2] == "adapters":
            assert len(Catalog().select(options.model)) == len(options.model)
        return
    assert words[0] == "pytest"
    monkeypatch.chdir(ROOT)
    config = pytester.parseconfig(f"-c{ROOT / 'pyproject.toml'}", *words[1:])
    if config.getoption("shard") is None:  # a shard is held to nothing
        assert config.getoption("github")
        assert config.getoption("xmlpath")
        assert config.getini("junit_family") == "xunit1"
    marks = set(re.findall(r"\w+", config.option.markexpr)) - {"and", "or", "not"}
    assert marks <= {*TASKS, "real_e2e"}
    if config.option.model:
        real = [m for m in Catalog().select(config.option.model) if not m.shipped]
        assert [m.name for m in real] == config.option.model
