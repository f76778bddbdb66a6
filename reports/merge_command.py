"""`python -m reports merge RUN RUN...`: the shards of a corpus, run apart, as one run."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from adapters.located_yaml import ConfigError
from evals import thresholds as thresholds_file
from evals.baseline import Baseline, BaselineError, find
from evals.run_dir import point_latest
from reports import cost, scorecard, terminal
from reports.as_text import by_lines
from reports.merge import NotMerged, merge
from reports.rescore import NotRescored, rescore


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `merge` to the commands of `python -m reports`."""
    command = subparsers.add_parser(
        "merge",
        help="put the runs of all shards of a corpus (pytest --shard I/N) together",
        description="Writes a new run with the predictions of all shards and scores it as one "
        "session would have. Shards of other models, options, code or corpora, and missing ones, "
        "are refused. Exit status: 0 where every limit is kept, 1 where one is broken or the runs "
        "do not belong together, 2 for wrong arguments.",
    )
    command.add_argument("folders", metavar="RUN", nargs="+", help="the folder of a shard's run")
    command.add_argument(
        "--runs-dir", metavar="PATH", default="runs", help="where the run goes (default: runs/)"
    )
    command.add_argument(
        "--thresholds",
        metavar="PATH",
        default=str(thresholds_file.DEFAULT),
        help="the limits to hold it to (default: thresholds.yaml)",
    )
    command.add_argument(
        "--gate",
        choices=("tier", "production", "off"),
        default="tier",
        help="as for pytest (default: tier)",
    )
    command.add_argument("--baseline", metavar="RUN|NAME", help="what to be no worse than")
    command.add_argument(
        "--prices",
        metavar="PATH",
        default=str(cost.DEFAULT),
        help="what hardware and APIs cost (default: reports/prices.yaml)",
    )
    command.add_argument("--hardware", metavar="NAME", help="the row of the prices")
    command.set_defaults(run=_merge)


def _merge(options: argparse.Namespace) -> int:
    try:
        limits = Path(options.thresholds)
        thresholds = thresholds_file.load(limits)
        baseline = Baseline(find(options.baseline)) if options.baseline else None
        prices = cost.load(Path(options.prices))
        prices.check(options.hardware)
        run = merge([Path(folder) for folder in options.folders], Path(options.runs_dir))
        try:
            card, broken = rescore(
                run,
                thresholds,
                limits,
                gate=options.gate,
                baseline=baseline,
                prices=prices,
                hardware=options.hardware,
            )
        except BaseException:
            shutil.rmtree(run, ignore_errors=True)  # without figures it would look like a pass
            raise
    except BaselineError as error:
        print(by_lines(f"--baseline: {error}"), file=sys.stderr)
        return 1
    except (NotMerged, NotRescored, ConfigError, ValueError, OSError) as error:
        print(by_lines(str(error)), file=sys.stderr)
        return 1
    provenance = card.provenance.model_copy(
        update={"thresholds_sha256": card.rescored.thresholds_sha256} if card.rescored else {}
    )
    card = card.model_copy(update={"rescored": None, "provenance": provenance})
    path = scorecard.write(card, run)
    point_latest(run)
    columns = shutil.get_terminal_size().columns
    shown = terminal.render(card, thresholds, path, width=columns, color=sys.stdout.isatty())
    print(shown, end="")
    _write_page(run)
    for text in (*broken, *card.run.problems):
        print(by_lines(text))
    return 1 if card.run.exit_status else 0


def _write_page(run: Path) -> None:
    from reports.page.page import write_page  # brings a template engine

    try:
        print(f"Page: {write_page(run)}")
    except Exception as error:  # as in a session, failing at it changes no verdict
        said = f"Page: could not be written ({type(error).__name__}: {error})"
        print(by_lines(said), file=sys.stderr)
