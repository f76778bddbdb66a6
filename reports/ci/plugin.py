"""What a session tells a CI system: annotations, a summary and a JUnit file that can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from _pytest.junitxml import xml_key

from evals.session.limits import THRESHOLDS
from reports.ci import junit
from reports.scorecard.scorecard import Scorecard
from reports.scorecard.task_record import Seen

#: GitHub Actions: a file of each step; what is appended is shown on the run's page.
SUMMARY = "GITHUB_STEP_SUMMARY"


def add_options(parser: pytest.Parser) -> None:
    """The options; called by the reporting plugin."""
    parser.getgroup("model-lab-ci", "Model Lab: continuous integration").addoption(
        "--github",
        action="store_true",
        help="end with annotations for GitHub Actions: an error for each broken limit, a warning "
        "for what is not decided or not measured",
    )


class Ci:
    """Listens beside the collector, which is to hear each report first, and publishes its card."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lines: list[str] = []
        self._trouble: str | None = None

    @property
    def _figures_in_tests(self) -> bool:
        return str(self._config.getini("junit_family")) != "xunit2"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Before the JUnit file's own plugin reads them.

        For good, since that plugin looks again at a report of a test that fails twice.
        """
        if self._config.stash.get(xml_key, None) is not None:
            rows = report.user_properties
            own = junit.readable if self._figures_in_tests else junit.without_figures
            report.user_properties = own(rows)

    def publish(
        self, card: Scorecard | None, path: Path | None, seen: Iterable[Seen], unrun: Sequence[str]
    ) -> None:
        """Tell of a session that is over; before the JUnit file is written.

        card, path: None where nothing was evaluated. unrun: what was asked for and did not run.
        """
        if card is None or path is None:
            self._publish_nothing(unrun)
            return
        tests = list(seen)
        if (xml := self._config.stash.get(xml_key, None)) is not None:
            figures = not self._figures_in_tests
            for name, value in junit.suite_properties(card, path, figures=figures):
                xml.add_global_property(name, value)
        thresholds = self._config.stash[THRESHOLDS]
        if self._config.getoption("github"):
            from reports.ci import github

            self._lines = github.annotations(card, thresholds, tests)
        if os.environ.get(SUMMARY):
            from reports.ci import markdown

            room = self._room(markdown.LIMIT)
            self._append(markdown.summary(card, thresholds, tests, limit=room))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Each annotation on a line of its own, as GitHub wants them."""
        if self._trouble is not None:
            terminalreporter.write_line(f"WARNING: {self._trouble}", yellow=True)
        terminalreporter.ensure_newline()
        for line in self._lines:
            terminalreporter.write_line(line)

    def _publish_nothing(self, unrun: Sequence[str]) -> None:
        if unrun and self._config.getoption("github"):
            from reports.ci import github

            self._lines = [github.command("error", "Model Lab", line) for line in unrun]
        if unrun and os.environ.get(SUMMARY):
            from reports.ci import markdown

            self._append(markdown.nothing_ran(unrun))

    def _room(self, limit: int) -> int:
        """The bytes that earlier commands of the step have left of the limit."""
        try:
            return max(0, limit - Path(os.environ[SUMMARY]).stat().st_size - 1)
        except OSError:
            return limit

    def _append(self, text: str) -> None:
        """Append to the summary. A file that cannot be written changes no verdict."""
        try:
            with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as file:
                file.write(("\n" if file.tell() else "") + text)
        except OSError as error:
            self._trouble = f"{SUMMARY}: {error.strerror or error}: no summary is written"
