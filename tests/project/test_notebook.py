"""The Colab notebook, run as it is on the CPU: cloned, installed, every cell to its end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.scorecard import scorecard
from tests.support.sessions import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

pytestmark = pytest.mark.slow

FILE = ROOT / "notebooks" / "colab.ipynb"
RECOGNIZERS = ("faster-whisper-micro", "pocketsphinx-commands")
SPEAKERS = ("espeak", "assistant-micro")

if not os.environ.get("MODEL_LAB_ALL_EXTRAS"):
    pytest.importorskip("nbclient", reason="uv sync --group notebook installs what runs it")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NotebookNode]:
    """The folder that it ran in, and the notebook with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(FILE, as_version=4)  # type: ignore[no-untyped-call]  # half typed
    settings = {
        "MODEL_LAB_REPOSITORY": str(ROOT),
        "MODEL_LAB_EXTRAS": "quality",
        "MODEL_LAB_RECOGNIZERS": " ".join(RECOGNIZERS),
        "MODEL_LAB_SPEAKERS": " ".join(SPEAKERS),
        "UV_PYTHON": sys.executable,
        # A cloned project has an environment of its own, and not the one of these tests.
        "UV_PROJECT_ENVIRONMENT": str(folder / "environment"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIRTUAL_ENV", raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        client = NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    return folder, notebook


def test_it_is_kept_without_outputs() -> None:
    """What somebody's machine printed is no part of the project."""
    import nbformat

    notebook = nbformat.read(FILE, as_version=4)  # type: ignore[no-untyped-call]  # half typed
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_every_task_is_evaluated_and_kept(executed: tuple[Path, NotebookNode]) -> None:
    runs = sorted((executed[0] / "model-lab" / "runs").glob("*/scorecard.json"))
    cards = [scorecard.read(path) for path in runs if not path.parent.is_symlink()]
    assert [card.run.exit_status for card in cards] == [0, 0, 0]
    tasks = [{m.task for m in card.measurements} for card in cards]
    assert tasks == [{"smoke"}, {"asr", "latency", "tts", "chat"}, {"smoke", "latency"}]
    assert {m.name for m in cards[1].models} == {*RECOGNIZERS, *SPEAKERS}


def test_the_page_is_shown(executed: tuple[Path, NotebookNode]) -> None:
    (shown,) = [
        output.data["text/html"]
        for cell in executed[1].cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "display_data"
    ]
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html')
    assert "faster-whisper-micro" in shown


def test_the_devices_are_shown(executed: tuple[Path, NotebookNode]) -> None:
    last: Any = executed[1].cells[-1]
    said = "".join(output.text for output in last.outputs if output.output_type == "stream")
    (row,) = [line for line in said.splitlines() if line.startswith("| faster-whisper-micro | cpu")]
    assert "| 1.00 x |" in row
