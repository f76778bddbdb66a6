"""Small files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapters.redaction import redact
from fixtures.safe_text import one_line, shown


def write_json(path: Path, content: Any) -> None:
    """Write JSON beside the file, and put it in its place when it is on the disk.

    The values of this process's secrets are struck from it.
    """
    text = redact(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def why_not(path: Path, error: Exception) -> str:
    """Why a file is not what it should be, in a line, whatever stands in it.

    error: of the operating system, or of pydantic.
    """
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        return one_line(f"{path}: {where[:300]}: {first['msg'].removeprefix('Value error, ')}")
    return one_line(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")


def as_folder(name: str) -> str:
    """A name of a model, task or corpus from a file: a folder's. Raises ValueError for others.

    They come from whoever made the run, and are put into paths.
    """
    if name in ("", ".", "..") or any(c in "/\\" or not c.isprintable() for c in name):
        raise ValueError(f"{shown(name)} is no name of a folder")
    return name


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is none. Raises ValueError naming the file."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(why_not(path, error)) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(one_line(f"{path}: not JSON: {error}")) from None
    if not isinstance(content, dict):
        raise ValueError(one_line(f"{path}: a JSON object is expected"))
    return content
