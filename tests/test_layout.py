"""The design's rules that no type checker knows: who may import whom, and what."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from adapters.catalog.engine import known_engines
from reports.scorecard import scorecard

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "fixtures", "evals", "reports")
MAY_IMPORT = {
    "adapters": {"adapters"},
    "fixtures": {"fixtures"},
    "evals": {"evals", "adapters", "fixtures"},
    "reports": {"reports", "evals", "adapters", "fixtures"},
}
HEAVY = ("torch", "transformers", "ctranslate2", "faster_whisper", "matplotlib", "pocketsphinx")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _imports(path: Path, *, top_only: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_dependencies_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for module in _imports(path):
        top = module.partition(".")[0]
        if top in PACKAGES:
            assert top in MAY_IMPORT[package], f"{path} imports {module}"
        if top == "pytest":
            assert path.name == "plugin.py" or path.name.startswith("test_"), f"{path}: pytest"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_engines_are_imported_inside_functions(path: Path) -> None:
    tops = {module.partition(".")[0] for module in _imports(path, top_only=True)}
    assert not tops & set(HEAVY)


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
    assert "worker" not in known_engines()


def test_schema_in_the_repo_is_that_of_the_code() -> None:
    text = scorecard.SCHEMA_FILE.read_text(encoding="utf-8")
    assert text == scorecard.json_schema(), "run: uv run python -m reports schema --write"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
