"""Corpora behind URLs and in datasets: fetched once, resumed, kept below their folder, no secrets."""

from __future__ import annotations

import base64
import io
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fixtures.corpora.corpus import Corpus, CorpusError
from fixtures.fetch import url as remote
from fixtures.fetch.download import is_elsewhere, without_secrets
from fixtures.source import named_source
from tests.test_large_corpora import corpus_of, tone, write

fsspec: Any = pytest.importorskip("fsspec", reason="uv sync --inexact --extra remote installs it")
MemoryFileSystem = fsspec.get_filesystem_class("memory")
URL = "memory://bucket/mine/manifest.jsonl"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MODEL_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between tries
    yield tmp_path / "cache"
    MemoryFileSystem.store.clear()


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are fetched, one after the other."""
    seen: list[str] = []
    plain = MemoryFileSystem.get_file

    def counting(self: Any, rpath: str, lpath: str, **more: Any) -> None:
        seen.append(rpath.rpartition("/")[2])
        plain(self, rpath, lpath, **more)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counting)
    return seen


def upload(folder: Path, url: str = URL) -> None:
    files = fsspec.filesystem("memory")
    base = url.rpartition("/")[0]
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{base}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def opened(asked: str) -> Corpus:
    found = named_source(asked).manifest
    assert isinstance(found, Corpus)
    return found


def test_a_corpus_behind_a_url_is_the_one_that_was_put_there(
    tmp_path: Path, fetches: list[str]
) -> None:
    here = opened(str(corpus_of(tmp_path / "mine")))
    tone(tmp_path / "mine" / "not-named.wav")
    upload(tmp_path / "mine")
    there = opened(URL)
    assert there.name == here.name == "mine"
    assert there.content_hash == here.content_hash
    assert [(u.id, u.line, u.metadata) for u in there] == [(u.id, u.line, u.metadata) for u in here]
    assert sorted(fetches) == [f"{i}.wav" for i in range(6)]
    assert opened(URL).manifest == there.manifest
    assert len(fetches) == 6  # all of it is there
    assert {u.path.suffix for u in there} == {".wav"}


def test_what_changed_is_fetched_anew(tmp_path: Path, fetches: list[str]) -> None:
    manifest = corpus_of(tmp_path / "mine")
    upload(tmp_path / "mine")
    before = opened(URL)
    manifest.write_text(manifest.read_text().replace("lights", "light"))
    upload(tmp_path / "mine")
    after = opened(URL)
    assert after.content_hash != before.content_hash
    assert after.manifest != before.manifest
    assert len(list(before)) == 6  # what was there stays as it was


def test_a_file_of_many_rows_is_fetched_once(tmp_path: Path, fetches: list[str]) -> None:
    tone(tmp_path / "mine" / "a b#c%20?.wav")
    rows = [{"audio_filepath": "a b#c%20?.wav", "text": "a", "offset": n / 20} for n in range(3)]
    write(tmp_path / "mine" / "manifest.jsonl", [{}, *rows][1:])
    upload(tmp_path / "mine")
    assert len({u.path for u in opened(URL)}) == 1
    assert len(fetches) == 1


def test_lines_without_ids_and_sentences_without_sound_stay_themselves(tmp_path: Path) -> None:
    tone(tmp_path / "mine" / "a.wav")
    row = json.dumps({"audio_filepath": "a.wav", "text": "a"})
    (tmp_path / "mine" / "manifest.jsonl").write_text(f"\ufeff{row}\n\n\n{row}\n", encoding="utf-8")
    upload(tmp_path / "mine")
    assert [u.id for u in opened(URL)] == ["line-1", "line-4"]
    fsspec.filesystem("memory").pipe_file("/bucket/say.jsonl", b'{"text": "hello"}\n')
    (sentence,) = named_source("memory://bucket/say.jsonl").open_sentences(lambda: None)  # type: ignore[arg-type,return-value]
    assert (sentence.text, sentence.recording) == ("hello", None)
    talk = {
        "id": "x",
        "turns": [
            {"role": "user", "text": "hi"},
            {"role": "assistant", "expect": [{"contains": "a"}]},
        ],
    }
    fsspec.filesystem("memory").pipe_file("/bucket/talk.jsonl", json.dumps(talk).encode())
    assert [d.id for d in named_source("memory://bucket/talk.jsonl").open_dialogues()] == ["x"]
    talk["turns"][0]["audio_filepath"] = "a.wav"  # type: ignore[index]
    fsspec.filesystem("memory").pipe_file("/bucket/talk.jsonl", json.dumps(talk).encode())
    with pytest.raises(
        CorpusError, match=r"memory://bucket/talk\.jsonl: dialogues with recordings"
    ):
        named_source("memory://bucket/talk.jsonl")


def test_an_interrupted_fetch_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, fetches: list[str]
) -> None:
    here = opened(str(corpus_of(tmp_path / "mine")))
    upload(tmp_path / "mine")
    counting = MemoryFileSystem.get_file
    tries: list[str] = []

    def failing(self: Any, rpath: str, lpath: str, **more: Any) -> None:
        if rpath.endswith(("2.wav", "4.wav")):
            tries.append(rpath)
            Path(lpath).write_bytes(b"half")
            raise ConnectionResetError("by peer, of https://me:secret@host/x?sig=secret")
        counting(self, rpath, lpath, **more)

    monkeypatch.setattr(MemoryFileSystem, "get_file", failing)
    with pytest.raises(CorpusError) as caught:
        opened(URL)
    lines = str(caught.value).splitlines()
    assert [line.partition(" cannot be fetched: ")[0] for line in lines[:2]] == [
        f"{URL}:3: /bucket/mine/2.wav", f"{URL}:5: /bucket/mine/4.wav",
    ]  # fmt: skip
    assert "ConnectionResetError: by peer, of https://host/x" in lines[0]
    assert "the same command goes on" in lines[2]
    assert len(tries) == 6  # three each
    assert not [
        p for p in (cache / "fetched").iterdir() if p.is_dir() and p.suffix != ".unfinished"
    ]
    monkeypatch.setattr(MemoryFileSystem, "get_file", counting)
    fetches.clear()
    assert opened(URL).content_hash == here.content_hash
    assert sorted(fetches) == ["2.wav", "4.wav"]
    assert not list(cache.rglob("*.part"))
    assert not list(cache.rglob("*.unfinished"))


def test_where_nothing_can_be_fetched_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(tmp_path / "mine" / "a.wav")
    rows = [{"audio_filepath": f"{n}.wav", "text": "a"} for n in range(500)]
    write(tmp_path / "mine" / "manifest.jsonl", rows)
    upload(tmp_path / "mine")
    asked: list[object] = []
    plain = remote._download
    monkeypatch.setattr(remote, "_download", lambda *a: asked.append(a) or plain(*a))  # type: ignore[func-returns-value]
    with pytest.raises(
        CorpusError, match=r"manifest.jsonl:1: /bucket/mine/0.wav cannot be fetched"
    ):
        opened(URL)
    assert len(asked) < 100


@pytest.mark.parametrize(
    "name",
    ["../other/a.wav", "x/../../other/a.wav", "/etc/passwd", "..", "%2e%2e/other/a.wav", "..\\other\\a.wav",
     "memory://bucket/other/a.wav", "memory://bucket/mine/../other/a.wav", "file:///etc/passwd",
     "https://example.org/a.wav", "memory://bucket/mine/a.wav::file:///etc/passwd"],
)  # fmt: skip
def test_a_manifest_elsewhere_cannot_name_what_is_not_below_it(
    tmp_path: Path, name: str, fetches: list[str]
) -> None:
    tone(tmp_path / "other" / "a.wav")
    upload(tmp_path, "memory://bucket/x")
    write(tmp_path / "mine" / "manifest.jsonl", [{"audio_filepath": name, "text": "a"}])
    upload(tmp_path / "mine")
    with pytest.raises(CorpusError, match=rf"^{URL}:1: .* is not below "):
        opened(URL)
    assert fetches == []


def test_a_manifest_may_name_urls_below_it(tmp_path: Path) -> None:
    tone(tmp_path / "mine" / "sub" / "a.wav")
    rows = [{"audio_filepath": "memory://bucket/mine/sub/a.wav", "text": "a"}]
    write(tmp_path / "mine" / "manifest.jsonl", rows)
    upload(tmp_path / "mine")
    (utterance,) = opened(URL)
    assert len(utterance.load()) == 3200


def test_mistakes_are_told_before_anything_is_fetched(tmp_path: Path, fetches: list[str]) -> None:
    corpus_of(tmp_path / "mine")
    with (tmp_path / "mine" / "manifest.jsonl").open("a") as file:
        file.write('{"audio_filepath": "0.wav"}\n{\n')
    upload(tmp_path / "mine")
    with pytest.raises(CorpusError) as caught:
        opened(URL)
    assert [line[: len(URL) + 3] for line in str(caught.value).splitlines()] == [
        f"{URL}:7:",
        f"{URL}:8:",
    ]
    assert fetches == []


def test_files_and_archives_are_urls_like_any_other(tmp_path: Path) -> None:
    import zipfile

    manifest = corpus_of(tmp_path / "mine")
    here = opened(str(manifest))
    assert opened(f"file://{manifest}").content_hash == here.content_hash
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in manifest.parent.iterdir():
            archive.write(path, path.name)
    corpus = opened(f"zip://manifest.jsonl::file://{tmp_path}/all.zip")
    assert corpus.content_hash == here.content_hash


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("memory://nowhere/manifest.jsonl", "cannot be fetched: FileNotFoundError"),
        ("nonsense://me:secret@x/y.jsonl?sig=secret", "nonsense"),
        ("file:///no/such/manifest.jsonl", "cannot be fetched"),
        ("hf:me/set", "hf:NAME/CONFIG:SPLIT is expected"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(asked: str, says: str) -> None:
    with pytest.raises(CorpusError, match=says) as caught:
        named_source(asked)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(without_secrets(asked))
    assert "secret" not in line


@pytest.mark.parametrize("asked", [URL, "hf:name/default:test"])
def test_without_the_extra_the_command_that_brings_it(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fsspec", "fsspec.core", "datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CorpusError, match=r"Install it with: uv sync --inexact --extra remote$"):
        named_source(asked)


def test_a_protocol_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(
        CorpusError, match=r"^s3://bucket/m.jsonl: s3:// needs .*: uv pip install s3fs$"
    ):
        named_source("s3://key:secret@bucket/m.jsonl")


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://me:pw@host/a.jsonl?sig=1&x=2", "https://host/a.jsonl"),
        (
            "403 for url='https://me:p@w@host/a?sig=1#f', retry",
            "403 for url='https://host/a', retry",
        ),
        ("s3://key:sec/a?b s3://k@b/c", "s3://key:sec/a s3://b/c"),
        ("zip://m.jsonl::https://u:p@h/x.zip?t=1", "zip://m.jsonl::https://h/x.zip"),
        ("https://u:p@[::1]:80/x?t=1", "https://[::1]:80/x"),
        ("no url: a@b.c?d", "no url: a@b.c?d"),
    ],
)
def test_secrets_are_taken_out_of_urls(text: str, bare: str) -> None:
    assert without_secrets(text) == bare


def test_what_is_here_is_not_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_elsewhere("s3://a/b")
    assert is_elsewhere("simplecache::s3://a/b")
    assert not is_elsewhere("my/manifest.jsonl")
    assert not is_elsewhere(str(tmp_path))
    assert not is_elsewhere("voice-commands")


class _Guarded(SimpleHTTPRequestHandler):
    """Serves its folder to who has the password, and the signature of the manifest."""

    def do_GET(self) -> None:
        user = "Basic " + base64.b64encode(b"me:secret").decode()
        signed = "manifest" not in self.path or "sig=secret" in self.path
        if self.headers.get("Authorization") != user or not signed:
            self.send_error(403)
        else:
            super().do_GET()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_over_http_and_nothing_secret_is_kept(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("aiohttp", reason="uv sync --inexact --extra remote installs it")
    manifest = corpus_of(tmp_path / "mine")
    (tmp_path / "mine" / "0.wav").rename(tmp_path / "mine" / "a b#c.wav")
    manifest.write_text(manifest.read_text().replace('"0.wav"', '"a b#c.wav"'))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Guarded, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{server.server_address[1]}/mine"
        found = opened(f"http://me:secret@{place}/manifest.jsonl?sig=secret")
        assert found.content_hash == opened(str(manifest)).content_hash
        with pytest.raises(CorpusError) as caught:
            named_source(f"http://me:secret@{place}/manifest.jsonl?sig=wrong-secret")
        (tmp_path / "mine" / "3.wav").unlink()
        manifest.write_text(manifest.read_text() + "\n")
        with pytest.raises(
            CorpusError, match=rf"^http://{place}/manifest.jsonl:4: http://{place}/3.wav cannot"
        ) as missing:
            named_source(f"http://me:secret@{place}/manifest.jsonl?sig=secret")
        server.shutdown()
    assert f"http://{place}/manifest.jsonl: cannot be fetched" in str(caught.value)
    assert "secret" not in str(caught.value) + str(missing.value)
    kept = [p for p in cache.rglob("*") if p.is_file()]
    assert kept
    assert all(b"secret" not in p.read_bytes() and "secret" not in p.name for p in kept)


def flac(number: int) -> bytes:
    file = io.BytesIO()
    samples = 0.1 * np.sin(np.arange(3200 + number) / (9 + number))
    soundfile.write(file, samples.astype(np.float32), 16_000, format="FLAC")
    return file.getvalue()


def dataset(folder: Path, count: int = 5, text: str = "sentence", **columns: list[Any]) -> Path:
    """A dataset in the form that `datasets` streams from a folder."""
    pa = pytest.importorskip("pyarrow", reason="uv sync --inexact --extra remote installs it")
    pq = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("datasets")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Any] = {
        name: {"_type": "Value", "dtype": "int64" if isinstance(values[0], int) else "string"}
        for name, values in columns.items()
    }
    features = {
        "audio": {"_type": "Audio", "sampling_rate": 16_000},
        text: {"_type": "Value", "dtype": "string"},
        **kinds,
    }
    table = pa.table({
        "audio": [{"bytes": flac(n), "path": f"{n}.flac"} for n in range(count)],
        text: [f"row {n}" for n in range(count)],
        **columns,
    }).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})  # fmt: skip
    pq.write_table(table, folder / "data" / "test-00000-of-00001.parquet", row_group_size=2)
    return folder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.usefixtures("offline")
def test_a_split_of_a_dataset(tmp_path: Path) -> None:
    folder = dataset(
        tmp_path / "set",
        speaker_id=[1, 1, 2, 2, 3],
        id=[7] * 5,
        duration=[200] * 5,
        locale=["de"] * 5,
        age=["x"] * 5,
    )
    corpus = opened(f"hf:{folder}/default:test")
    assert corpus.name == "set-test"
    assert [(u.id, u.text, u.speaker, u.lang) for u in corpus][:2] == [
        ("row-0", "row 0", "1", "de"), ("row-1", "row 1", "1", "de"),
    ]  # fmt: skip
    assert corpus.utterances[0].metadata == {
        "speaker_id": 1,
        "source_id": 7,
        "source_duration": 200,
        "locale": "de",
        "age": "x",
    }
    assert [u.path.read_bytes() for u in corpus] == [flac(n) for n in range(5)]
    corpus.check_audio()
    again = opened(f"hf:{folder}/default:test")
    assert again.manifest == corpus.manifest
    dataset(folder, 3)
    assert len(opened(f"hf:{folder}/default:test")) == 3


@pytest.mark.usefixtures("offline")
def test_a_folder_of_files_is_a_dataset_too(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="uv sync --inexact --extra remote installs it")
    folder = tmp_path / "files" / "test"
    folder.mkdir(parents=True)
    for n in range(3):
        (folder / f"{n}.flac").write_bytes(flac(n))
    rows = "".join(f"{n}.flac,said {n}\n" for n in range(3))
    (folder / "metadata.csv").write_text(f"file_name,transcription\n{rows}")
    corpus = opened(f"hf:{tmp_path}/files/default:test")
    assert [(u.text, u.path.read_bytes()) for u in corpus] == [
        (f"said {n}", flac(n)) for n in range(3)
    ]


@pytest.mark.usefixtures("offline")
def test_an_interrupted_split_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    folder = dataset(tmp_path / "set")
    asked = f"hf:{folder}/default:test"
    from fixtures.fetch import hugging_face

    plain = hugging_face._manifest_row
    made: list[int] = []

    def failing(row: Any, columns: Any, index: int, *more: Any) -> dict[str, Any]:
        if index == 3 and 3 not in made:
            made.append(3)
            raise OSError("no space left")
        made.append(index)
        return plain(row, columns, index, *more)

    monkeypatch.setattr(hugging_face, "_manifest_row", failing)
    with pytest.raises(CorpusError, match=r"default:test: row 3: no space left"):
        opened(asked)
    (rows,) = cache.rglob("rows.jsonl")
    with rows.open("a") as file:
        file.write('{"id": "row-3", "aud')  # as a killed process leaves it
    corpus = opened(asked)
    assert [u.text for u in corpus] == [f"row {n}" for n in range(5)]
    assert made == [0, 1, 2, 3, 3, 4]


@pytest.mark.usefixtures("offline")
def test_what_a_dataset_lacks_is_named(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "set", text="label", age=[1] * 5)
    for asked, says in (
        (
            f"hf:{folder}/default:test",
            r"no column of text \(.*\); the columns are: audio, label, age",
        ),
        (f"hf:{folder}/default:dev", r"Bad split: dev. Available splits: \['test'\]"),
        (f"hf:{folder}/other:test", r"'other' not found. Available: \['default'\]"),
        (
            "hf:nobody/such-a-set-anywhere/default:test",
            r"^hf:nobody/such-a-set-anywhere/default:test: \w+: ",
        ),
    ):
        with pytest.raises(CorpusError, match=says) as caught:
            named_source(asked)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("offline")
def test_a_dataset_cannot_name_files_outside_itself(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "set")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    file = next(folder.rglob("*.parquet"))
    table = pq.read_table(file)
    sounds = pa.array([{"bytes": None, "path": str(secret)}] * 5, table.schema.field("audio").type)
    pq.write_table(
        table.set_column(0, "audio", sounds).replace_schema_metadata(table.schema.metadata), file
    )
    with pytest.raises(
        CorpusError, match=r"row 0: its audio is in .*secret.txt', outside the dataset"
    ):
        named_source(f"hf:{folder}/default:test")
