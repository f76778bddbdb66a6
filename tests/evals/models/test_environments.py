"""Environments that uv builds for engines which are not installed here."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path

import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.results import WorkerError
from evals.models import environments
from evals.models.environments import EnvironmentFailed, Recipe, environment, find_python, recipe
from evals.models.loaded import Settings, interpreter
from fixtures.fetch.cache import cache_dir

pytestmark = pytest.mark.slow

ENGINE = """
import sys
from adapters.interface import Adapter, ModelError, Transcript
class Engine(Adapter):
    {declares}
    def load(self, spec):
        import iniconfig
        self.prefix = sys.prefix
    def transcribe(self, audio):
        return Transcript(self.prefix)
ADAPTER = Engine
"""


def _engine(folder: Path, declares: str) -> EngineRef:
    file = folder / "engine.py"
    file.write_text(ENGINE.format(declares=declares), encoding="utf-8")
    return EngineRef("engine", str(file))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    return cache_dir()


def test_recipe_of_an_extra() -> None:
    what = recipe(EngineRef("faster_whisper"))
    assert any(r.startswith("faster-whisper>=") for r in what.requirements)
    assert any(r.startswith("av>=11,<19") for r in what.requirements)
    assert any(c.startswith("ctranslate2==") for c in what.constraints)
    assert what.python is None


def test_recipe_of_an_engine_outside(tmp_path: Path) -> None:
    assert (
        "iniconfig>=2" in recipe(_engine(tmp_path, "requirements = ['iniconfig>=2']")).requirements
    )
    with pytest.raises(EnvironmentFailed, match="names neither requirements nor an extra"):
        recipe(
            EngineRef("other", str(_write(tmp_path / "other.py", ENGINE.format(declares="pass"))))
        )


def _write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_another_recipe_is_another_place() -> None:
    one = Recipe(["a>=1"], ["b==2"], None)
    assert one.key == Recipe(["a>=1"], ["b==2"], None).key
    assert len({one.key, *(r.key for r in (
        Recipe(["a>=2"], ["b==2"], None), Recipe(["a>=1"], ["b==3"], None), Recipe(["a>=1"], ["b==2"], "3.12"),
    ))}) == 4  # fmt: skip


def test_built_once_and_used(tmp_path: Path, cache: Path) -> None:
    engine = _engine(tmp_path, "requirements = ['iniconfig']; modules = ('no_such_module_here',)")
    told: list[str] = []
    python = environment(engine, told.append)
    assert environment(engine, told.append) == python
    assert len(told) == 1
    assert cache in python.parents
    process = ModelProcess(engine, LoadSpec("builtin"), python=python)
    process.load()
    try:
        import numpy as np

        from adapters.interface import Audio

        heard = process.transcribe(Audio(np.zeros(100, np.float32), 16000)).result.text
        assert Path(heard).resolve() == python.parents[1].resolve()
        assert process.packages(["iniconfig"]).versions.keys() == {"iniconfig"}
        assert not process.packages(["pytest"]).versions, "the harness's packages are not there"
    finally:
        process.close()


def test_settings_decide(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = _engine(tmp_path, "modules = ('json',)")
    assert interpreter(here, Settings(environments=True)) is None
    absent = EngineRef("absent", str(_write(tmp_path / "absent.py", ENGINE.format(
        declares="requirements = ['iniconfig']; modules = ('no_such_module_here',)"))))  # fmt: skip
    with pytest.raises(WorkerError, match="no_such_module_here"):
        interpreter(absent, Settings())
    with pytest.raises(WorkerError, match="--isolation none leaves no place"):
        interpreter(absent, Settings(environments=True, isolated=False))
    monkeypatch.setattr(environments, "environment", None)
    monkeypatch.setattr("evals.models.loaded.environment", lambda engine, say: Path("built"))
    assert interpreter(absent, Settings(environments=True)) == Path("built")


def test_what_cannot_be_built_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    engine = _engine(tmp_path, "requirements = ['iniconfig>=99999']")
    with pytest.raises(
        EnvironmentFailed, match=r"for 'engine' cannot be built: .*iniconfig"
    ) as caught:
        environment(engine)
    assert "\n" not in str(caught.value)
    assert [p for p in (cache / "envs").iterdir() if p.is_dir()] == []


def test_without_uv(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EnvironmentFailed, match="pip install uv"):
        environment(_engine(tmp_path, "requirements = ['iniconfig']"))


def test_a_newer_python_is_found_where_pyenv_hides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = _write(tmp_path / "uv", "#!/bin/sh\nexit 2\n")
    uv.chmod(0o755)
    for version in ("3.9.18", "3.77.2", "3.78.0"):
        python = tmp_path / "versions" / version / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_python(str(uv), "3.77") == str(tmp_path / "versions/3.77.2/bin/python")
    assert find_python(str(uv), "3.99") == "3.99"
    assert find_python(str(uv), platform.python_version()) == sys.executable
    assert find_python(str(uv), None) == sys.executable


def test_python_too_old_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = _engine(tmp_path, "python = '3.99'; modules = ('json',)")
    missing = engine.missing()
    assert missing is not None
    assert "needs Python 3.99 or newer" in missing
    assert "--envs" in missing
    assert _recipe_python(engine) == "3.99"


def _recipe_python(engine: EngineRef) -> str | None:
    adapter = engine.adapter()
    adapter.requirements = ["iniconfig"]
    return recipe(engine).python


def test_stamp_is_written_last(tmp_path: Path, cache: Path) -> None:
    """An environment without its stamp, as a killed build leaves it, is built anew."""
    engine = _engine(tmp_path, "requirements = ['iniconfig']")
    python = environment(engine)
    stamp = python.parents[1] / "model-lab.json"
    assert "iniconfig" in json.loads(stamp.read_text())["requirements"]
    stamp.unlink()
    told: list[str] = []
    environment(engine, told.append)
    assert told
