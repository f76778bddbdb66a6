"""A judge that fails on a sentence costs that sentence, until the run is resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from adapters.interface import Audio
from adapters.worker.results import Timed, WorkerError
from evals.judges.asr_judge import Judge
from evals.records.jsonl_reader import Lines, read_lines
from evals.records.jsonl_writer import LineFile
from evals.records.replied import Replied
from evals.records.spoken import Spoken
from evals.run.audio_files import hear_again
from tests.support import toy_engine
from tests.support.sessions import ROOT, card_of, check_rescored, row_of, run_toys

pytestmark = pytest.mark.slow

TEXTS = [f"light {n} in the {room}" for room in ("hall", "garden", "office") for n in "abcd"]
#: What the judge dies over, as long as there is a file `dies` beside it.
FATAL = "light b in the garden"

VOICE = """

class Voice(Adapter):
    def load(self, spec): ...
    def synthesize(self, text, voice=None):
        return Speech(Audio(samples_of(text).astype(np.float32) / 32768, RATE))


ADAPTER = Voice
"""
JUDGE = f"""

class Listener(Toy):
    def transcribe(self, audio):
        if text_of(audio) == {FATAL!r} and Path(__file__).with_name("dies").exists():
            os._exit(3)
        return super().transcribe(audio)


ADAPTER = Listener
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A voice that says what the toy engine hears, and a judge that dies over one sentence."""
    toy = Path(toy_engine.__file__).read_text(encoding="utf-8")
    toy = toy.replace("import Adapter, Audio,", "import Adapter, Audio, Speech,")
    (tmp_path / "voice.py").write_text(toy + VOICE, encoding="utf-8")
    (tmp_path / "judge.py").write_text(toy + JUDGE, encoding="utf-8")
    models = {
        "voice": {"engine": "voice.py", "tasks": ["tts"], "tier": "baseline"},
        "listener": {"engine": "judge.py", "tasks": ["asr"]},
    }
    catalog = yaml.safe_dump({"schema_version": 1, "models": models})
    (tmp_path / "catalog.yaml").write_text(catalog, encoding="utf-8")
    rows = [{"id": f"s{n}", "text": text} for n, text in enumerate(TEXTS)]
    sentences = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "manifest.jsonl").write_text(sentences, encoding="utf-8")
    return tmp_path


def test_a_crash_costs_its_sentence_and_is_asked_again_on_resume(folder: Path) -> None:
    (folder / "dies").touch()
    limits = yaml.safe_load((ROOT / "thresholds.yaml").read_text(encoding="utf-8"))
    limits["corpora"] = {"toy": {"normalizer": "lower"}}
    (folder / "limits.yaml").write_text(yaml.safe_dump(limits), encoding="utf-8")
    session = ("-m", "tts", "--model=voice", "--judge=listener", "--rated-clips=0")
    done = run_toys(folder, *session, f"--thresholds={folder / 'limits.yaml'}")
    assert "INTERNALERROR" not in done.stdout
    first = card_of(folder)
    wer = row_of(first, "voice", "wer", "tts")
    words = sum(len(text.split()) for text in TEXTS)
    assert wer["value"] == pytest.approx(len(FATAL.split()) / words)
    assert wer["n"] == len(TEXTS)
    assert "listener failed on 1 of 12: the worker ended with exit status 3" in wer["reason"]
    (run,) = (path for path in (folder / "runs").glob("20*") if path.is_dir())
    file = run / "voice" / "tts" / "toy.jsonl"
    (failed,) = [line for line in read_lines(file, Spoken) if line.unheard]
    assert failed.text == FATAL
    check_rescored(run, folder / "limits.yaml")

    (folder / "dies").unlink()
    again = run_toys(folder, f"--resume={run}")

    assert again.returncode == 0, again.stdout
    assert row_of(card_of(folder), "voice", "wer", "tts")["value"] == 0
    assert not any(line.unheard for line in read_lines(file, Spoken))
    assert Lines(file, Spoken).sessions == {1}  # the voice was not asked again
    assert "load" not in (run / "voice" / "worker.log").read_text(encoding="utf-8")
    figures = {m["metric"]: m["value"] for m in card_of(folder)["measurements"]}
    before = {m["metric"]: m["value"] for m in first["measurements"]}
    of_the_judge = ("wer", "wer_above_floor", "cer", "worst_slice_wer")
    assert {m: v for m, v in figures.items() if m not in of_the_judge} == {
        m: v for m, v in before.items() if m not in of_the_judge
    }


class Ear:
    """Hears how many samples there are; fails on some lengths."""

    alive = True

    def __init__(self, deaf: Sequence[int] = ()) -> None:
        self.deaf = deaf
        self.asked: list[int] = []

    def transcribe(self, audio: Audio) -> Timed[Any]:
        self.asked.append(len(audio.samples))
        if len(audio.samples) in self.deaf:
            raise WorkerError("crashed", "it died")
        from adapters.interface import Transcript

        return Timed(Transcript(f"{len(audio.samples)} samples"), 0.1)


def spoken(run: Path, lengths: Sequence[int]) -> list[Spoken]:
    lines: list[Spoken] = []
    for n in lengths:
        soundfile.write(run / f"{n}.wav", np.full(n, 0.1, np.float32), 16_000, subtype="FLOAT")
        lines.append(Spoken(f"s{n}", f"{n}", f"{n}.wav", n / 16_000, 16_000, 0.5, index=len(lines)))
    return lines


@pytest.mark.parametrize("kind", [Spoken, Replied])
def test_only_what_failed_is_asked_again_and_all_else_stays(tmp_path: Path, kind: Any) -> None:
    lines: list[Any] = spoken(tmp_path, [100, 200, 300])
    if kind is Replied:
        lines = [
            Replied(
                x.id, "d", n, "u", False, x.text, x.audio, x.audio_seconds, 16_000, 0.5, index=n
            )
            for n, x in enumerate(lines)
        ]
    lines[0] = replace(lines[0], heard={"one": "x", "two": "y"})
    lines[1] = replace(lines[1], heard={"two": "y"}, unheard={"one": "it died"})
    lines[2] = replace(lines[2], unheard={"one": "it died", "two": "it died"})
    path = tmp_path / "c.jsonl"
    with LineFile[Any](path, identity="i", session=1) as file:
        for line in lines:
            file.append(line)
    before = path.read_bytes().splitlines()
    ears = {"one": Ear(), "two": Ear(deaf=[300])}
    judges = [Judge(name, ear) for name, ear in ears.items()]  # type: ignore[arg-type]  # toys
    with LineFile[Any](path, identity="i", session=2) as file:
        hear_again(file, kind, lambda: judges, tmp_path)
        added = replace(lines[0], id="s400", index=3)
        file.append(added)
    assert (ears["one"].asked, ears["two"].asked) == ([200, 300], [300])
    found = read_lines(path, kind)
    assert found == [
        lines[0],
        replace(lines[1], heard={"one": "200 samples", "two": "y"}, unheard={}),
        replace(lines[2], heard={"one": "300 samples"}, unheard={"two": "it died"}),
        added,
    ]
    assert [*found[1].heard] == ["one", "two"]
    assert path.read_bytes().splitlines()[0] == before[0]
    assert Lines(path, kind).sessions == {1, 2}
    assert [x.name for x in tmp_path.iterdir() if x.suffix == ".new"] == []


def test_no_judge_is_loaded_where_none_failed(tmp_path: Path) -> None:
    def never() -> Sequence[Judge]:
        raise AssertionError("loaded")

    path = tmp_path / "c.jsonl"
    for session in (1, 2):
        with LineFile[Spoken](path, session=session) as file:
            hear_again(file, Spoken, never, tmp_path)
            for line in spoken(tmp_path, [100] if session == 1 else []):
                file.append(line)
    assert len(read_lines(path, Spoken)) == 1
