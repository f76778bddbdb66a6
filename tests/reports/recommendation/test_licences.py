"""What licences demand, and that what nobody knows is never free."""

from __future__ import annotations

from typing import get_args

import pytest

from adapters.catalog.catalog import Catalog
from evals.gate.thresholds import Restriction
from reports.scorecard.licences import MEANING, flags, refusal, restrictions


@pytest.mark.parametrize(
    ("licence", "demands"),
    [
        ("MIT", set()),
        ("mit", set()),
        ("Apache-2.0 WITH LLVM-exception", set()),
        ("CC-BY-4.0", {"attribution"}),
        ("CC-BY-NC-4.0", {"non-commercial", "attribution"}),
        ("CC-BY-NC-SA-4.0", {"non-commercial", "copyleft", "attribution"}),
        ("GPL-3.0-or-later", {"copyleft"}),
        ("GPL-2.0-only", {"copyleft"}),
        ("GPL-2.0+", {"copyleft"}),
        ("LGPL-2.1-or-later", {"weak-copyleft"}),
        ("LicenseRef-LFM-Open-License-v1.0", {"revenue-limit", "attribution"}),
        ("proprietary", {"provider-terms"}),
        ("MIT AND CC-BY-NC-4.0", {"non-commercial", "attribution"}),
        ("MIT AND Our-Own", {"unknown"}),
        ("GPL-3.0-only OR MIT", set()),
        ("Our-Own OR GPL-3.0-only", {"copyleft"}),
        ("(MIT OR GPL-3.0-only) AND ISC", {"unknown"}),
        ("Our-Own", {"unknown"}),
        ("", {"unknown"}),
        (" ", {"unknown"}),
        (None, {"unknown"}),
    ],
)
def test_restrictions(licence: str | None, demands: set[str]) -> None:
    assert set(restrictions(licence)) == demands
    assert len(flags(licence)) == len(demands)


def test_every_restriction_has_words() -> None:
    assert set(MEANING) == set(get_args(Restriction))


@pytest.mark.parametrize(
    ("licence", "rejected", "refused"),
    [
        ("CC-BY-NC-4.0", ["non-commercial"], "licence CC-BY-NC-4.0: no commercial use"),
        ("CC-BY-4.0", ["non-commercial"], None),
        ("GPL-3.0-only", ["non-commercial", "copyleft"], "licence GPL-3.0-only: who hands"),
        ("Our-Own", ["copyleft"], "licence Our-Own is not known here"),
        (None, ["copyleft"], "no licence is named"),
        (None, [], None),
    ],
)
def test_refusal(licence: str | None, rejected: list[Restriction], refused: str | None) -> None:
    told = refusal(licence, rejected)
    assert (told or "").startswith(refused or "")
    assert (told is None) == (refused is None)


def test_the_catalogue_has_licences_that_are_known() -> None:
    for model in Catalog().models.values():
        # That of a Piper voice depends on its recordings, so that none is claimed.
        voice = model.checkpoint.startswith("rhasspy/piper-voices/")
        assert ("unknown" in restrictions(model.licence)) == voice, model.name
