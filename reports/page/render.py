"""What all pages share: the look, the script, the policy."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures.fetch.cache import cache_dir
from reports.text.safe_html import plain

_FOLDER = Path(__file__).parent / "templates"


def render(
    template: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    **values: Any,
) -> str:
    """A page from a template.

    styles, scripts: files beside style.css and page.js. All text is escaped, and whatever
    is not the page's own is to go through the filter `plain`.
    """
    import jinja2  # only pages need it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )
    environment.filters["plain"] = plain
    style = "".join(map(_read, ("style.css", *styles)))
    script = "".join(map(_read, ("page.js", *scripts)))
    text: str = environment.get_template(template).render(
        style=own(style),
        script=own(script),
        policy=policy(style, script),
        **values,
    )
    return text


def _compiled() -> Any:
    """Where compiled templates are kept from one process to the next; None where nothing can be.

    To compile those of a scorecard's page takes longer than all else about it.
    """
    from jinja2 import FileSystemBytecodeCache, bccache

    try:
        folder = cache_dir() / "templates"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # nowhere to write, or nobody's home
        return None

    class Kept(FileSystemBytecodeCache):
        def dump_bytecode(self, bucket: bccache.Bucket) -> None:
            with contextlib.suppress(OSError):  # a full disk, or one that is only read
                super().dump_bytecode(bucket)

    return Kept(str(folder))


def own(text: str) -> Any:
    """Text of our own, or escaped by us, that Jinja leaves as it is."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  # never text from outside


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy: our own script and style by their hashes, and no network.

    The charts' drawings have style attributes, which can load nothing here.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "style-src-attr 'unsafe-inline'",
            "img-src data:",
            "media-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
