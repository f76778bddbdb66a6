"""Rules for a corpus that nothing has are named, with the corpus that was meant."""

from __future__ import annotations

from pathlib import Path

from evals.gate.limit_files import LimitFiles
from evals.gate.thresholds import DEFAULT
from evals.gate.unheld import unheld


def test_a_mistyped_corpus_is_said_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    text = DEFAULT.read_text(encoding="utf-8").replace("voice-commands:", "voice-comands:", 1)
    file.write_text(f"{text}\ncorpora:\n  nobodys: {{normalizer: lower}}\n", encoding="utf-8")
    lines = file.read_text(encoding="utf-8").splitlines()
    first, second = unheld(LimitFiles(file), {"voice-commands", "mine"})
    number = lines.index("    voice-comands:") + 1
    assert first.startswith(
        f"{file}:{number}: models.faster-whisper-micro.voice-comands: no corpus"
    )
    assert first.endswith("(the nearest is voice-commands)")
    assert second.startswith(f"{file}:{len(lines)}: corpora.nobodys: no corpus of that name")


def test_what_is_there_is_not_named() -> None:
    assert unheld(LimitFiles(), {"voice-commands"}) == []
