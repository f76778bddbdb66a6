"""Files of lines: what was written is read again, and what was broken is known."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.records.jsonl_reader import LineError, Lines, read_lines
from evals.records.jsonl_writer import LineFile, NotWritten, gather, recover
from evals.records.predictions import Prediction
from evals.run.identity import differences, digest, summary

pytestmark = pytest.mark.slow

IDENTITY = "a" * 64
WRITTEN = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@dataclass(frozen=True)
class Said:
    """A line of these tests."""

    id: str
    text: str
    index: int | None = None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def write(path: Path, lines: list[Said], *, session: int = 1, identity: str = IDENTITY) -> None:
    with LineFile[Said](path, identity=identity, session=session) as file:
        for line in lines:
            file.append(line)


def numbered(texts: list[str]) -> list[Said]:
    return [Said(f"u{number}", text, number) for number, text in enumerate(texts)]


@WRITTEN
@given(texts=st.lists(TEXT, max_size=8))
def test_what_was_written_is_read(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    write(path, numbered(texts))
    assert read_lines(path, Said) == numbered(texts)
    assert path.read_bytes().count(b"\n") == len(texts)
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        assert {"key", "session", "checksum"} <= json.loads(line).keys()


@WRITTEN
@given(texts=st.lists(TEXT, min_size=1, max_size=5), data=st.data())
def test_cut_off_anywhere_the_whole_lines_are_left(
    texts: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What SIGKILL leaves: some beginning of the file, to the byte."""
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    lines = numbered(texts)
    write(path, lines)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    left = whole[:cut].count(b"\n")
    with LineFile[Said](path, identity=IDENTITY, session=2) as file:
        assert file.begun == left
        assert [line.id in file for line in lines] == [n < left for n in range(len(lines))]
        for line in lines[left:]:
            file.append(line)
    assert read_lines(path, Said) == lines
    assert Lines(path, Said).sessions == ({1} if left else set()) | (
        {2} if left < len(lines) else set()
    )


@WRITTEN
@given(texts=st.lists(TEXT, min_size=2, max_size=4), data=st.data())
def test_a_changed_byte_is_noticed(
    texts: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    write(path, numbered(texts))
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    whole[place] ^= flip
    path.write_bytes(bytes(whole))
    with pytest.raises(LineError, match=r"x\.jsonl"):
        read_lines(path, Said)


def test_a_changed_word_is_noticed(tmp_path: Path) -> None:
    """What is still a line, of the right kind, and says something else."""
    path = tmp_path / "x.jsonl"
    write(path, numbered(["turn on", "turn off"]))
    path.write_text(
        path.read_text(encoding="utf-8").replace("turn on", "turn in"), encoding="utf-8"
    )
    with pytest.raises(LineError, match=r"x\.jsonl:1: its checksum is not that of the line"):
        read_lines(path, Said)


def test_they_are_read_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = numbered(list("abcde"))
    write(path, [lines[i] for i in (3, 0, 4, 1, 2)])
    found = Lines(path, Said)
    assert list(found) == lines
    assert list(found) == lines  # and again
    assert len(found) == 5
    assert lines[2] in found


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, [Said("a", "x"), Said("b", "y"), Said("a", "z")])
    with pytest.raises(LineError, match=r"x\.jsonl:3: id 'a' is that of line 1 too"):
        Lines(path, Said)


def test_lines_of_another_maker_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, numbered(["a", "b"]))
    with pytest.raises(LineError, match=r"x\.jsonl:1: 'u0' was made by another model"):
        LineFile[Said](path, identity="b" * 64)
    assert read_lines(path, Said) == numbered(["a", "b"])


def test_a_file_of_before_there_were_checksums_is_read_and_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    text = "".join(json.dumps({"id": f"u{n}", "text": "x"}) + "\n" for n in range(3))
    path.write_text(text)
    assert [line.id for line in read_lines(path, Said)] == ["u0", "u1", "u2"]
    for lines in (text, text.splitlines(keepends=True)[0]):
        path.write_text(lines)
        with pytest.raises(LineError, match=r"x\.jsonl:1: its checksum"):
            recover(path)
        assert path.read_text() == lines


def test_damage_in_the_middle_is_not_mended_silently(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(path, numbered(list("abc")))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:9] + b"\n" + lines[2])
    with pytest.raises(LineError, match=r"x\.jsonl:2: .*take the line out"):
        recover(path)
    with pytest.raises(LineError, match=r"x\.jsonl:2: not JSON"):
        read_lines(path, Said)
    path.write_bytes(lines[0] + lines[2])  # as it says
    with LineFile[Said](path, identity=IDENTITY) as file:
        assert "u1" not in file


@pytest.mark.parametrize(
    "row", ["[]", "3", '{"id": "a"}', '{"id": "a", "text": "b", "odd": 1}', "{" * 5000]
)
def test_what_is_no_line_is_named(row: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "u", "text": "t"}\n' + row + "\n")
    with pytest.raises(LineError, match=r"x\.jsonl:2: not "):
        read_lines(path, Said)


@pytest.mark.parametrize("index", ["-1", "1.5", "true", '"1"', str(2**70)])
def test_an_index_that_is_none(index: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "u", "text": "t", "index": ' + index + "}\n")
    with pytest.raises(LineError, match=r"x\.jsonl:1: index: a whole number"):
        read_lines(path, Said)


@WRITTEN
@given(first=st.integers(0, 4), second=st.integers(0, 4), data=st.data())
def test_parts_are_gathered_once_however_often_it_is_begun(
    first: int, second: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Killed while it writes, or before it takes the parts away, it is done again."""
    folder = tmp_path_factory.mktemp("parts")
    lines = numbered([str(n) for n in range(first + second)])
    one, two, whole = folder / "x.~1of2.jsonl", folder / "x.~2of2.jsonl", folder / "x.jsonl"
    write(one, lines[:first])
    write(two, lines[first:])
    kept = {path: path.read_bytes() for path in (one, two)}
    gather(whole, [one, two])
    assert not one.exists()
    assert not two.exists()
    complete = whole.read_bytes()
    whole.write_bytes(complete[: data.draw(st.integers(0, len(complete)))])
    for path, content in kept.items():
        path.write_bytes(content)
    gather(whole, [one, two])
    assert read_lines(whole, Said) == lines


def test_a_disk_that_is_full_spares_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    lines = numbered(["a" * 50, "b" * 50])
    file = LineFile[Said](path, identity=IDENTITY)
    file.append(lines[0])
    inner = file._file

    class Full:
        """Takes ten bytes, and then no more."""

        def write(self, data: bytes) -> int:
            if inner.tell() % 1000 and len(data) < 60:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return inner.write(data[: max(1, len(data) - 50)])

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(NotWritten) as caught:
        file.append(lines[1])
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    inner.close()
    assert read_lines(path, Said) == lines[:1]


def test_secrets_are_struck_from_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with LineFile[Prediction](path, redact=lambda text: text.replace("hunter22", "[KEY]")) as file:
        file.append(
            Prediction(
                "a", "r", "h", 1.0, None, error="401 for hunter22", metadata={"x": ["hunter22"]}
            )
        )
    assert b"hunter22" not in path.read_bytes()
    (line,) = read_lines(path, Prediction)
    assert line.error == "401 for [KEY]"
    assert line.metadata == {"x": ["[KEY]"]}


def test_identities_are_told_apart_by_name() -> None:
    was = {"options": {"beam_size": 1, "x": [1, 2]}, "seed": 0, "revision": None}
    now = {
        "seed": 0,
        "options": {"x": (1, 2), "beam_size": 5},
        "revision": "abc",
        "more": float("inf"),
    }
    assert digest(was) == digest({**was, "options": {"x": [1, 2], "beam_size": 1}})
    assert digest(was) != digest(now)
    assert differences(was, {**now, "options": {"x": [1, 2], "beam_size": 5}}) == [
        "options.beam_size was 1 and is 5",
        "revision was nothing and is abc",
        "more was nothing and is inf",
    ]
    assert summary(["a", "b", "c", "d"]) == "a; b; c; and 1 more"


def test_nothing_is_left_of_a_folder_that_was_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.jsonl"
    write(path, numbered(["a"]))
    shutil.rmtree(path.parent)
    with pytest.raises(FileNotFoundError):
        Lines(path, Said)
