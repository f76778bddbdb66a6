"""The design's rules that no type checker knows: who may import whom, and what."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from adapters.catalog.engine import known_engines
from reports.scorecard import scorecard

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "fixtures", "evals", "reports")
#: What the two that know nothing of each other share: reading what people write, safely.
LEAVES = ("fixtures.yaml_places", "fixtures.safe_text")
MAY_IMPORT = {
    "adapters": {"adapters", *LEAVES},
    "fixtures": {"fixtures"},
    "evals": {"evals", "adapters", "fixtures"},
    "reports": {"reports", "evals", "adapters", "fixtures"},
}
HEAVY = ("torch", "transformers", "ctranslate2", "faster_whisper", "matplotlib", "pocketsphinx")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@dataclass(frozen=True)
class Imported:
    """What an import statement names: a module, and perhaps what is taken from it."""

    module: str
    names: tuple[str, ...]
    at_top: bool
    #: Read by a type checker alone.
    typing_only: bool


@cache
def _statements(path: Path) -> tuple[Imported, ...]:
    """The import statements of a file, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Imported] = []

    def visit(node: ast.AST, at_top: bool, typing_only: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Imported(a.name, (), at_top, typing_only) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = tuple(alias.name for alias in node.names)
            found.append(Imported(node.module, names, at_top, typing_only))
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            hidden = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for block in ("body", "orelse", "handlers", "finalbody", "cases"):
                for inner in getattr(node, block, ()):
                    visit(inner, False, typing_only or hidden)

    for node in tree.body:
        visit(node, True, False)
    return tuple(found)


def _imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    return (i.module for i in _statements(path) if i.at_top or not top_only)


def may_import_pytest(path: Path) -> bool:
    """Plugins, the tasks' own modules, and the packages of all that pytest has to do with."""
    session, collector = ROOT / "evals" / "session", ROOT / "reports" / "build" / "collector.py"
    return (
        path.name == "plugin.py"
        or path.name[:5] == "test_"
        or session in path.parents
        or path == collector
    )


def test_dependencies_point_one_way() -> None:
    wrong = []
    for path in SOURCES:
        file = path.relative_to(ROOT)
        for module in _imports(path):
            top = module.partition(".")[0]
            if top in PACKAGES and not {top, module} & MAY_IMPORT[file.parts[0]]:
                wrong.append(f"{file} imports {module}")
            if top == "pytest" and not may_import_pytest(path):
                wrong.append(f"{file} imports pytest")
    assert wrong == []


def test_leaves_need_nothing_of_the_project_but_each_other() -> None:
    for leaf in LEAVES:
        path = ROOT / f"{leaf.replace('.', '/')}.py"
        own = {module for module in _imports(path) if module.partition(".")[0] in PACKAGES}
        assert own <= set(LEAVES)


def test_engines_are_imported_inside_functions() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module} when it is imported itself"
        for path in SOURCES
        for module in _imports(path, top_only=True)
        if module.partition(".")[0] in HEAVY
    ]
    assert wrong == []


@pytest.mark.slow
def test_collecting_imports_no_engine() -> None:
    program = (
        "import sys, pytest; code = pytest.main(['--collect-only', '-q', '-pno:hypothesispytest', 'evals']); "
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules], int(code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert "HEAVY [] 0" in done.stdout


def test_worker_needs_nothing_but_numpy() -> None:
    """An engine may live in an environment without the harness's packages."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'yaml', 'pytest', 'jiwer', "
        "'psutil', 'soundfile', 'execnet'])); import adapters.worker.server"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


@pytest.mark.slow
def test_any_session_can_load_the_tests_conftest() -> None:
    """pytest loads it before it knows what was asked for, in the light core too."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['hypothesis', 'jsonschema', 'espeakng_loader', "
        "'faster_whisper', 'pocketsphinx', 'av'])); import tests.conftest"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_engines_are_found() -> None:
    assert {"espeak", "faster_whisper", "pocketsphinx"} <= set(known_engines())
    assert "interface" not in known_engines()
    assert not {"worker", "shared"} & set(known_engines())


def test_schema_in_the_repo_is_that_of_the_code() -> None:
    text = scorecard.SCHEMA_FILE.read_text(encoding="utf-8")
    assert text == scorecard.json_schema(), "run: uv run python -m reports schema --write"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


# ---------------------------------------------------------------- files, folders and their order

#: Inside `evals`: what stands further right may import what stands further left, never back.
ORDER = (
    ("records",),
    ("metrics.py",),
    ("measures",),
    ("task.py",),
    ("models", "gate", "judges", "run", "cluster", "tasks"),
    ("session",),
    ("plugin.py",),
)
#: As many entries in a folder can be seen at a glance; the tasks' own modules are beside them.
MOST_ENTRIES = 12
MOST_LINES = 400
#: Longer files, each with its reason.
LONG: Mapping[str, int] = {}


@cache
def _module_file(module: str) -> str | None:
    """The file of a module of the four packages, as a path below the root."""
    path = module.replace(".", "/")
    for file in (f"{path}.py", f"{path}/__init__.py"):
        if module.partition(".")[0] in PACKAGES and (ROOT / file).is_file():
            return file
    return None


def _needed_by(path: Path) -> Iterator[str]:
    """The files that a module imports, wherever in it; not those that only a type checker reads."""
    for imported in _statements(path):
        if imported.typing_only:
            continue
        names = [
            full if _module_file(full := f"{imported.module}.{name}") else imported.module
            for name in imported.names
        ]
        for name in names or [imported.module]:
            if file := _module_file(name):
                yield file


@cache
def _graph() -> dict[str, frozenset[str]]:
    """File to the files that it imports; packages without a line of code are no part of it."""
    files = {path.relative_to(ROOT).as_posix(): path for path in SOURCES}
    empty = {
        name
        for name, path in files.items()
        if path.name == "__init__.py" and len(ast.parse(path.read_text("utf-8")).body) <= 1
    }
    return {
        name: frozenset(set(_needed_by(path)) - {name} - empty)
        for name, path in files.items()
        if name not in empty
    }


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The sets of nodes each of which can be reached from each other (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def entry_of(file: str, folder: str) -> str | None:
    """The file or folder directly in a folder by which a file is in it."""
    return file[len(folder) + 1 :].partition("/")[0] if file.startswith(f"{folder}/") else None


FOLDERS = sorted({p.parent.relative_to(ROOT).as_posix() for p in SOURCES})


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a", "f"}, "f": {"e"}}
    assert circles(graph) == [["b", "c"], ["e", "f"]]


def test_no_circle_between_files() -> None:
    assert circles(_graph()) == []


def test_no_circle_in_a_folder() -> None:
    """Each folder in it counts as one, with all that is below."""
    found = {}
    for folder in FOLDERS:
        graph: dict[str, set[str]] = {}
        for file, needed in _graph().items():
            own = entry_of(file, folder)
            if own is None:
                continue
            others = {entry_of(other, folder) for other in needed}
            graph.setdefault(own, set()).update(o for o in others if o is not None and o != own)
        if between := circles(graph):
            found[folder] = between
    assert found == {}


def test_evals_point_one_way() -> None:
    ranks = {name: rank for rank, names in enumerate(ORDER) for name in names}
    back = [
        f"{file} imports {other}"
        for file, needed in _graph().items()
        if (own := entry_of(file, "evals")) in ranks
        for other in sorted(needed)
        if ranks.get(entry_of(other, "evals") or "", -1) > ranks[own]
    ]
    assert back == []
    entries = {entry_of(path.relative_to(ROOT).as_posix(), "evals") for path in SOURCES}
    tasks = {entry for entry in entries if entry and entry.startswith("test_")}
    assert entries - tasks - {None, "__init__.py"} == set(ranks)


def test_a_folder_can_be_seen_at_a_glance() -> None:
    entries = {
        folder: {
            path.name
            for path in (ROOT / folder).iterdir()
            if path.name not in ("__init__.py", "__pycache__") and path.name[:5] != "test_"
        }
        for folder in FOLDERS
    }
    full = {folder: sorted(own) for folder, own in entries.items() if len(own) > MOST_ENTRIES}
    assert full == {}


def test_no_file_is_too_long() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCES
    }
    long = {file: n for file, n in lengths.items() if n > LONG.get(file, MOST_LINES)}
    assert long == {}
    assert [file for file in LONG if lengths.get(file, 0) <= MOST_LINES] == []
