"""What pages of several runs share with the page of one: the look, the script, the policy."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from reports.page.plain import plain

_FOLDER = Path(__file__).parent


def render(template: str, *, script: str | None = None, **values: Any) -> str:
    """A page from a template that extends runs.html.jinja.

    script: the file of a script of its own, beside page.js. All text is escaped, and whatever
    is not the page's own is to go through the filter `plain`.
    """
    import jinja2  # only pages need it
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    style = _read("style.css") + _read("runs.css")
    code = _read("page.js") + (_read(script) if script else "")
    text: str = environment.get_template(template).render(
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(code),  # noqa: S704  # our own file
        policy=policy(style, code),
        **values,
    )
    return text


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
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
