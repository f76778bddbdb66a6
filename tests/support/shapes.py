"""A small example of every shape of data, made as the tools that people have would leave it.

Each holds the same utterances, spoken as the toy engine hears them.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.support.toy_engine import RATE, samples_of

#: Utterances by id, each by the speaker whose name its id begins with.
SAID: Mapping[str, str] = {
    "84-121-0000": "turn on the light",
    "84-121-0001": "turn off the radio",
    "17-30-0000": "open the front door please",
    "17-30-0001": 'say "hello" to, um, everyone',
}
SECONDS = 0.5


def speaker_of(name: str) -> str:
    return name.partition("-")[0]


def sound(path: Path, text: str) -> Path:
    """A file of half a second; libsndfile knows its format by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples_of(text, SECONDS), RATE, subtype="PCM_16")
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def manifest(folder: Path, audio: str = "audio_filepath", text: str = "text") -> Path:
    rows = []
    for name, said in SAID.items():
        sound(folder / f"{name}.wav", said)
        rows.append({"id": name, audio: f"{name}.wav", text: said, "speaker": speaker_of(name)})
    return _lines(folder / "theirs.jsonl", rows)


def librispeech(folder: Path) -> Path:
    for name, said in SAID.items():
        speaker, chapter, _ = name.split("-")
        here = folder / "test-clean" / speaker / chapter
        sound(here / f"{name}.flac", said)
        with (here / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{name} {said}\n")
    return folder


def multilingual(folder: Path) -> Path:
    lines = []
    for name, said in SAID.items():
        speaker, book, _ = name.split("-")
        name = name.replace("-", "_")
        sound(folder / "audio" / speaker / book / f"{name}.flac", said)
        lines.append(f"{name}\t{said}\n")
    return write(folder / "transcripts.txt", "".join(lines)).parent


def kaldi(folder: Path) -> Path:
    for name, said in SAID.items():
        sound(folder / "wav" / f"{name}.wav", said)
    write(folder / "wav.scp", "".join(f"{n} wav/{n}.wav\n" for n in SAID))
    write(folder / "text", "".join(f"{n} {said}\n" for n, said in SAID.items()))
    write(folder / "utt2spk", "".join(f"{n} {speaker_of(n)}\n" for n in SAID))
    return folder


def one_recording(path: Path) -> Path:
    """All utterances one after the other, half a second each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.concatenate([samples_of(said, SECONDS) for said in SAID.values()])
    soundfile.write(path, whole, RATE, subtype="PCM_16")
    return path


def kaldi_segments(folder: Path) -> Path:
    one_recording(folder / "call.wav")
    write(folder / "wav.scp", "call call.wav\n")
    kaldi_text = "".join(f"{n} {said}\n" for n, said in SAID.items())
    write(folder / "text", kaldi_text)
    write(folder / "utt2spk", "".join(f"{n} {speaker_of(n)}\n" for n in SAID))
    times = enumerate(SAID)
    write(folder / "segments", "".join(f"{n} call {i / 2} {i / 2 + 0.5}\n" for i, n in times))
    return folder


def common_voice(folder: Path) -> Path:
    rows = ["client_id\tpath\tsentence\tup_votes\tlocale"]
    for name, said in SAID.items():
        sound(folder / "clips" / f"{name}.wav", said)
        rows.append(f"{speaker_of(name)}\t{name}.wav\t{said}\t2\ten")
    write(folder / "validated.tsv", "\n".join(rows) + "\n")
    return folder


def table(folder: Path, name: str, mark: str, *, bom: bool = False) -> Path:
    made = io.StringIO()
    writer = csv.writer(made, delimiter=mark)
    writer.writerow(["id", "path", "speaker", "transcript", "duration"])
    for utterance, said in SAID.items():
        sound(folder / "sound" / f"{utterance}.wav", said)
        row = [utterance, f"sound/{utterance}.wav", speaker_of(utterance), said, str(SECONDS)]
        writer.writerow(row)
    return write(folder / name, "\ufeff" * bom + made.getvalue())


def sidecar(folder: Path, suffix: str) -> Path:
    for name, said in SAID.items():
        sound(folder / speaker_of(name) / f"{name}.wav", said)
        write(folder / speaker_of(name) / f"{name}{suffix}", f"{said}\n")
    return folder


def json_array(folder: Path) -> Path:
    rows = []
    for name, said in SAID.items():
        sound(folder / f"{name}.wav", said)
        rows.append({"id": name, "audio": {"path": f"{name}.wav"}, "sentence": said, "speaker_id": speaker_of(name)})  # fmt: skip
    return write(folder / "theirs.json", json.dumps(rows, indent=1))


def nemo_tar(folder: Path) -> Path:
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for shard in (0, 1):
        with tarfile.open(folder / f"audio_{shard}.tar", "w") as tar:
            for name, said in list(SAID.items())[2 * shard : 2 * shard + 2]:
                content = sound(folder / "once.wav", said).read_bytes()
                member = tarfile.TarInfo(f"{name}.wav")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                rows.append({"audio_filepath": f"{name}.wav", "text": said, "duration": SECONDS, "shard_id": shard, "id": name, "speaker": speaker_of(name)})  # fmt: skip
    (folder / "once.wav").unlink()
    return _lines(folder / "tarred_audio_manifest.json", rows).parent


def stm(folder: Path) -> Path:
    one_recording(folder / "call.wav")
    lines = [";; a comment\n"]
    for i, (name, said) in enumerate(SAID.items()):
        lines.append(f"call 1 {speaker_of(name)} {i / 2} {i / 2 + 0.5} <o,f0,male> {said}\n")
    lines.append("call 1 inter_segment_gap 2.0 2.5 <o,,> \n")
    return write(folder / "theirs.stm", "".join(lines))


def ctm(folder: Path) -> Path:
    lines = []
    for name, said in SAID.items():
        sound(folder / "wav" / f"{name}.wav", said)
        for i, word in reversed([*enumerate(said.split())]):
            lines.append(f"{name} 1 {i / 10:.2f} 0.10 {word} 0.99\n")
    return write(folder / "theirs.ctm", "".join(lines))


def cuts(folder: Path, *, gzipped: bool = True) -> Path:
    """As lhotse 1.30 writes them: one recording of which each cut is a part."""
    path = one_recording(folder / "call.wav")
    recording = {
        "id": "call", "sources": [{"type": "file", "channels": [0], "source": str(path)}],
        "sampling_rate": RATE, "num_samples": RATE * 2, "duration": 2.0, "channel_ids": [0],
    }  # fmt: skip
    lines = []
    for i, (name, said) in enumerate(SAID.items()):
        supervision = {
            "id": f"s-{name}", "recording_id": "call", "start": 0.0, "duration": 0.5, "channel": 0,
            "text": said, "language": "English", "speaker": speaker_of(name),
        }  # fmt: skip
        cut = {
            "id": name, "start": i / 2, "duration": 0.5, "channel": 0, "type": "MonoCut",
            "supervisions": [supervision], "recording": recording,
        }  # fmt: skip
        lines.append(json.dumps(cut) + "\n")
    if not gzipped:
        return write(folder / "cuts.jsonl", "".join(lines))
    (folder / "cuts.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return folder / "cuts.jsonl.gz"


def dataset(folder: Path, *, splits: bool) -> Path:
    """What `save_to_disk` leaves; needs the `datasets` library."""
    datasets: Any = importlib.import_module("datasets")
    rows: dict[str, list[Any]] = {"audio": [], "sentence": [], "speaker_id": []}
    for name, said in SAID.items():
        content = sound(folder / "once.wav", said).read_bytes()
        rows["audio"].append({"bytes": content, "path": None})
        rows["sentence"].append(said)
        rows["speaker_id"].append(speaker_of(name))
    (folder / "once.wav").unlink()
    data = datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio(decode=False))
    saved: Any = datasets.DatasetDict(train=data, test=data) if splits else data
    saved.save_to_disk(str(folder / "saved"))
    return folder / "saved"


#: Shapes that the light core reads, each made in an empty folder.
EXAMPLES: Mapping[str, Callable[[Path], Path]] = {
    "manifest": manifest,
    "audio, sentence": lambda folder: manifest(folder, "audio", "sentence"),
    "path, transcript": lambda folder: manifest(folder, "path", "transcript"),
    "file_name, transcription": lambda folder: manifest(folder, "file_name", "transcription"),
    "wav, normalized_text": lambda folder: manifest(folder, "wav", "normalized_text"),
    "librispeech": librispeech,
    "multilingual librispeech": multilingual,
    "kaldi": kaldi,
    "kaldi segments": kaldi_segments,
    "common voice": common_voice,
    "csv": lambda folder: table(folder, "theirs.csv", ","),
    "csv with a mark": lambda folder: table(folder, "theirs.csv", ";", bom=True),
    "tsv": lambda folder: table(folder, "theirs.tsv", "\t"),
    "table in a .txt": lambda folder: table(folder, "theirs.txt", "|"),
    "folder of metadata.csv": lambda folder: table(folder, "metadata.csv", ",").parent,
    "sound and .txt": lambda folder: sidecar(folder, ".txt"),
    "sound and .lab": lambda folder: sidecar(folder, ".lab"),
    "sound and .normalized.txt": lambda folder: sidecar(folder, ".normalized.txt"),
    "json array": json_array,
    "tarred": nemo_tar,
    "stm": stm,
    "stm folder": lambda folder: stm(folder).parent,
    "ctm": ctm,
    "cuts": lambda folder: cuts(folder, gzipped=False),
    "gzipped cuts": cuts,
}
