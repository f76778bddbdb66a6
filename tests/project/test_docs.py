"""The pages that people read: no dead link, no command that cannot be typed, no stale table."""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import adapters.__main__
import fixtures.__main__
import reports.__main__
from adapters.catalog.catalog import Catalog
from adapters.catalog.engine import resolve_engine
from evals.gate import thresholds
from evals.task import TASKS
from reports.commands.metrics_page import FILE as METRICS_PAGE
from reports.commands.metrics_page import metric_table
from reports.scorecard import cost
from tests.support.sessions import ROOT

pytestmark = pytest.mark.slow

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What a reader puts in place of these, so that they need not be there.
THEIRS = re.compile(r"^(my|your|runs|RUN|OLD|NEW|PATH|\.\.)\b|^[A-Z]+$|^\w+://|^hf:")
_COMMAND = re.compile(r"^(?:    |\t)?(?:- run: |run: )?((?:pip install uv && )?uv run .*)$")


def ids(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)[:80]


def commands() -> Iterator[tuple[str, str]]:
    """Every command that begins a line, with the page that has it."""
    for page in PAGES:
        # A command may go on after a backslash.
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
        for line in text.splitlines():
            if found := _COMMAND.match(line):
                yield page.name, found[1].partition("  #")[0].strip()


COMMANDS = list(dict.fromkeys(commands()))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the repo, and to a heading where one is named."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name}: {target}"
        if heading:
            assert heading in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_files_that_are_named_exist(page: Path) -> None:
    """In the repo's own folders; a page that outlives what it describes misleads."""
    named = re.findall(
        r"`((?:adapters|docs|evals|fixtures|reports|tests|tools)/[\w./-]*)`", page.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def anchors(page: Path) -> set[str]:
    """The headings as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {PAGES[0]}
    waiting = [PAGES[0]]
    while waiting:
        page = waiting.pop()
        for target in re.findall(r"\]\(([^)\s#]+\.md)[)#]", page.read_text(encoding="utf-8")):
            file = (page.parent / target).resolve()
            if file not in reached and file.exists():
                reached.add(file)
                waiting.append(file)
    assert [page.name for page in PAGES if page.resolve() not in reached] == []


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=ids)
def test_commands_can_be_typed(
    page: str, command: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Extras and groups exist, and so do the command's options, models and markers."""
    words = shlex.split(command.partition("uv run ")[2])
    while words[0].startswith("--"):
        if words[0] == "--all-extras":
            words = words[1:]
            continue
        name, value = words[0], words[1]
        if name == "--with":  # any package there is
            words = words[2:]
            continue
        table = {"--extra": extras(), "--group": groups()}[name]
        assert value in table, f"{page}: {name} {value}"
        words = words[2:]
    if words[:2] == ["python", "-m"]:
        words = words[: words.index(">")] if ">" in words else words
        modules = (adapters.__main__, fixtures.__main__, reports.__main__)
        module = {module.__package__: module for module in modules}[words[2]]
        module.command_line().parse_args(words[3:])
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file(), f"{page}: {words[1]}"
    else:
        assert words[0] == "pytest", f"{page}: {command}"
        configured(page, words[1:], pytester, monkeypatch)


def configured(
    page: str, arguments: list[str], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a session reads them, but for files that are the reader's own."""
    monkeypatch.chdir(ROOT)
    options: Any = pytester.parseconfig(f"-c{ROOT / 'pyproject.toml'}", *arguments).option
    for model in options.model or ():
        if not THEIRS.match(model.partition(":")[2] or model):
            assert Catalog().select([model]), f"{page}: {model}"
    for corpus in options.corpus or ():
        assert THEIRS.match(corpus) or corpus in known_corpora(), f"{page}: {corpus}"
    markers = {*TASKS, "production", "real_e2e"}
    if options.plugin_file:
        markers |= own_tasks(page)
    words = set(re.findall(r"\w+", options.markexpr or "")) - {"and", "or", "not"}
    assert words <= markers, f"{page}: {words}"


def own_tasks(page: str) -> set[str]:
    """The names of the tasks that the page's worked example makes."""
    (path,) = [path for path in PAGES if path.name == page]
    examples = re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    calls = [node for code in examples for node in ast.walk(ast.parse(code))]
    return {
        str(keyword.value.value)
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Task"
        for keyword in call.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }


@cache
def known_corpora() -> tuple[str, ...]:
    from fixtures.source import known_names

    return tuple(known_names())


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def extras() -> set[str]:
    return set(project()["project"]["optional-dependencies"])


def groups() -> set[str]:
    return set(project()["dependency-groups"])


def test_every_option_of_ours_is_documented(pytester: pytest.Pytester) -> None:
    """In the table of the options."""
    said = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    config = pytester.parseconfig(f"-c{ROOT / 'pyproject.toml'}")
    ours = [
        name
        for group in config._parser._groups
        if group.name.startswith("model-lab")
        for option in group.options
        for name in option.names()
    ]
    assert len(ours) > 10
    assert [name for name in ours if f"`{name}" not in said] == []


def test_the_table_of_metrics_is_fresh() -> None:
    """`python -m reports metrics --write` renews it."""
    assert METRICS_PAGE.read_text(encoding="utf-8") == metric_table()


def blocks(page: str) -> Iterator[str]:
    """The indented blocks of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for found in re.finditer(r"(?:^(?:    .*)?\n)+", text, re.MULTILINE):
        yield textwrap.dedent(found[0]).strip() + "\n"


def block(page: str, beginning: str) -> str:
    """The only one of them that has a line with this beginning."""
    (found,) = [b for b in blocks(page) if re.search(rf"^{beginning}", b, re.MULTILINE)]
    return found


def test_the_experts_page_is_read_in_five_minutes() -> None:
    """Under 900 words beside its tables and commands, as issue 14 asks."""
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    prose = [line for line in page.splitlines() if not line.startswith(("|", "    "))]
    assert len(" ".join(prose).split()) < 900


def test_example_prices_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(block("reports.md", "currency:"), encoding="utf-8")
    assert cost.load(file).find("AMD EPYC") == "our-server"


def test_example_use_can_be_read(tmp_path: Path) -> None:
    whole = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))
    whole["use_cases"] |= yaml.safe_load(block("reports.md", "use_cases:"))["use_cases"]
    file = tmp_path / "thresholds.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    assert thresholds.load(file).use_cases["in-car"].reject_licences


def test_every_use_of_the_file_is_named() -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    assert [name for name in thresholds.load().use_cases if f"`{name}`" not in page] == []


def test_every_command_on_runs_is_described() -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    listed = re.findall(r"\{([\w,]+)\}", reports.__main__.command_line().format_help())
    assert [name for name in listed[0].split(",") if f"`{name}`" not in page] == []


def test_example_engine_and_entry_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "my_engine.py").write_text(
        block("adding-a-model.md", "class MyEngine"), encoding="utf-8"
    )
    assert resolve_engine("my_engine.py", tmp_path).tasks() == ("asr",)
    file = tmp_path / "catalog.yaml"
    file.write_text(block("adding-a-model.md", "schema_version:"), encoding="utf-8")
    (model,) = Catalog([file]).select(["my-whisper"])
    assert model.checkpoint == str(tmp_path / "my-ct2-folder")
