"""The option `language`: found out, each row's own, or always one."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.engines.shared.languages import fixed, language_for
from adapters.interface import Audio, ModelError

SILENCE = np.zeros(160, np.float32)


@pytest.mark.parametrize(
    ("option", "row", "told"),
    [
        (None, "de", None),
        ("auto", "de", None),
        ("en", "de", "en"),
        ("row", "de-AT", "de"),
        ("row", None, "en"),
    ],
)
def test_what_an_engine_is_told(option: str | None, row: str | None, told: str | None) -> None:
    assert language_for(option, Audio(SILENCE, 16_000, row), ["en", "de"]) == told
    assert fixed(option) == (option if option == "en" else None)


def test_a_language_that_the_model_does_not_have() -> None:
    with pytest.raises(ModelError, match=r"does not know the row's language, fr\. It knows: en"):
        language_for("row", Audio(SILENCE, 16_000, "fr"), ["en"])
    assert language_for("row", Audio(SILENCE, 16_000, "fr"), None) == "fr"
