"""References that several models contradict in the same way are listed, and no others."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.gate import thresholds
from evals.records.measurement import Measurement
from evals.records.predictions import Prediction
from evals.tasks.asr.scores import accuracy
from reports.build.suspicious_references import MOST, suspicious_references
from reports.ci.markdown import summary
from reports.page.scorecard_page import render
from reports.scorecard import scorecard
from reports.scorecard.independence import checkpoints
from reports.scorecard.scorecard import ModelRecord, SuspiciousReferences
from tests.support.sessions import ROOT, SELECT, card_of, check_rescored, run_toys, write_toys
from tests.support.toy_engine import toy_corpus
from tests.support.written_runs import CORPUS, model_record, row, write_lines

pytestmark = pytest.mark.slow

ROOMS = ("kitchen", "garden", "office", "hall", "cellar")
TEXTS = [f"turn on light {letter} in the {room} please" for room in ROOMS for letter in "abcdefgh"]
#: The place of the utterance whose reference is not what was said.
PLACE = 17
OTHER = "play some music that everybody in this house likes"


def wrong_words(text: str, *, seed: int, share: float) -> str:
    """A text of which a share of the words is heard as words of nobody else's."""
    chance = random.Random(f"{seed} {text}")
    return " ".join(f"{w}{seed}x" if chance.random() < share else w for w in text.split())


def heard(
    *, seed: int, share: float = 0.05, special: str | None = None, reference: str | None = None
) -> list[Prediction]:
    """What a model hears of TEXTS. special: at PLACE; reference: of PLACE."""
    rows = []
    for place, text in enumerate(TEXTS):
        said = reference if place == PLACE and reference is not None else text
        hypothesis = wrong_words(text, seed=seed, share=share)
        if place == PLACE and special is not None:
            hypothesis = special
        rows.append(Prediction(f"u{place}", said, hypothesis, 1.0, 0.1))
    return rows


def look(
    folder: Path,
    models: Mapping[str, Sequence[Prediction]],
    *,
    normalizer: str = "none",
    **records: Mapping[str, Any],
) -> list[SuspiciousReferences]:
    """What is found in a run of these models. records: of a model, what its record says.

    Each has a checkpoint of its own, unless its record says another.
    """
    rows = []
    for model, predictions in models.items():
        figures = accuracy(predictions, normalizer)
        for metric, figure in figures.items():
            of = row(model, metric, figure.value, n=figure.n, normalizer=normalizer)
            rows.append(Measurement(**of))
        write_lines(folder / model / "asr" / f"{CORPUS}.jsonl", predictions)
    known = [
        ModelRecord(
            **model_record(
                name,
                **{
                    "checkpoint": f"some/{name}",
                    "checkpoint_sha256": None,
                    **records.get(name, {}),
                },
            )
        )
        for name in models
    ]
    return suspicious_references(folder, known, rows)


def ids(found: Sequence[SuspiciousReferences]) -> list[str]:
    return [one.id for corpus in found for one in corpus.rows]


def test_the_row_with_a_wrong_reference_is_listed_and_no_other(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        {name: heard(seed=seed, reference=OTHER) for seed, name in enumerate(("one", "two"))},
    )
    assert ids(found) == [f"u{PLACE}"]
    [corpus] = found
    assert (corpus.corpus, corpus.total, corpus.models) == (CORPUS, 1, ["one", "two"])
    [one] = corpus.rows
    assert one.reference == OTHER
    assert [h.model for h in one.heard] == ["one", "two"]
    assert all(h.hypothesis.startswith("turn") and h.errors >= 8 for h in one.heard)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.15, 0.24])
@pytest.mark.parametrize("seed", range(5))
def test_an_ordinary_corpus_has_none(tmp_path: Path, share: float, seed: int) -> None:
    models = {
        name: heard(seed=10 * seed + number, share=share)
        for number, name in enumerate(("one", "two", "three"))
    }
    assert look(tmp_path, models) == []


SAID = TEXTS[PLACE]
AGREED = "call the fire station at once"


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("shut off a fight within a pigeon", "burn all my diet under that smidgen", "hard to hear"),
        (SAID, AGREED, "one of them hears the reference"),
        (SAID.replace("please", "now"), AGREED, "one of them nearly hears it"),
        ("", "", "neither hears anything"),
        ("the", "the", "one word is no sentence"),
        ("thanks for watching", "thanks for watching", "a phrase out of subtitles"),
        ("go on " * 9, "go on " * 9, "a loop"),
        (SAID.replace("garden", "kitchen"), SAID.replace("garden", "kitchen"), "a word alone"),
    ],
)
def test_what_is_no_agreement_on_another_sentence(
    tmp_path: Path, first: str, second: str, why: str
) -> None:
    models = {"one": heard(seed=1, special=first), "two": heard(seed=2, special=second)}
    assert look(tmp_path, models) == [], why


def test_models_that_nearly_agree_on_another_sentence_agree(tmp_path: Path) -> None:
    models = {
        "one": heard(seed=1, special=AGREED),
        "two": heard(seed=2, special=AGREED.replace("at once", "now")),
    }
    assert ids(look(tmp_path, models)) == [f"u{PLACE}"]


def test_names_that_are_spelled_otherwise_are_no_other_sentence(tmp_path: Path) -> None:
    def of(name: str, seed: int) -> list[Prediction]:
        return heard(
            seed=seed, special=f"call {name} please", reference="call siobhan reilly please"
        )

    assert look(tmp_path, {"one": of("shivon riley", 1), "two": of("shivon riley", 2)}) == []


def test_a_model_that_is_not_good_has_no_say(tmp_path: Path) -> None:
    good = {"one": heard(seed=1, special=AGREED), "two": heard(seed=2, special=AGREED)}
    poor = heard(seed=3, share=0.6, special=SAID)
    assert ids(look(tmp_path / "three", {**good, "poor": poor})) == [f"u{PLACE}"]
    poor = heard(seed=3, share=0.6, special=AGREED)
    assert look(tmp_path / "two", {"one": good["one"], "poor": poor}) == []


def test_one_bad_utterance_makes_no_model_poor(tmp_path: Path) -> None:
    """A corpus of three: with the wrong reference each model has a WER of more than 40 %."""
    rows = [Prediction(f"u{n}", text, text, 1.0, 0.1) for n, text in enumerate(TEXTS[:2])]
    rows.append(Prediction("u2", OTHER, TEXTS[2], 1.0, 0.1))
    assert ids(look(tmp_path, {"one": rows, "two": rows})) == ["u2"]


def test_a_majority_of_the_checkpoints_has_to_agree(tmp_path: Path) -> None:
    agreeing = [heard(seed=n, special=AGREED) for n in range(3)]
    others = [heard(seed=9, special="shut off a fight within"), heard(seed=8, special="oh dear me")]
    three = {"a": agreeing[0], "b": agreeing[1], "x": others[0]}
    assert ids(look(tmp_path / "three", three)) == [f"u{PLACE}"]
    four = {"a": agreeing[0], "b": agreeing[1], "x": others[0], "y": others[1]}
    assert look(tmp_path / "four", four) == []


SAME = {
    "one setting beside another": (
        {"checkpoint": "a/b", "options": {"beam_size": 1}},
        {"checkpoint": "a/b", "options": {"beam_size": 5}},
    ),
    "one engine's package": (
        {"checkpoint": "builtin", "engine": "pocketsphinx"},
        {"checkpoint": "builtin", "engine": "pocketsphinx"},
    ),
    "copies of a file": (
        {"checkpoint": "/models/a", "checkpoint_sha256": "e" * 64},
        {"checkpoint": "/models/b", "checkpoint_sha256": "e" * 64},
    ),
    "the repo's own in two formats": (
        {"checkpoint": "embedded:micro-whisper/openai", "engine": "openai_whisper"},
        {"checkpoint": "embedded:micro-whisper/ctranslate2", "engine": "faster_whisper"},
    ),
    "one Whisper in two engines": (
        {"checkpoint": "openai/whisper-tiny.en", "engine": "transformers_asr"},
        {"checkpoint": "Systran/faster-whisper-tiny.en", "engine": "faster_whisper"},
    ),
    "one Whisper as a file": (
        {"checkpoint": "tiny.en", "engine": "openai_whisper"},
        {"checkpoint": "/models/tiny.en/ct2-int8", "engine": "faster_whisper"},
    ),
}


@pytest.mark.parametrize("records", SAME.values(), ids=SAME)
def test_one_checkpoint_is_one_witness(
    tmp_path: Path, records: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> None:
    models = {"one": heard(seed=1, special=AGREED), "two": heard(seed=2, special=AGREED)}
    one, two = records
    assert look(tmp_path, models, one=one, two=two) == []
    three = {**models, "three": heard(seed=3, special=AGREED)}
    assert ids(look(tmp_path / "three", three, one=one, two=two)) == [f"u{PLACE}"]


def test_sizes_and_engines_are_apart() -> None:
    names = ["tiny", "tiny.en", "base", "openai/whisper-large-v3", "distil-whisper/distil-large-v3",
             "builtin", "embedded:micro-whisper/openai", "UsefulSensors/moonshine-base"]  # fmt: skip
    records = [
        ModelRecord(**model_record(f"m{n}", checkpoint=name, checkpoint_sha256=None))
        for n, name in enumerate(names)
    ]
    assert len(set(checkpoints(records).values())) == len(names)


def test_lines_of_other_utterances_or_none_are_left_out(tmp_path: Path) -> None:
    models = {name: heard(seed=n, reference=OTHER) for n, name in enumerate(("one", "two"))}
    path = tmp_path / "two" / "asr" / f"{CORPUS}.jsonl"
    rows = [
        Measurement(**row(name, metric, figure.value, n=figure.n, normalizer="none"))
        for name, predictions in models.items()
        for metric, figure in accuracy(predictions, "none").items()
    ]
    known = [ModelRecord(**model_record(n, checkpoint=n, checkpoint_sha256=None)) for n in models]
    write_lines(tmp_path / "one" / "asr" / f"{CORPUS}.jsonl", models["one"])
    assert suspicious_references(tmp_path, known, rows) == []
    write_lines(path, models["two"])
    assert ids(suspicious_references(tmp_path, known, rows)) == [f"u{PLACE}"]
    path.write_text(path.read_text(encoding="utf-8").replace('"u3"', '"u99"'), encoding="utf-8")
    assert suspicious_references(tmp_path, known, rows) == []
    path.write_text("no line\n", encoding="utf-8")
    assert suspicious_references(tmp_path, known, rows) == []


def test_many_are_counted_and_the_first_are_kept(tmp_path: Path) -> None:
    """In lines of any order: a third of a long corpus has another's text."""
    n = 1500
    rows = []
    for i in range(n):
        said = f"{TEXTS[i % len(TEXTS)]} number {i}"
        reference = f"{OTHER} {'very ' * (i % 7)}much" if i % 5 == 0 else said
        rows.append(Prediction(f"u{i}", reference, said, 1.0, 0.1, index=i))
    found = look(tmp_path, {"one": rows, "two": rows[::-1]})
    assert [corpus.total for corpus in found] == [n // 5]
    assert ids(found) == [f"u{5 * k}" for k in range(MOST)]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two toys with different checkpoints, and their own errors, on a corpus with one wrong text."""
    folder = tmp_path_factory.mktemp("references")
    manifest = toy_corpus(folder / "toy", TEXTS)
    lines = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    lines[PLACE]["text"] = OTHER
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_toys(
        folder,
        {
            "first": {"mode": "wrong", "first": 10, "every": 40},
            "second": {"mode": "wrong", "first": 25, "every": 30},
        },
    )
    catalog = folder / "catalog.yaml"
    text = catalog.read_text(encoding="utf-8")
    for name in ("first", "second"):
        text = text.replace(f"  {name}:\n", f"  {name}:\n    checkpoint: some/{name}\n")
    catalog.write_text(text, encoding="utf-8")
    done = run_toys(folder, *SELECT, "--model=first", "--model=second")
    assert "Model Lab" in done.stdout, done.stdout + done.stderr
    return folder, done.stdout


def test_a_session_lists_it_everywhere(session: tuple[Path, str]) -> None:
    folder, said = session
    card = card_of(folder)
    [found] = card["suspicious_references"]
    assert (found["corpus"], found["models"], found["total"]) == ("toy", ["first", "second"], 1)
    [listed] = found["rows"]
    assert (listed["id"], listed["reference"]) == (f"u{PLACE}", OTHER)
    flat = " ".join(said.split())
    assert "Look at 1 reference of toy" in flat
    assert f"u{PLACE}: '{OTHER}' is heard as 'turn on light b" in flat
    run = folder / "runs" / "latest"
    read = scorecard.read(run / scorecard.FILE_NAME)
    text = summary(read, thresholds.load(ROOT / "thresholds.yaml"))
    assert "### References to look at" in text
    assert OTHER in text
    page = render(read, run)
    assert 'data-key="/suspicious_references/0/rows/0/reference"' in page
    check_rescored(run)
