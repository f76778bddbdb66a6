"""The HTTP API's client, against a server of the tests' own."""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path

from tests.contract.subject import Made, Subject
from tests.support.openai_server import OpenAIServer

VARIABLE = "MODEL_LAB_CONTRACT_KEY"


@cache
def _server() -> OpenAIServer:
    """One for the session: its thread ends with the process."""
    server = OpenAIServer(key=secrets.token_hex(20)).start()
    os.environ[VARIABLE] = server.key or ""
    return server


def _make(folder: Path) -> Made:
    return Made("toy", {"base_url": _server().base_url, "api_key_env": VARIABLE})


# One for all tasks, since the library takes seconds to import: tests/adapters/engines/openai_api has the
# settings of speech and conversation.
SUBJECTS = [
    Subject(
        name="openai_api",
        engine="openai_api",
        make=_make,
        tasks=("asr", "tts", "chat"),
        options={"modality": "audio"},
        setting=("prompt", "Lights:"),
    )
]
