"""`checkpoint: package:MODULE/PATH`: found without an import, held to its SHA-256, or named as missing."""

from __future__ import annotations

import hashlib
import shutil
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.__main__ import main
from adapters.catalog import packages
from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from adapters.engines.cascade.adapter import Cascade
from adapters.interface import LoadSpec, ModelError
from evals.models.loaded import Settings, content_sha256, load_spec
from reports.scorecard.independence import _name
from reports.scorecard.licences import flags
from reports.scorecard.scorecard import ModelRecord

pytestmark = pytest.mark.slow


PACKAGE = "weights_of_a_test"
FOLDER = f"package:{PACKAGE}/model"
FILE = f"package:{PACKAGE}/model/weights.bin"
CONTENT = b"weights"
HASH = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"others").hexdigest()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path with a package that fails where it is imported."""
    model = tmp_path / "site" / PACKAGE / "model"
    model.mkdir(parents=True)
    (model / "weights.bin").write_bytes(CONTENT)
    (model / "config.json").write_text("{}")
    (model.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield tmp_path / "site"
    assert PACKAGE not in sys.modules


def catalog(folder: Path, **models: str) -> Catalog:
    """The shipped catalogue and one with the entries given, in YAML."""
    entries = "".join(f"  {name}: {{{entry}}}\n" for name, entry in models.items())
    file = folder / "catalog.yaml"
    file.write_text(f"schema_version: 1\nmodels:\n{entries}", encoding="utf-8")
    return Catalog([BUILTIN, file])


def entry(checkpoint: str = FILE, sha256: str = HASH, engine: str = "faster_whisper") -> str:
    return f"engine: {engine}, tasks: [asr], checkpoint: '{checkpoint}', sha256: '{sha256}'"


def loads(model: Model, python: Path | None = None) -> str:
    return load_spec(model, "cpu", Settings(), python).checkpoint


def test_file_and_folder_are_found_and_checked(installed: Path, tmp_path: Path) -> None:
    folder = installed / PACKAGE / "model"
    whole = content_sha256(folder)
    assert whole is not None
    models = catalog(tmp_path, file=entry(), all=entry(FOLDER, whole.upper())).models
    assert loads(models["file"]) == str(folder / "weights.bin")
    assert loads(models["all"]) == str(folder)
    assert models["file"].missing_weights() is None


def test_other_content_is_refused_with_both_hashes(installed: Path, tmp_path: Path) -> None:
    model = catalog(tmp_path, m=entry()).models["m"]
    (installed / PACKAGE / "model" / "weights.bin").write_bytes(b"others")
    with pytest.raises(ModelError) as caught:
        loads(model)
    assert OTHER in str(caught.value)
    assert HASH in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["another file", "a name", "a byte"])
def test_folder_is_held_to_all_that_is_in_it(installed: Path, change: str) -> None:
    folder = installed / PACKAGE / "model"
    known = packages.files_sha256(folder)
    match change:
        case "another file":
            (folder / "more.json").write_text("{}")
        case "a name":
            (folder / "config.json").rename(folder / "config.txt")
        case "a byte":
            (folder / "config.json").write_text("[]")
    with pytest.raises(ModelError, match=known):
        packages.resolve(FOLDER, known)


def test_package_that_is_not_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named as missing with the command, by the list as by a load; optional where a glob met it."""
    models = catalog(tmp_path, absent=entry("package:surely_not_there/model")).models
    command = "uv sync --inexact --extra pretrained"
    missing = models["absent"].missing_weights()
    assert missing is not None
    assert command in missing
    assert "surely_not_there" in missing
    with pytest.raises(ModelError, match=command):
        loads(models["absent"])
    file = str(tmp_path / "catalog.yaml")
    assert main(["list", "absent", "--catalog", file]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.endswith("not installed")
    assert main(["download", "absent", "--catalog", file]) == 1
    assert command in capsys.readouterr().err


def test_list_shows_what_is_ready(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog(tmp_path, here=entry(engine="cascade").replace("asr", "chat"))
    file = str(tmp_path / "catalog.yaml")
    assert main(["list", "here", "--catalog", file]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["yes", "ready"]
    assert main(["download", "here", "--catalog", file]) == 0
    assert "nothing to download" in capsys.readouterr().out
    assert main(["show", "here", "--catalog", file]) == 0
    assert f"sha256: {HASH}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "checkpoint",
    [
        "package:weights_of_a_test",
        "package:weights_of_a_test/",
        "package:/model",
        "package:weights.of/model",
        "package:1st/model",
        "package:weights_of_a_test/../secret",
        "package:weights_of_a_test/model/../../secret",
        "package:weights_of_a_test//etc/passwd",
        "package:weights_of_a_test/C:/x",
        "package:weights_of_a_test/..\\\\secret",
        "package:weights_of_a_test/./model",
    ],
)
def test_wrong_names_and_paths_that_lead_outside(
    installed: Path, tmp_path: Path, checkpoint: str
) -> None:
    (installed / "secret").write_bytes(CONTENT)
    with pytest.raises(ConfigError, match=r"models\.m: checkpoint"):
        catalog(tmp_path, m=entry(checkpoint))
    with pytest.raises(ModelError, match="checkpoint"):
        packages.resolve(checkpoint)
    with pytest.raises(ConfigError, match="--model faster_whisper:package"):
        Catalog().select([f"faster_whisper:{checkpoint}"])


def test_path_that_the_package_does_not_have(installed: Path) -> None:
    with pytest.raises(ModelError, match=r"has no 'model/none\.bin'"):
        packages.resolve(f"package:{PACKAGE}/model/none.bin")


def test_namespace_of_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("one", "a.bin"), ("two", "b.bin")):
        (tmp_path / name / "spread_out").mkdir(parents=True)
        (tmp_path / name / "spread_out" / file).write_bytes(CONTENT)
        monkeypatch.syspath_prepend(tmp_path / name)
    for name, file in (("one", "a.bin"), ("two", "b.bin")):
        found = packages.resolve(f"package:spread_out/{file}", HASH)
        assert found == str(tmp_path / name / "spread_out" / file)


def test_module_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "just_a_file.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="not a package"):
        packages.resolve("package:just_a_file/model")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (f"checkpoint: '{FILE}'", "sha256: 64 hexadecimal digits"),
        (f"checkpoint: '{FILE}', sha256: abc", "sha256: 64 hexadecimal digits"),
        (f"checkpoint: '{FILE}', sha256: '{HASH}', revision: abc", "revision"),
        (f"checkpoint: some/model, sha256: '{HASH}'", "only checkpoints inside a package"),
        (f"sha256: '{HASH}'", "only checkpoints inside a package"),
    ],
)
def test_keys_that_do_not_go_together(tmp_path: Path, keys: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        catalog(tmp_path, m=f"engine: faster_whisper, tasks: [asr], {keys}")
    assert "models.m" in str(caught.value)


def test_one_that_the_command_line_names_has_no_hash(installed: Path) -> None:
    (model,) = Catalog().select([f"faster_whisper:{FOLDER}"])
    assert loads(model) == str(installed / PACKAGE / "model")


def test_it_is_found_in_the_environment_of_the_model(installed: Path, tmp_path: Path) -> None:
    """The environment's own package comes first; the harness's is where it has none."""
    model = catalog(tmp_path, m=entry()).models["m"]
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    (theirs,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (theirs / PACKAGE / "model").mkdir(parents=True)
    (theirs / PACKAGE / "model" / "weights.bin").write_bytes(CONTENT)
    (theirs / PACKAGE / "__init__.py").write_text("raise RuntimeError('imported')")
    assert loads(model, python).startswith(str(theirs))
    shutil.rmtree(theirs / PACKAGE)
    assert loads(model, python).startswith(str(installed))


def test_a_part_of_a_cascade_is_found_and_checked(installed: Path, tmp_path: Path) -> None:
    models = catalog(
        tmp_path,
        ears=entry(),
        whole="engine: cascade, tasks: [chat], options: {asr: ears}",
        deaf="engine: cascade, tasks: [chat], options: {asr: 'faster_whisper:package:not_there/x'}",
    ).models
    file = installed / PACKAGE / "model" / "weights.bin"
    spec = load_spec(models["whole"], "cpu", Settings())
    assert spec.options["asr"]["checkpoint"] == str(file)
    missing = models["deaf"].missing()
    assert missing is not None
    assert "not_there" in missing
    file.write_bytes(b"others")
    with pytest.raises(ModelError, match=OTHER):
        load_spec(models["whole"], "cpu", Settings())
    with pytest.raises(ModelError, match="has not been unpacked"):
        Cascade().load(LoadSpec("builtin", options=models["whole"].resolved_options))


def test_one_package_is_one_checkpoint(installed: Path) -> None:
    """What two files of it are called does not make two packages one model."""
    names = {_name(ModelRecord.model_construct(checkpoint=c, engine="e")) for c in (FILE, FOLDER)}
    assert len(names) == 2


def test_pretrained_models_are_a_set_and_no_default() -> None:
    shipped = Catalog()
    chosen = shipped.select(["set:pretrained"])
    assert {task for model in chosen for task in model.tasks} == {"asr", "tts", "chat"}
    assert all(model.needs_no_download for model in chosen)
    assert not any(model.shipped or model.required for model in chosen)
    assert not any(model.default for model in chosen)


def test_an_assistant_is_shipped_where_all_its_parts_are() -> None:
    models = Catalog().models
    assert models["assistant-micro"].shipped
    tiny = models["assistant-tiny"]
    assert {c.partition(":")[0] for c in tiny.checkpoints} == {"builtin", "package"}
    assert not tiny.shipped  # so that its tests are marked real_e2e
    (far,) = Catalog().select(
        ["assistant-micro:{asr: 'faster_whisper:Systran/faster-whisper-tiny'}"]
    )
    assert not far.needs_no_download


@pytest.mark.parametrize(
    ("options", "licence"),
    [
        ("{asr: packaged-faster-whisper-tiny.en, tts: piper-joe}", "MIT AND GPL-3.0-or-later"),
        ("{asr: whisper-tiny, tts: vits-ljs}", "MIT"),
        ("{asr: whisper-tiny, tts: none}", "MIT"),
        ("{asr: whisper-tiny, tts: 'piper:voice.onnx'}", None),
        ("{asr: none, tts: none}", None),
    ],
)
def test_the_licence_of_an_assistant_is_that_of_its_parts(
    tmp_path: Path, options: str, licence: str | None
) -> None:
    file = tmp_path / "models.yaml"
    entry = f"{{engine: cascade, tasks: [chat], options: {options}}}"
    file.write_text(f"schema_version: 1\nmodels: {{mine: {entry}}}\n", encoding="utf-8")
    model = Catalog([BUILTIN, file]).models["mine"]
    assert model.licence == licence
    assert ("licence not known" in flags(licence)) == (licence is None)
