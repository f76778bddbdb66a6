"""Hypotheses find their utterances, and what finds none is told with what is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.provided.hypotheses import read_hypotheses
from adapters.provided.rows import ProvidedError
from evals.models.provided import Targets, match, refuse_unmatched


@dataclass(frozen=True)
class Row:
    id: str
    path: Path = field(default_factory=Path)
    offset: float | None = None
    duration: float | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


CORPUS = Path("/data/corpus")


def _targets(*rows: Row) -> Targets:
    return Targets(rows, CORPUS)


FILES = _targets(*(Row(f"utt-{n}", CORPUS / "wavs" / f"take{n}.flac") for n in range(1, 4)))


def _found(targets: Targets, text: str, folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    path = folder / "file"
    path.write_text(text)
    matched = match(read_hypotheses(path), targets)
    assert not matched.unknown
    assert not matched.wrong
    return {name: row.text for name, row in matched.answers.items()}, dict(matched.by)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("utt-1 a\nutt-2 b\n", "id"),
        ('{"audio_filepath": "/data/corpus/wavs/take1.flac", "hyp": "a"}\n'
         '{"audio_filepath": "wavs/take2.flac", "hyp": "b"}\n', "path"),
        ("path,pred_text\n/theirs/take1.flac,a\nC:\\calls\\take2.flac,b\n", "file name"),
        ("path,pred_text\n/theirs/take1.wav,a\ntake2,b\n", "file stem"),
        ("path,pred_text\n/theirs/utt-1.wav,a\nutt-2.wav,b\n", "file stem"),
    ],
)  # fmt: skip
def test_hypotheses_are_found_by(text: str, how: str, tmp_path: Path) -> None:
    assert _found(FILES, text, tmp_path) == ({"utt-1": "a", "utt-2": "b"}, {how: 2})


SEGMENTS = _targets(
    Row("s1", CORPUS / "call.wav", 0.0, 2.0),
    Row("s2", CORPUS / "call.wav", 2.0, 3.0),
    Row("s3", CORPUS / "call.wav", 5.0, 1.0),
)


def test_parts_of_one_sound_are_told_apart_by_their_offsets(tmp_path: Path) -> None:
    text = "".join(
        f'{{"audio_filepath": "call.wav", "offset": {offset}, "pred_text": "{word}"}}\n'
        for offset, word in ((2.0, "two"), (0, "one"), (5.004, "three"))
    )
    assert _found(SEGMENTS, text, tmp_path)[0] == {"s1": "one", "s2": "two", "s3": "three"}


def test_parts_of_one_sound_without_an_offset_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"audio_filepath": "call.wav", "pred_text": "a"}\n')
    with pytest.raises(ProvidedError, match=r":1: 'call\.wav' is the sound of 3 utterances: give"):
        refuse_unmatched(read_hypotheses(path), [SEGMENTS])


def test_words_of_a_ctm_go_to_the_utterance_that_they_lie_in(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(
        "call 1 2.6 0.2 d\ncall 1 0.1 0.2 a\ncall 1 0.5 0.2 b\ncall 1 1.9 0.3 c\ncall 1 9.0 0.1 z\n"
    )
    matched = match(read_hypotheses(path), SEGMENTS)
    assert {k: v.text for k, v in matched.answers.items()} == {"s1": "a b", "s2": "c d", "s3": ""}
    assert matched.outside == 1


def test_channels_of_a_ctm_go_to_the_utterances_of_theirs(tmp_path: Path) -> None:
    targets = _targets(
        Row("left", CORPUS / "call.wav", metadata={"channel": 0}),
        Row("right", CORPUS / "call.wav", metadata={"channel": 1}),
    )
    text = "call A 0.1 0.2 hello\ncall B 0.2 0.2 yes\ncall A 0.5 0.1 there\n"
    assert _found(targets, text, tmp_path)[0] == {"left": "hello there", "right": "yes"}


def test_ids_that_nothing_has_are_told_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("".join(f"utt-{n}x a\n" for n in range(1, 8)) + "utt-3 b\n")
    with pytest.raises(ProvidedError) as told:
        refuse_unmatched(read_hypotheses(path), [FILES])
    lines = str(told.value).splitlines()
    assert "no utterance has" in lines[0]
    assert "Kaldi text" in lines[0]
    assert lines[1].endswith("file:1: 'utt-1x'; the nearest: 'utt-1' and 'utt-3'")
    assert len(lines) == 7
    assert lines[-1] == "... and 2 more"


def test_an_id_of_any_corpus_of_the_session_is_known(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("utt-1 a\ns1 b\n")
    refuse_unmatched(read_hypotheses(path), [FILES, SEGMENTS])
    with pytest.raises(ProvidedError, match=":2: 's1'"):
        refuse_unmatched(read_hypotheses(path), [FILES])


def test_two_texts_for_one_utterance_under_two_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("utt-1 a\ntake1 b\n")
    with pytest.raises(ProvidedError, match=":2: 'take1' is utterance 'utt-1', which line 1"):
        refuse_unmatched(read_hypotheses(path), [FILES])
