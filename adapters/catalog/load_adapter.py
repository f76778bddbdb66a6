"""Importing an adapter class. Stands alone, because worker processes use it too."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from adapters.interface import Adapter, ModelError

#: What the names of modules of engine files begin with.
_NAME = "model_lab_engine:"

#: Where this package's own engines are.
ENGINES = Path(__file__).parents[1] / "engines"


#: The engine of a model whose answers exist already; nothing of it is ever loaded.
PREDICTIONS = "predictions"


def module_of(engine: str) -> str:
    """The module of an engine of this package.

    It is a file of `ENGINES` or of a folder there, or `adapter.py` in a folder of its name.
    """
    if engine == PREDICTIONS:
        return "adapters.provided.adapter"
    if (ENGINES / engine / "adapter.py").is_file():
        return f"adapters.engines.{engine}.adapter"
    folder = next((f"{file.parent.name}." for file in ENGINES.glob(f"*/{engine}.py")), "")
    return f"adapters.engines.{folder}{engine}"


def load_adapter(engine: str, file: str | None) -> type[Adapter]:
    """The class that the engine's module, or the given file, calls `ADAPTER`.

    Raises ModelError where the module cannot be imported or names no adapter.
    """
    try:
        module = importlib.import_module(module_of(engine)) if file is None else _from_file(file)
    except Exception as error:  # a person's file: whatever it raises is theirs to read
        raise ModelError(
            f"{file or engine}: cannot be imported: {type(error).__name__}: {error}"
        ) from error
    adapter = getattr(module, "ADAPTER", None)
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise ModelError(
            f"{file or engine}: ADAPTER must name a subclass of adapters.interface.Adapter"
        )
    return adapter


def engine_modules() -> dict[str, str]:
    """Path and SHA-256 of the engine files that were loaded from outside this package, and of every
    module that was loaded from their folders.

    A file is none of an engine's where an installed package holds it, which has a version.
    """
    engines = [name.removeprefix(_NAME) for name in sys.modules if name.startswith(_NAME)]
    folders = {os.path.realpath(Path(file).parent) + os.sep for file in engines}
    if not folders:
        return {}
    own = os.path.realpath(Path(__file__).parents[1]) + os.sep
    found = {}
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or "-packages" + os.sep in file:
            continue
        path = os.path.realpath(file)
        if path.startswith(own) or not path.startswith(tuple(folders)):
            continue
        try:
            found[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            continue  # loaded, and gone meanwhile
    return found


def _from_file(file: str) -> ModuleType:
    # The whole path in the name: two files of one name in two folders are two modules.
    name = f"{_NAME}{Path(file)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
