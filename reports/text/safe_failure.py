"""What pytest shows of a failed test, with nothing in it that a terminal would obey."""

from __future__ import annotations

from typing import Any

from fixtures.safe_text import printable


def make_printable(report: Any) -> None:
    r"""Write what does not print as its escape, such as \x1b, in the failure and what was captured.

    report: a pytest.TestReport. Models, engines and corpora put what they like into errors.
    """
    report.longrepr = _cleaned(report.longrepr)
    report.sections = _cleaned(report.sections)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value, keep="\n\t")
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(item) for item in value)
    if type(value).__module__ == "_pytest._code.code":  # entries of a traceback
        for name, item in vars(value).items():
            setattr(value, name, _cleaned(item))
    return value
