"""Writing `scorecard.html`: one file that needs no other, and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.measures.run_conditions import is_unfair
from evals.metrics import METRICS, metric_of
from evals.records.measurement import Measurement
from evals.records.metric import Metric
from evals.task import TASKS, title_of
from fixtures.dialogues.dialogues import Dialogues
from reports.page import render as frame
from reports.page.errors.audio_clips import DEFAULT_MB, Sounds
from reports.page.errors.errors import errors_of
from reports.page.errors.expected import dialogues_of
from reports.page.errors.wrong import MOST, Errors
from reports.page.figures import (
    Figures,
    answers,
    changes,
    is_named_by_part,
    notices,
    problems,
    unmeasured,
)
from reports.page.origins import Origins
from reports.scorecard import scorecard
from reports.scorecard.scorecard import Scorecard
from reports.text.findings.user_hearing import losses
from reports.text.formats import format_of

FILE_NAME = "scorecard.html"
_EXITS = {
    0: "every test passed",
    1: "a test failed",
    2: "interrupted",
    3: "an error inside pytest",
    4: "a usage error",
    5: "no test ran",
}
#: Bytes of errors without their sound: where texts are long, fewer of them are shown.
MOST_BYTES = 2_500_000
#: What could end a script element, or a line of a script, is written as its code in JSON.
_ESCAPED = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def write_page(
    run: Path,
    card: Scorecard | None = None,
    *,
    audio: bool = False,
    audio_mb: float = DEFAULT_MB,
    audio_roots: Sequence[Path] | None = None,
    output: Path | None = None,
    dialogues: Mapping[str, Dialogues] | None = None,
    seed: int = 0,
) -> Path:
    """Write the page of a run beside its scorecard.json, whole or not at all; its path.

    card: what is in scorecard.json, where that is known.
    audio: put the sound of the errors shown into it, at most audio_mb MB. audio_roots: the folders
    that it may be in beside the run's; None: anywhere, for a run of this session's own.
    output: another place.
    dialogues: what the chat task's conversations expect, by the corpus's name; looked for where
    not given. seed: of the sample, where there are too many errors to show all.
    Raises ValueError where scorecard.json is missing or breaks its contract; OSError.
    """
    card = card or scorecard.read(run / scorecard.FILE_NAME)
    path = output or run / FILE_NAME
    text = render(
        card,
        run,
        audio=audio,
        audio_mb=audio_mb,
        audio_roots=audio_roots,
        dialogues=dialogues,
        seed=seed,
    )
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
    audio_roots: Sequence[Path] | None = None,
    dialogues: Mapping[str, Dialogues] | None = None,
    seed: int = 0,
) -> str:
    """The page's HTML. run: the folder with the lines of the models; see `write_page`."""
    from reports.page import charts

    known = dialogues_of(card, run) if dialogues is None else dialogues
    errors = _fitting(card, run, known, seed)
    if audio:
        # The sample is known by now: no sound is read that is not shown.
        sounds = Sounds(run, audio_mb, audio_roots)
        errors = errors.with_sound(sounds)
    drawn = [
        (name, chart(card))
        for name, chart in (
            ("panels", charts.panels),
            ("pareto", charts.pareto),
            ("slices", charts.slices),
            ("conditions", charts.conditions),
        )
    ]
    return frame.render(
        "page.html.jinja",
        **_shown(card),
        errors=errors,
        charts=[one for one in drawn if one[1] is not None],
        data=frame.own(embedded(errors.as_json())),
    )


def _shown(card: Scorecard) -> dict[str, Any]:
    """What the template reads: the scorecard itself, what orders it and what writes it."""

    def metric(m: Measurement) -> Metric:
        return metric_of(m.metric, m.unit)

    return {
        "card": card,
        "f": Origins(card).write,
        "metric": metric,
        "form": lambda m: format_of(metric(m)),
        "METRICS": METRICS,
        "title_of": title_of,
        "is_unfair": is_unfair,
        "is_named_by_part": is_named_by_part,
        "exits": _EXITS,
        "losses": [*losses(card)],
        "of_turns": [task.name for task in TASKS.values() if task.corpus == "dialogues"],
        "grades": {g.model: g for g in card.grades},
        "figures": Figures(card),
        "answers": list(answers(card)),
        "notices": notices(card),
        "problems": problems(card),
        "capped": [(g, c) for g in card.grades for c in g.corpora if c.capped_by and c.grade],
        "prices": {(c.hardware, c.source): c for c in card.costs}.values(),
        "confusions": [errors for errors in card.word_errors if errors.rows],
        "baseline": card.baseline,
        "changes": list(changes(card)),
        "unmeasured": unmeasured(card),
    }


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
