"""What the README's test command leaves out: read from a module's text, before it is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import LEFT_OUT, module_marks

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("import pytest\n\npytestmark = pytest.mark.slow\n\n\ndef test_it() -> None: ...\n", {"slow"}),
        ("pytestmark = [\n    pytest.mark.skipif(True, reason='no'),\n    pytest.mark.engine,\n]\n\nX = 1\n",
         {"skipif", "engine"}),
        ("pytestmark = pytest.mark.usefixtures('x')\n\n\n@pytest.mark.slow\ndef test_it() -> None: ...\n",
         {"usefixtures"}),
        ("@pytest.mark.slow\ndef test_it() -> None: ...\n", set()),
        ('"""Says pytestmark = pytest.mark.slow of others."""\n', set()),
        ("", set()),
    ],
)  # fmt: skip
def test_marks_of_a_whole_module(tmp_path: Path, text: str, marks: set[str]) -> None:
    module = tmp_path / "test_it.py"
    module.write_text(text, encoding="utf-8")
    assert module_marks(module) == marks


def test_the_repos_own_modules_are_found() -> None:
    """As many as say so in a line of their own, however the list is written."""
    modules = list(TESTS.rglob("test_*.py"))
    left_out = {path for path in modules if module_marks(path) & set(LEFT_OUT)}
    said = {
        path
        for path in modules
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("pytestmark = pytest.mark.") and line.endswith(LEFT_OUT)
    }
    assert said <= left_out
    assert said
    assert Path(__file__) not in left_out
