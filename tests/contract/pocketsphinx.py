"""PocketSphinx with the model of its wheel and the grammar of the commands."""

from __future__ import annotations

from pathlib import Path

from adapters.catalog.catalog import Catalog
from fixtures.builtin import embedded
from tests.contract.subject import Made, Subject


def _make(folder: Path) -> Made:
    options = dict(Catalog().models["pocketsphinx-commands"].options)
    options["grammar"] = embedded.resolve(options["grammar"])
    return Made("builtin", options)


SUBJECTS = [
    Subject(
        name="pocketsphinx",
        engine="pocketsphinx",
        make=_make,
        tasks=("asr",),
        hears=True,
        setting=("grammar", "#JSGF V1.0;\ngrammar g;\npublic <g> = yes | no;\n"),
    )
]
