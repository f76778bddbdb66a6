"""Nothing that comes with a checkpoint or a data set is run: read off the sources.

What malicious checkpoints do is tried for each engine in tests/contract.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for package in ("adapters", "fixtures", "evals", "reports")
    for path in sorted((ROOT / package).rglob("*.py"))
]
#: Calls that run what they read, unless an argument says that they must not.
NEEDS = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
#: Calls that run what they read, whatever the arguments.
NEVER = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "joblib.load",
    "torch.hub.load",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
}
#: Libraries' classes that import a checkpoint's own code where they are not told not to.
_AUTO = "Auto"


def unsafe(source: str) -> Iterator[str]:
    """The calls in a program that could run what they read, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in NEVER:
            yield f"{node.lineno}: {name}"
        elif name in NEEDS:
            argument, value = NEEDS[name]
            said = given.get(argument)
            if not (isinstance(said, ast.Constant) and said.value is value):
                yield f"{node.lineno}: {name} without {argument}={value}"
        elif (
            name.endswith(".from_pretrained")
            and f".{_AUTO}" in f".{name}"
            # Given by name, or among others in a mapping.
            and "trust_remote_code" not in given
            and None not in given
        ):
            yield f"{node.lineno}: {name} without trust_remote_code"


def test_sources_load_nothing_that_runs() -> None:
    assert len(SOURCES) > 100
    found = [
        f"{path.relative_to(ROOT)}:{call}"
        for path in SOURCES
        for call in unsafe(path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pickle.loads(data)",
        "yaml.load(text, yaml.Loader)",
        "transformers.AutoModel.from_pretrained(folder)",
    ],
)
def test_what_would_be_found(line: str) -> None:
    assert list(unsafe(line))


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "transformers.AutoModel.from_pretrained(folder, trust_remote_code=False)",
        "transformers.AutoModel.from_pretrained(folder, **local)",
    ],
)
def test_what_is_allowed(line: str) -> None:
    assert not list(unsafe(line))
