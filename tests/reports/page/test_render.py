"""Templates are compiled once, and pages are made where nothing can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

from reports.page.render import render


def page() -> str:
    return render("runs.html.jinja", styles=("runs.css",))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were compiled."""
    names: list[str] = []
    plain: Any = jinja2.Environment.compile

    def noting(self: jinja2.Environment, source: Any, name: Any = None, *rest: Any) -> Any:
        names.append(name)
        return plain(self, source, name, *rest)

    monkeypatch.setattr(jinja2.Environment, "compile", noting)
    return names


def test_a_template_is_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[str]
) -> None:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    first = page()
    assert compiled == ["runs.html.jinja"]
    assert page() == first
    assert compiled == ["runs.html.jinja"]
    (kept,) = (tmp_path / "cache" / "templates").iterdir()
    kept.write_bytes(kept.read_bytes()[:-100])
    assert page() == first


@pytest.mark.parametrize("cache", ["a file", "a full disk"])
def test_a_page_is_made_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[str], cache: str
) -> None:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    if cache == "a file":
        (tmp_path / "cache").write_text("")
    else:

        def full(self: object, bucket: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(jinja2.FileSystemBytecodeCache, "dump_bytecode", full)
    assert page() == page()
    assert len(compiled) == 2
