"""Sessions as CI runs them: exit codes, annotations, the summary and the JUnit file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reports.ci.plugin import SUMMARY
from tests.support.sessions import SELECT, card_of, prepare, row_of, shared_arguments

pytestmark = pytest.mark.slow

Done = subprocess.CompletedProcess[str]
FAILING = (*SELECT, "--model=oracle", "--model=always-silent", "--model=absent", "--github")
JUNIT = ("--junitxml=junit.xml",)
#: What goes wrong in the middle of a session, as a plugin.
FAULTS = {
    "interrupts.py": ("call", "KeyboardInterrupt"),
    "breaks.py": ("teardown", "RuntimeError('a plugin is broken')"),
}
FAULT = """def pytest_runtest_logreport(report):
    if report.when == "{when}":
        raise {error}
"""
TWICE = """import pytest

@pytest.fixture(autouse=True)
def fails_again(record_property):
    record_property("theirs", "7")
    yield
    raise RuntimeError("in teardown")
"""
SMOKE = ("-m", "smoke", "--model=oracle")
#: Sessions that tests look at, each in a folder of its own.
SESSIONS: Mapping[str, Sequence[str]] = {
    "serial": (*FAILING, *JUNIT),  # of pytest's default family, xunit2
    "-n 2": (*FAILING, *JUNIT, "-o", "junit_family=xunit1", "-n", "2"),
    "fails twice": (
        *SELECT, "--model=always-silent", *JUNIT, "-o", "junit_family=xunit1", "-p", "twice",
    ),
    "passes": (*SMOKE, "--github"),
    "not evaluated": ("-m", "tts", "--model=oracle", "--github"),
    "interrupted": (*SMOKE, "-p", "interrupts"),
    "internal": (*SMOKE, "-p", "breaks"),
    "usage": (*SMOKE, "--gate=someday"),
    "nothing": (*SMOKE, "-k", "no_test_has_this_name"),
}  # fmt: skip
#: Of sessions in which something is different, what GITHUB_STEP_SUMMARY names; None: it is not set.
SUMMARIES = {"passes": ".", "nothing": None}


def session(name: str, folder: Path) -> tuple[Path, Done]:
    prepare(folder)
    for module, (when, error) in FAULTS.items():
        (folder / module).write_text(FAULT.format(when=when, error=error), encoding="utf-8")
    (folder / "twice.py").write_text(TWICE, encoding="utf-8")
    (folder / "summary.md").write_text("Said by an earlier command\n", encoding="utf-8")
    summary = SUMMARIES.get(name, "summary.md")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop(SUMMARY, None)
    if summary is not None:
        environment[SUMMARY] = summary
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *shared_arguments(folder), *SESSIONS[name]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return folder, done


Ran = Callable[[str], tuple[Path, Done]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Gives a session's folder and result, each run once."""
    begun: dict[str, tuple[Path, Done]] = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The two that most tests look at, beside each other.
        first = {
            name: pool.submit(session, name, tmp_path_factory.mktemp("ci"))
            for name in ("serial", "-n 2")
        }

        def get(name: str) -> tuple[Path, Done]:
            if name in first:
                return first[name].result()
            if name not in begun:
                begun[name] = session(name, tmp_path_factory.mktemp("ci"))
            return begun[name]

        yield get


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("passes", 0),
        ("serial", 1),
        ("not evaluated", 1),
        ("interrupted", 2),
        ("internal", 3),
        ("usage", 4),
        ("nothing", 5),
    ],
)
def test_exit_codes_are_those_of_the_docs(name: str, code: int, ran: Ran) -> None:
    _, done = ran(name)
    assert done.returncode == code, done.stdout + done.stderr


def test_interrupted_session_says_so_everywhere(ran: Ran) -> None:
    folder, _ = ran("interrupted")
    card = card_of(folder)
    assert card["run"]["complete"] is False
    # Its test did not end, so that nothing is known of it: no pass.
    assert [grade["gate"] for grade in card["grades"]] == ["fail"]
    assert {m["verdict"] for m in card["measurements"]} == {"error"}
    assert "ended before the test did" in card["measurements"][0]["reason"]
    assert "## Model Lab: interrupted (exit status 2)" in (folder / "summary.md").read_text()


@pytest.mark.parametrize("name", ["serial", "-n 2"])
def test_annotations_end_the_session(name: str, ran: Ran) -> None:
    _, done = ran(name)
    lines = [x for x in done.stdout.splitlines() if x.startswith("::")]
    errors = [x for x in lines if x.startswith("::error title=Model Lab%3A ")]
    assert len([x for x in errors if "always-silent on toy (asr)::wer 100 %25 " in x]) == 1
    assert len([x for x in errors if "absent on toy (asr)::wer, cer, " in x]) == 1
    assert not [x for x in lines if "oracle" in x]


def test_nothing_is_annotated_without_the_option(ran: Ran) -> None:
    _, done = ran("fails twice")
    assert done.returncode == 1
    assert "::error" not in done.stdout


@pytest.mark.parametrize("name", ["serial", "-n 2"])
def test_summary_is_appended(name: str, ran: Ran) -> None:
    folder, _ = ran(name)
    said = (folder / "summary.md").read_text(encoding="utf-8")
    assert said.startswith("Said by an earlier command\n\n## Model Lab: failed\n")
    card = card_of(folder)
    assert f"- run: {card['run']['id']}, " in said
    assert said.count("## Model Lab") == 1


def test_summary_that_cannot_be_written_is_a_warning(ran: Ran) -> None:
    """Here it is a folder; the verdict is what it was."""
    _, done = ran("passes")
    assert done.returncode == 0
    assert f"WARNING: {SUMMARY}: Is a directory" in done.stdout
    assert "::" not in done.stdout.replace("evals/test_smoke.py::", "")


def test_a_model_that_was_named_and_not_evaluated_is_told(ran: Ran) -> None:
    folder, done = ran("not evaluated")
    assert "::error title=Model Lab::oracle: no selected test evaluates it" in done.stdout
    assert "## Model Lab: failed" in (folder / "summary.md").read_text(encoding="utf-8")


def junit(folder: Path) -> ET.Element:
    (suite,) = ET.parse(folder / "junit.xml").getroot()
    return suite


def properties_of(node: ET.Element) -> dict[str, str]:
    rows = [(p.attrib["name"], p.attrib["value"]) for p in node.findall("properties/property")]
    assert len(dict(rows)) == len(rows), "a name that is there twice says nothing"
    return dict(rows)


def test_junit_has_the_figures_of_each_test(ran: Ran) -> None:
    folder, _ = ran("-n 2")
    card = card_of(folder)
    names = [case.attrib["name"] for case in junit(folder).iter("testcase")]
    models = ("oracle", "always-silent", "absent")
    assert sorted(names) == sorted(f"test_corpus[{m}-toy-{n}of2]" for m in models for n in (1, 2))
    # Of both parts' tests, the one that ended last has the figures of the whole corpus.
    tests: dict[str, dict[str, str]] = {f"test_corpus[{m}-toy]": {} for m in models}
    for case in junit(folder).iter("testcase"):
        tests[re.sub(r"-\dof2\]", "]", case.attrib["name"])] |= properties_of(case)
    silent = tests["test_corpus[always-silent-toy]"]
    about = {"model": "always-silent", "task": "asr", "corpus": "toy", "tier": "candidate"}
    assert silent.items() >= about.items()
    for metric in ("wer", "cer", "rtf", "peak_memory"):
        row = row_of(card, "always-silent", metric)
        assert float(silent[f"{metric}[toy]"]) == pytest.approx(row["value"], rel=1e-5)
        assert silent[f"{metric}[toy].verdict"] == row["verdict"]
    assert silent["wer[toy].limit"] == "at most 0.2"
    absent = tests["test_corpus[absent-toy]"]
    assert "wer[toy]" not in absent
    assert absent["wer[toy].verdict"] == "error"
    assert "surely_not_there" in absent["wer[toy].reason"]
    assert not [name for rows in tests.values() for name in rows if name.startswith("model_lab")]


@pytest.mark.parametrize("name", ["serial", "-n 2"])
def test_junit_says_which_session_it_was(name: str, ran: Ran) -> None:
    folder, _ = ran(name)
    card = card_of(folder)
    suite = properties_of(junit(folder))
    assert suite["run"] == card["run"]["id"]
    assert suite["git_sha"] == card["provenance"]["git_sha"]
    assert Path(suite["scorecard"]).samefile(folder / "runs" / "latest" / "scorecard.json")
    use = card["recommendation"]["use_case"]
    assert suite[f"recommendation[{use}]"] == (card["recommendation"]["model"] or "none")
    assert (suite["oracle/gate"], suite["absent/gate"]) == ("pass", "fail")
    assert ("always-silent/asr/wer[toy]" in suite) == (name == "serial")


def test_junit_of_xunit2_keeps_to_its_schema(ran: Ran) -> None:
    """junit-10.xsd of Jenkins's xUnit plugin: what may be in a suite and in a test, and how named."""
    folder, _ = ran("serial")
    suite = junit(folder)
    assert {child.tag for child in suite} == {"properties", "testcase"}
    for case in suite.iter("testcase"):
        assert set(case.attrib) <= {"name", "time", "classname", "group"}
        assert {child.tag for child in case} <= {
            "skipped", "error", "failure", "system-out", "system-err",
        }  # fmt: skip
    assert properties_of(suite)["always-silent/asr/wer[toy]"] == "1"
    assert len(list(suite.iter("testcase"))) == 3


def test_junit_of_a_test_that_fails_twice_is_readable(ran: Ran) -> None:
    """pytest then writes two tests, the first from a report that it had kept."""
    folder, _ = ran("fails twice")
    cases = list(junit(folder).iter("testcase"))
    assert len(cases) == 2
    for case in cases:
        found = properties_of(case)
        assert found["wer[toy]"] == "1"
        assert found["theirs"] == "7"
        assert not [name for name in found if name.startswith("model_lab")]
