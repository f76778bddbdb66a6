"""`python -m adapters`: what models there are, fetching them ahead, and converting weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from adapters.catalog import engine_table, packages
from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.engine import EngineRef, known_engines
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError
from adapters.interface import ModelError
from adapters.weights.convert import FORMS, convert

DOCS = Path(__file__).parents[1] / "docs" / "engines.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = command_line().parse_args(arguments)
    try:
        if options.command == "engines":
            return _engines(write=options.write)
        if options.command == "convert":
            return _convert(options.source, options.to, Path(options.out))
        catalog = Catalog([BUILTIN, *(Path(path) for path in options.catalog or ())])
        models = catalog.select(options.model or ["*"])
        commands = {"list": _list, "show": _show, "download": _download}
        return commands[options.command](models)
    except (ConfigError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1


def command_line() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    parser = argparse.ArgumentParser(prog="python -m adapters", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    meanings = {
        "list": "the models, what is installed and what is cached",
        "show": "all that the catalogue pins of a model",
        "download": "fetch a model's checkpoint into its engine's cache",
    }
    for name, meaning in meanings.items():
        command = commands.add_parser(name, help=meaning)
        some = "+" if name == "download" else "*"
        command.add_argument("model", nargs=some, help="a name, a glob or set:NAME")
        command.add_argument("--catalog", action="append", help="more models from a YAML file")
    engines = commands.add_parser("engines", help="what each engine does, as a Markdown table")
    engines.add_argument(
        "--write", action="store_true", help=f"into {DOCS.parent.name}/{DOCS.name}"
    )
    converting = commands.add_parser("convert", help="a Whisper of CTranslate2 for another library")
    converting.add_argument("source", help="its folder, or package:MODULE/PATH")
    converting.add_argument("--to", required=True, choices=[*FORMS], help="the other library")
    converting.add_argument("out", help="what is written: a .pt file, or a folder for transformers")
    return parser


def _list(models: Sequence[Model]) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "engine", "tasks", "tier", "licence"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "download"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("installed", "checkpoint"):
        table.add_column(heading, no_wrap=True)
    for model in models:
        adapter = model.engine.adapter()
        missing = model.engine.missing(model.resolved_options)
        weights = model.missing_weights()
        extra = adapter.extra if missing is not None else "pretrained"
        installed = missing is None and weights is None
        table.add_row(
            model.name,
            model.engine.name,
            " ".join(model.tasks),
            model.tier,
            model.licence or "?",
            _rounded(model.parameters),
            _to_fetch(model),
            "yes" if installed else f"no: extra {extra}" if extra else "no",
            _where(model, installed=installed),
        )
    # Piped, the width of a terminal means nothing: no cell is cut.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    return 0


def _rounded(number: int | None) -> str:
    if number is None:
        return "?"
    return f"{number / 1e6:,.1f} M" if number < 10e6 else f"{number / 1e6:,.0f} M"


def _to_fetch(model: Model) -> str:
    if model.shipped or model.is_provided:
        return "-"
    return f"{model.download_mb:,} MB" if model.download_mb else "?"


def _where(model: Model, *, installed: bool) -> str:
    if model.shipped:
        return "shipped"
    if model.needs_no_download:
        return "ready" if installed else "not installed"
    if model.engine.adapter().devices == ("remote",):
        return "remote"
    if Path(model.checkpoint).is_absolute():
        here = "provided" if model.is_provided else "local"
        return here if Path(model.checkpoint).exists() else "missing"
    cached = model.engine.adapter().cached(model.checkpoint, model.revision) if installed else None
    return {True: "cached", False: "to download", None: "unknown"}[cached]


def _show(models: Sequence[Model]) -> int:
    for model in models:
        entry = {
            "engine": model.engine.file or model.engine.name,
            "checkpoint": model.checkpoint,
            "sha256" if model.is_packaged else "revision": model.revision,
            "tasks": list(model.tasks),
            "tier": model.tier,
            "licence": model.licence,
            "parameters": model.parameters,
            "download_mb": model.download_mb,
            "options": dict(model.options),
        }
        print(yaml.safe_dump({model.name: entry}, sort_keys=False, allow_unicode=True), end="")
    return 0


def _download(models: Sequence[Model]) -> int:
    failures = 0
    for model in models:
        if model.shipped:
            print(f"{model.name}: nothing to download, its checkpoint is shipped")
            continue
        if model.needs_no_download:
            why = model.missing_weights() or model.engine.missing(model.resolved_options)
            if why is None:
                print(f"{model.name}: nothing to download, its checkpoint is installed")
            else:
                print(f"{model.name}: {why}", file=sys.stderr)
                failures += 1
            continue
        try:
            missing = model.engine.missing(model.resolved_options)
            if missing is not None:
                raise ModelError(_command(model))
            print(
                f"{model.name}: {model.checkpoint} ({model.download_mb or '?'} MB) ...", flush=True
            )
            print(f"{model.name}: {_fetch(model)}")
        except ModelError as error:
            print(f"{model.name}: {error}", file=sys.stderr)
            failures += 1
    return 1 if failures else 0


def _fetch(model: Model) -> str:
    return model.engine.adapter().download(model.checkpoint, model.revision)


def _command(model: Model) -> str:
    adapter = model.engine.adapter()
    python = f" --python {adapter.python}" if adapter.python else ""
    extra = f" --extra {adapter.extra}" if adapter.extra else ""
    return (
        f"its engine {model.engine.name!r} is not installed, and knows how to fetch it. Run: "
        f"uv run{python}{extra} python -m adapters download {model.name}"
    )


def _convert(source: str, form: str, out: Path) -> int:
    found = packages.resolve(source) if packages.is_packaged(source) else source
    convert(Path(found), form, out)
    engines = (name for name in known_engines() if EngineRef(name).adapter().whisper_form == form)
    print(f"{out}: written for {form}. Run it with --model {next(engines)}:{out}")
    return 0


def _engines(*, write: bool) -> int:
    if write:
        DOCS.write_text(engine_table.updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(engine_table.table(), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
