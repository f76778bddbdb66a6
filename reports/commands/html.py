"""`python -m reports html RUN`: the page of a run, made anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fixtures.audio.paths import OPTION
from reports.page.errors.audio_clips import DEFAULT_MB, near
from reports.text.safe_terminal import by_lines


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `html` to the commands of `python -m reports`; its default `run` is below."""
    command = subparsers.add_parser("html", help="write the page of a run, scorecard.html")
    command.add_argument("folder", metavar="RUN", help="a run's folder, such as runs/latest")
    command.add_argument(
        "--audio", action="store_true", help="put the sound of the errors shown into the page"
    )
    command.add_argument(
        "--audio-mb",
        type=_megabytes,
        default=DEFAULT_MB,
        metavar="MB",
        help=f"at most this much sound (default: {DEFAULT_MB:g})",
    )
    command.add_argument(
        OPTION,
        action="append",
        default=[],
        dest="audio_roots",
        metavar="FOLDER",
        help="a folder whose sound may be put in, beside the run's, the cache's and the present "
        "one: a run says itself which files it heard, and it may be somebody else's",
    )
    command.add_argument(
        "-o", "--output", metavar="PATH", help="the file (default: scorecard.html in the run)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path; 1 where the scorecard cannot be read."""
    from reports.page.scorecard_page import write_page

    try:
        path = write_page(
            Path(arguments.folder),
            audio=arguments.audio,
            audio_mb=arguments.audio_mb,
            audio_roots=[*near(), *map(Path, arguments.audio_roots)],
            output=Path(arguments.output) if arguments.output else None,
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{by_lines(str(error))}\n")
        return 1
    sys.stdout.write(f"Page: {path}\n")
    return 0


def _megabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of MB above 0")
    return value
