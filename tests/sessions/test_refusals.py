"""What a session refuses before anything runs, since it would not do what was asked for."""

from __future__ import annotations

import pytest

from fixtures.dialogues.files import BUILTIN
from tests.support.sessions import ROOT

pytestmark = pytest.mark.slow

PLUGINS = [f"-p{name}.plugin" for name in ("adapters", "fixtures", "evals", "reports")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model=cascade", "-m=chat"], "--model cascade: options: asr: no model is called 'nobody'"),
        (["--corpus=assistant"], "assistant holds conversations.* add -m chat"),
        ([f"--corpus={BUILTIN['assistant']}", "-m=asr"], "assistant-manifest holds conversations"),
        ([f"--corpus={BUILTIN['assistant']}", "-m=asr or chat"], None),
        (["--corpus=assistant", "-m=chat"], None),
        (["--corpus=assistant", "-m=(tts or chat) and not real_e2e"], None),
        (["--corpus=assistant", "-m=asr and not chat"], "add -m chat"),
        (["--corpus=assistant", str(ROOT / "evals" / "test_chat.py")], None),
    ],
)  # fmt: skip
def test_what_would_be_left_out(
    pytester: pytest.Pytester, arguments: list[str], says: str | None
) -> None:
    catalog = pytester.path / "catalog.yaml"
    catalog.write_text(
        "schema_version: 1\n"
        "models:\n"
        "  cascade: {engine: cascade, tasks: [chat], options: {asr: nobody, tts: espeak}}\n"
    )
    config = pytester.parseconfig(
        *PLUGINS, f"--catalog={catalog}", f"--thresholds={ROOT / 'thresholds.yaml'}", *arguments
    )
    if says is None:
        config._do_configure()
        config._ensure_unconfigure()
        return
    with pytest.raises(pytest.UsageError, match=says):
        config._do_configure()
