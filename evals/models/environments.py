"""An environment per engine: built by uv on first use, cached, and used by the model's process.

Engines whose dependencies clash, or that need another Python, then run side by side
in one session: the harness, the metrics and the audio are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.catalog.engine import EngineRef
from fixtures.fetch.cache import cache_dir, make_once

ROOT = Path(__file__).parents[2]
_STAMP = "model-lab.json"
#: What a worker needs beside its engine.
_WORKER = ("numpy>=2", "psutil>=6", "filelock>=3.12")


class EnvironmentFailed(Exception):
    """An environment cannot be built; the message says what uv said and what to do."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is made of; two engines with the same one share it.

    python: the lowest version wanted, or None for the harness's own.
    """

    requirements: Sequence[str]
    constraints: Sequence[str]
    python: str | None

    @property
    def key(self) -> str:
        """Names the folder: another requirement, pin, Python or platform is another place."""
        parts = [
            sorted(self.requirements),
            sorted(self.constraints),
            self.python or platform.python_version(),
            sysconfig.get_platform(),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def recipe(engine: EngineRef) -> Recipe:
    """What the engine's own declaration asks for.

    Raises EnvironmentFailed where that is nothing.
    """
    adapter = engine.adapter()
    try:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    except OSError as error:
        raise EnvironmentFailed(f"--envs works from a clone of Model Lab: {error}") from None
    if adapter.requirements:
        wanted: Sequence[str] = adapter.requirements
    else:
        extras = project["project"]["optional-dependencies"]
        if adapter.extra not in extras:
            raise EnvironmentFailed(
                f"engine {engine.name!r} names neither requirements nor an extra of "
                f"pyproject.toml ({', '.join(extras)}), so no environment can be built for it"
            )
        wanted = extras[adapter.extra]
    pins = project.get("tool", {}).get("uv", {}).get("constraint-dependencies", [])
    return Recipe([*_WORKER, *wanted], pins, adapter.python)


def environment(engine: EngineRef, say: Callable[[str], None] = lambda text: None) -> Path:
    """The Python of the engine's environment, which is built if the cache does not hold it.

    say: told once, before something that takes long. Raises EnvironmentFailed.
    """
    what = recipe(engine)
    folder = cache_dir() / "envs" / f"{engine.name}-{what.key}"

    def make(scratch: Path) -> None:
        say(f"building an environment for {engine.name} (once; it is kept in {folder.parent})")
        _build(scratch, what, engine.name)

    return _python_of(make_once(folder, make, _whole))


def _build(folder: Path, what: Recipe, name: str) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise EnvironmentFailed("--envs builds environments with uv: pip install uv")
    python = find_python(uv, what.python)
    # Relocatable, since the folder gets its name when it is finished.
    _run([uv, "venv", "--quiet", "--clear", "--relocatable", "--python", python, str(folder)], name)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(what.constraints) + "\n", encoding="utf-8")
    install = [uv, "pip", "install", "--quiet", "--python", str(_python_of(folder))]
    _run([*install, "--constraints", str(constraints), *what.requirements], name)
    (folder / _STAMP).write_text(json.dumps({"requirements": list(what.requirements)}))


def _run(command: Sequence[str], name: str) -> None:
    # Neither the harness's environment nor its project may decide what uv installs where.
    mine = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "PYTHONHOME")
    environ = {key: value for key, value in os.environ.items() if key not in mine}
    done = subprocess.run(  # noqa: S603 - fixed words and our own declarations
        command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split())[-600:]
        raise EnvironmentFailed(f"the environment for {name!r} cannot be built: {said}")


def find_python(uv: str, minimum: str | None) -> str:
    """An interpreter of at least the minimum version: our own, uv's, pyenv's, or one to fetch."""
    if minimum is None or _at_least(platform.python_version(), minimum):
        return sys.executable
    asked = subprocess.run(  # noqa: S603 - uv's own path, fixed words
        [uv, "python", "find", "--no-project", f">={minimum}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0 and asked.stdout.strip():
        return asked.stdout.strip()
    # uv tries pyenv's shims, which refuse versions that are installed but not switched on.
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in sorted(root.glob("versions/3.*"), key=lambda p: _numbers(p.name)):
        python = version / "bin" / "python"
        if _at_least(version.name, minimum) and python.is_file():
            return str(python)
    return minimum  # uv fetches one where it may


def _at_least(version: str, minimum: str) -> bool:
    wanted = _numbers(minimum)
    return _numbers(version)[: len(wanted)] >= wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _whole(folder: Path) -> bool:
    """Whether the environment was finished and its Python is still there."""
    python = _python_of(folder)
    return (folder / _STAMP).is_file() and python.exists()
