"""A worker that cannot start says why in one line; where it was raised is in the log alone."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import LoadSpec
from adapters.worker.client import ModelProcess
from adapters.worker.one_line import raised
from adapters.worker.results import WorkerError
from tests.support import toy_engine

ENGINE = EngineRef("toy_engine", toy_engine.__file__)
NUMPYS = """Traceback (most recent call last):
  File "server.py", line 3, in <module>
    import numpy
ImportError:

IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!

Importing the numpy C-extensions failed.
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise their.errors.ModelError("no model: a.bin")
their.errors.ModelError: no model: a.bin
and what follows
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NUMPYS, "ImportError: IMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!"),
        (CHAINED, "their.errors.ModelError: no model: a.bin"),
        (
            "Traceback (most recent call last):\n  File 'a'\nKeyboardInterrupt\n",
            "KeyboardInterrupt",
        ),
        ("couldnt load message header\nand more", "couldnt load message header"),
        ("", ""),
    ],
)
def test_a_traceback_in_one_line(text: str, said: str) -> None:
    assert raised(text) == said


def test_python_without_numpy(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=sys.platform != "win32")
    folder = "Scripts" if sys.platform == "win32" else "bin"
    log = tmp_path / "worker.log"
    process = ModelProcess(
        ENGINE, LoadSpec("builtin"), log=log, python=tmp_path / "bare" / folder / "python"
    )
    with pytest.raises(WorkerError) as caught:
        process.load()
    said = str(caught.value)
    assert said == (
        "the worker did not start: ModuleNotFoundError: No module named 'numpy' (install it in "
        f"the Python that the model runs in); where it was raised is in {log}"
    )
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")
    assert caught.value.kind == "exited"


def test_no_python_at_all(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    process = ModelProcess(ENGINE, LoadSpec("builtin"), log=log, python=tmp_path / "python")
    with pytest.raises(WorkerError) as caught:
        process.load()
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("the worker did not start: ")
    assert str(tmp_path / "python") in said


def test_an_engine_that_hands_on_the_traceback_of_its_own_process(tmp_path: Path) -> None:
    engine = tmp_path / "handing_on.py"
    engine.write_text(
        "from adapters.interface import Adapter\n"
        f"SAID = {CHAINED!r}\n"
        "class HandingOn(Adapter):\n"
        "    def load(self, spec):\n"
        "        raise RuntimeError(SAID)\n"
        "    def transcribe(self, audio): ...\n"
        "ADAPTER = HandingOn\n",
        encoding="utf-8",
    )
    log = tmp_path / "worker.log"
    process = ModelProcess(EngineRef("handing_on", str(engine)), LoadSpec("builtin"), log=log)
    with pytest.raises(WorkerError) as caught:
        process.load()
    process.close()
    assert str(caught.value) == "RuntimeError: their.errors.ModelError: no model: a.bin"
    assert "ZeroDivisionError: division by zero" in log.read_text(encoding="utf-8")
