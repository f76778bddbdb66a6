"""Files of hypotheses as other tools write them: told apart by what they hold, and checked."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.provided.hypotheses import Hypothesis, read_hypotheses
from adapters.provided.kind import kind_of, name_of
from adapters.provided.rows import ProvidedError

#: The same three answers in each form, the last of them empty.
TEXTS = {"utt-1": "turn on the light", "utt-2": "wie spät ist es", "utt-3": ""}


def _lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _table(delimiter: str, header: tuple[str, str]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *TEXTS.items()])
    return out.getvalue()


FORMS = {
    "pred_text": ("JSON lines", _lines(*({"id": k, "pred_text": v} for k, v in TEXTS.items()))),
    "hypothesis": (
        "JSON lines",
        _lines(*({"utt_id": k, "hypothesis": v} for k, v in TEXTS.items())),
    ),
    "prediction": ("JSON lines", _lines(*({"key": k, "prediction": v} for k, v in TEXTS.items()))),
    "text alone": ("JSON lines", _lines(*({"id": k, "text": v} for k, v in TEXTS.items()))),
    "array": ("JSON array", json.dumps([{"id": k, "hyp": v} for k, v in TEXTS.items()], indent=1)),
    "csv": ("CSV", _table(",", ("Utterance ID", "Hypothesis"))),
    "semicolons": ("CSV", _table(";", ("id", "transcript"))),
    "tsv": ("TSV", _table("\t", ("utt_id", "pred_text"))),
    "kaldi": ("Kaldi text", "".join(f"{k} {v}\n" for k, v in TEXTS.items())),
    "kaldi tabs": ("Kaldi text", "".join(f"{k}\t{v}\r\n" for k, v in TEXTS.items())),
    "trn": ("sclite trn", "".join(f"{v} ({k})\n" for k, v in TEXTS.items())),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_the_same(form: str, tmp_path: Path) -> None:
    name, text = FORMS[form]
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    found = read_hypotheses(path)
    assert found.format == name
    assert {row.id: row.text for row in found.rows} == TEXTS
    assert kind_of(path) == "asr"


def test_prediction_lines_of_a_run_bring_times_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    own = {"reference": "a b", "hypothesis": "a", "processing_seconds": 0.5, "checksum": "0"}
    failed = {**own, "id": "2", "hypothesis": "", "processing_seconds": None, "error": "died"}
    path.write_text(_lines({"id": "1", "audio_seconds": 2.0, **own}, failed))
    found = read_hypotheses(path)
    assert found.format == "prediction lines of Model Lab"
    assert found.rows == [
        Hypothesis(1, "a", "1", processing_seconds=0.5, audio_seconds=2.0),
        Hypothesis(2, "", "2", error="died"),
    ]


def test_words_of_a_ctm_keep_their_times(tmp_path: Path) -> None:
    path = tmp_path / "words.ctm"
    path.write_text(";; a comment\nrec 1 0.50 0.25 hello 0.9\nrec 1 0.80 0.20 there\n")
    found = read_hypotheses(path)
    assert found.format == "CTM"
    assert found.rows == ()
    assert [(w.recording, w.channel, w.start, w.end, w.text) for w in found.words] == [
        ("rec", "1", 0.5, 0.75, "hello"),
        ("rec", "1", 0.8, 1.0, "there"),
    ]


WRONG = {
    "one utterance, two texts": (
        _lines({"id": "u1", "hyp": "a"}, {"id": "u2", "hyp": "b"}, {"id": "u1", "hyp": "c"}),
        r":3: 'u1' has another text than in line 1: 'a' there, 'c' here",
    ),
    "a manifest": (_lines({"audio_filepath": "1.wav", "text": "a"}), "this is a manifest"),
    "two hypotheses": (_lines({"id": "1", "hyp": "a", "pred_text": "b"}), ":1: .*keep one"),
    "no hypothesis": (_lines({"id": "1", "score": 1}), ":1: no hypothesis: 'pred_text'"),
    "no name": (_lines({"hyp": "a"}), ":1: neither an id"),
    "no text": (_lines({"id": "1", "hyp": ["a"]}), r":1: 'hyp' must be text, not \['a'\]"),
    "a time of 0": (_lines({"id": "1", "hyp": "a", "rtf": 0}), ":1: 'rtf' must be a positive"),
    "broken JSON": (_lines({"id": "1", "hyp": "a"}) + '{"id": "2"\n', ":2: not JSON"),
    "half a character": ('{"id": "1", "hyp": "\\ud83d"}\n', ":1: holds half a character"),
    "a row too short": ("id,hyp,x\n1,a,b\n2,c\n", ":3: 2 columns, where the header has 3"),
    "HTML": ("<!DOCTYPE html>\n<p>gone</p>\n", "looks like HTML"),
    "nothing": ("\n \n", "no predictions in it"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    text, said = WRONG[case]
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(ProvidedError, match=said):
        read_hypotheses(path)


def test_mistakes_of_one_kind_are_one_message(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(_lines(*({"id": str(n)} for n in range(12)), {"id": "x", "hyp": "a"}))
    with pytest.raises(ProvidedError) as told:
        read_hypotheses(path)
    lines = str(told.value).splitlines()
    assert len(lines) == 7
    assert lines[-1] == "... and 7 more"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProvidedError, match="not a file on a disk"):
        read_hypotheses(tmp_path / "pipe")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvidedError, match=r"gone\.jsonl: no such file"):
        read_hypotheses(tmp_path / "gone.jsonl")


def test_one_utterance_twice_with_one_text_is_one_answer(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("u1 a b\nu1 a b\n")
    assert [(row.line, row.text) for row in read_hypotheses(path).rows] == [(1, "a b")]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("u1 a\n")
    before = read_hypotheses(path)
    path.write_text("u1 other\n")
    after = read_hypotheses(path)
    assert (before.rows[0].text, after.rows[0].text) == ("a", "other")
    assert before.sha256 != after.sha256


@pytest.mark.slow
@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.text(), min_size=1))
def test_json_lines_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    texts = {k: v.encode("utf-8", "replace").decode() for k, v in texts.items()}
    path.write_text(_lines(*({"id": k, "hyp": v} for k, v in texts.items())), encoding="utf-8")
    assert {row.id: row.text for row in read_hypotheses(path).rows} == texts


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/vendor.jsonl", "data-vendor"),
        ("/data/systemA/text", "systemA-text"),
        ("/vendor.trn", "vendor"),
        ("/runs/latest/whisper-tiny/asr/calls.jsonl", "whisper-tiny-calls"),
    ],
)
def test_a_file_is_called_after_its_folder_and_itself(path: str, name: str) -> None:
    assert name_of(Path(path)) == name
