"""A server with OpenAI's API from the command line: its model by NAME@URL, and one line a cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.catalog.catalog import Catalog
from adapters.catalog.yaml_file import ConfigError
from tests.support.openai_server import OpenAIServer
from tests.support.sessions import TEXTS, card_of, prepare, row_of, run_toys


def test_a_name_at_an_address_is_a_model_without_a_key() -> None:
    (model,) = Catalog().select(["openai_api:hears@http://127.0.0.1:8000/v1"])
    assert model.checkpoint == "hears"
    assert model.options["base_url"] == "http://127.0.0.1:8000/v1"
    assert model.options["api_key_env"] is None  # a key for OpenAI is nobody else's business
    (keyed,) = Catalog().select(["openai_api:hears@https://host/v1:{api_key_env: THEIR_KEY}"])
    assert keyed.options["api_key_env"] == "THEIR_KEY"
    assert keyed.options["base_url"] == "https://host/v1"


@pytest.mark.parametrize("address", ["http://user:pw@host/v1", "http://host/v1?key=x", "http://"])
def test_an_address_that_must_not_be_recorded_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        Catalog().select([f"openai_api:hears@{address}"])


@pytest.mark.slow
@pytest.mark.engine
def test_a_server_is_judged_end_to_end(tmp_path: Path) -> None:
    folder = prepare(tmp_path)
    with OpenAIServer() as server:
        done = run_toys(
            folder, "-m", "asr and not latency", f"--model=openai_api:toy@{server.base_url}"
        )
    (model,) = card_of(folder)["models"]
    assert row_of(card_of(folder), model["name"], "wer")["value"] == 0, done.stdout
    assert row_of(card_of(folder), model["name"], "wer")["n"] == len(TEXTS)


@pytest.mark.slow
@pytest.mark.engine
def test_a_server_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    """Below the errors of the tests, whose texts are pytest's: one cause, one line."""
    folder = prepare(tmp_path)
    names = [f"openai_api:{name}@http://127.0.0.1:9/v1:{{retries: 0}}" for name in ("one", "two")]
    done = run_toys(folder, "-m", "asr", *(f"--model={name}" for name in names))
    assert done.returncode == 1
    # pytest's own summary has the whole errors where the variable CI is set.
    told, *_ = " ".join(done.stdout.split()).partition(" short test summary info ")
    errors, _, ours = told.partition("= Model Lab =")
    assert ours.count("connection refused: is the server running?") == 1
    assert errors.count("connection refused") == 2 * len(names)  # each test of each model
    assert "During handling" not in errors
