"""Writing `scorecard.html`: one file that needs no other, and no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixtures.dialogues import Dialogues
from reports import scorecard
from reports.page.errors import MOST, Errors, errors_of
from reports.page.expected import dialogues_of
from reports.page.plain import plain
from reports.page.sounds import DEFAULT_MB, Sounds
from reports.page.view import view_of
from reports.scorecard import Scorecard

FILE_NAME = "scorecard.html"
#: Bytes of errors without their sound: where texts are long, fewer of them are shown.
MOST_BYTES = 2_500_000
_FOLDER = Path(__file__).parent
#: What could end a script element, or a line of a script, is written as its code in JSON.
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def write_page(
    run: Path,
    *,
    audio: bool = False,
    audio_mb: float = DEFAULT_MB,
    output: Path | None = None,
    dialogues: Mapping[str, Dialogues] | None = None,
    seed: int = 0,
) -> Path:
    """Write the page of a run beside its scorecard.json, whole or not at all; its path.

    audio: put the sound of the errors shown into it, at most audio_mb MB. output: another place.
    dialogues: what the chat task's conversations expect, by the corpus's name; looked for where
    not given. seed: of the sample, where there are too many errors to show all.
    Raises ValueError where scorecard.json is missing or breaks its contract; OSError.
    """
    card = scorecard.read(run / scorecard.FILE_NAME)
    path = output or run / FILE_NAME
    text = render(card, run, audio=audio, audio_mb=audio_mb, dialogues=dialogues, seed=seed)
    scratch = path.with_name(f"{path.name}.tmp")
    scratch.write_text(text, encoding="utf-8", newline="\n")
    scratch.replace(path)
    return path


def render(
    card: Scorecard,
    run: Path,
    *,
    audio: bool = False,
    audio_mb: float = DEFAULT_MB,
    dialogues: Mapping[str, Dialogues] | None = None,
    seed: int = 0,
) -> str:
    """The page's HTML. run: the folder with the lines of the models; see `write_page`."""
    import jinja2  # only pages need it

    from reports import charts

    known = dialogues_of(card, run) if dialogues is None else dialogues
    errors = _fitting(card, run, known, seed)
    if audio:
        # The sample is known by now: no sound is read that is not shown.
        sounds = Sounds(run, audio_mb)
        errors = errors.with_sound(sounds)
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    drawn = [
        (name, chart(card))
        for name, chart in (
            ("panels", charts.panels),
            ("pareto", charts.pareto),
            ("slices", charts.slices),
            ("robustness", charts.robustness),
        )
    ]
    text: str = environment.get_template("page.html.jinja").render(
        view=view_of(card),
        errors=errors,
        charts=[one for one in drawn if one[1] is not None],
        data=_markup(embedded(errors.as_json())),
        style=_markup(style),
        script=_markup(script),
        policy=_policy(style, script),
    )
    return text


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPED)


def _fitting(card: Scorecard, run: Path, dialogues: Mapping[str, Dialogues], seed: int) -> Errors:
    """As many errors as there is room for."""
    errors = errors_of(card, run, seed=seed, dialogues=dialogues)
    most = MOST
    while (size := len(embedded(errors.as_json()).encode())) > MOST_BYTES and most > 1:
        most = max(1, min(most - 1, int(0.95 * errors.shown * MOST_BYTES / size)))
        errors = errors.fewer(most)
    return errors


def _policy(style: str, script: str) -> str:
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


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _markup(text: str) -> Any:
    """Text of our own, or escaped by us, that Jinja leaves as it is."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  # never text from outside
