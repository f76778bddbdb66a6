"""`python -m adapters`: what a person reads and what a download does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from adapters.__main__ import DOCS, main
from adapters.catalog import engine_table
from adapters.catalog.catalog import Catalog
from adapters.catalog.engine import known_engines

pytestmark = pytest.mark.slow

ENGINE = """
from pathlib import Path
from adapters.interface import Adapter, ModelError, Transcript
class Engine(Adapter):
    {declares}
    def load(self, spec): ...
    def transcribe(self, audio): return Transcript("")
    @classmethod
    def cached(cls, checkpoint, revision): return revision == "here"
    @classmethod
    def download(cls, checkpoint, revision):
        if checkpoint == "gone": raise ModelError("the hub has no 'gone'")
        return f"/cache/{{checkpoint}}@{{revision}}"
ADAPTER = Engine
"""


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    (tmp_path / "engine.py").write_text(ENGINE.format(declares="devices = ('cpu',)"))
    (tmp_path / "absent.py").write_text(
        ENGINE.format(declares="modules = ('no_such_module',); extra = 'lfm'; python = '3.12'")
    )
    (tmp_path / "catalog.yaml").write_text(
        "schema_version: 1\nmodels:\n"
        "  here: {engine: engine.py, checkpoint: a/b, revision: here, tasks: [asr],"
        " licence: MIT, parameters: 39_000_000, download_mb: 1500}\n"
        "  away: {engine: engine.py, checkpoint: a/b, revision: away, tasks: [asr]}\n"
        "  gone: {engine: engine.py, checkpoint: gone, tasks: [asr]}\n"
        "  missing: {engine: engine.py, checkpoint: ./nowhere, tasks: [asr]}\n"
        "  absent: {engine: absent.py, checkpoint: a/b, tasks: [asr]}\n"
    )
    return str(tmp_path / "catalog.yaml")


def _row(out: str, model: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [model]]
    return line.split()


def test_list_says_what_is_there(catalog: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--catalog", catalog]) == 0
    out = capsys.readouterr().out
    assert _row(out, "here")[4:] == ["MIT", "39", "M", "1,500", "MB", "yes", "cached"]
    assert _row(out, "away")[-3:] == ["yes", "to", "download"]
    assert _row(out, "missing")[-1] == "missing"
    assert _row(out, "absent")[-4:] == ["no:", "extra", "lfm", "unknown"]
    assert _row(out, "espeak")[-1] == "shipped"
    for name in Catalog().models:
        assert _row(out, name)


def test_list_of_a_glob(catalog: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "he*", "--catalog", catalog]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_show_pins_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "faster-whisper-micro"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)["faster-whisper-micro"]
    assert shown["options"] == dict(Catalog().models["faster-whisper-micro"].options)
    assert shown["options"]["beam_size"] == 1


def test_download(catalog: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each model gets its answer; one that fails does not keep the others from theirs."""
    assert main(["download", "gone", "absent", "espeak", "away", "--catalog", catalog]) == 1
    said = capsys.readouterr()
    assert "away: /cache/a/b@away" in said.out
    assert "espeak: nothing to download" in said.out
    assert "gone: the hub has no 'gone'" in said.err
    command = "uv run --python 3.12 --extra lfm python -m adapters download absent"
    assert command in said.err
    assert main(["download", "away", "--catalog", catalog]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "wisper"], "no model of that name"),
        (["list", "--catalog", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["list", "@no-set"], "no such set"),
    ],
)
def test_mistakes(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


def test_table_in_the_docs_is_the_adapters_own() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert engine_table.updated(page) == page, "run: uv run python -m adapters engines --write"
    for engine in known_engines():
        assert f"| `{engine}` |" in page


def test_table_needs_its_marks() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        engine_table.updated("a page without them")
