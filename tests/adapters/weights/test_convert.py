"""Weights of CTranslate2 in the forms of other libraries: every tensor, and what cannot be had."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.__main__ import main
from adapters.catalog.catalog import Catalog
from adapters.interface import ModelError
from adapters.weights import model_bin, whisper
from adapters.weights.convert import convert
from fixtures.micro_whisper import expand
from tests.contract.installed import need, need_package

pytestmark = [pytest.mark.slow, pytest.mark.engine]

Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro Whisper as CTranslate2 has it."""
    need("faster_whisper")
    return expand("ctranslate2", tmp_path_factory.mktemp("cache"))


def own(form: str, folder: Path) -> Path:
    """The micro Whisper in another form, as the repo makes it from its packed weights."""
    return expand(form, folder)


def test_openai_file_has_the_tensors_that_were_packed(micro: Path, tmp_path: Path) -> None:
    need("openai_whisper")
    import torch

    convert(micro, "openai-whisper", tmp_path / "micro.pt")
    made = torch.load(tmp_path / "micro.pt", weights_only=True)
    packed = torch.load(own("openai", tmp_path), weights_only=True)
    assert made["dims"] == packed["dims"]
    assert made["model_state_dict"].keys() == packed["model_state_dict"].keys()
    for name, tensor in packed["model_state_dict"].items():
        assert torch.equal(made["model_state_dict"][name], tensor), name


def test_transformers_folder_is_the_one_that_was_packed(micro: Path, tmp_path: Path) -> None:
    need("transformers_asr")
    from safetensors.numpy import load_file

    convert(micro, "transformers", tmp_path / "micro")
    packed = own("transformers", tmp_path)
    made = load_file(tmp_path / "micro" / "model.safetensors")
    expected = load_file(packed / "model.safetensors")
    assert made.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(made[name], array, err_msg=name)
    for file in ("config", "generation_config", "preprocessor_config", "tokenizer_config"):
        there, here = (json.loads((f / f"{file}.json").read_text("utf-8")) for f in (packed, tmp_path / "micro"))  # fmt: skip
        assert here == there, file
    there, here = (json.loads((f / "tokenizer.json").read_text("utf-8")) for f in (packed, tmp_path / "micro"))  # fmt: skip
    assert here["added_tokens"] == there["added_tokens"]
    assert here["model"]["vocab"] == there["model"]["vocab"]


def test_real_weights_keep_their_precision_and_get_all_tokens(tmp_path: Path) -> None:
    """Tiny.en is stored in float16, by a tokenizer that lacks the times."""
    entry = Catalog().models["packaged-transformers-whisper-tiny.en"]
    need("transformers_asr")
    need_package(entry.checkpoint)
    assert main(["convert", entry.checkpoint, "--to", "transformers", str(tmp_path / "m")]) == 0
    transformers: Any = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m", local_files_only=True)
    config = json.loads((tmp_path / "m" / "config.json").read_text("utf-8"))
    generation = json.loads((tmp_path / "m" / "generation_config.json").read_text("utf-8"))
    assert config["dtype"] == "float16"
    assert not generation["is_multilingual"]
    assert "lang_to_id" not in generation
    first = generation["no_timestamps_token_id"] + 1
    assert tokenizer.convert_ids_to_tokens([first, first + 1500]) == ["<|0.00|>", "<|30.00|>"]
    said = " Mr. Dashwood's naïve café"
    assert tokenizer.decode(tokenizer.encode(said, add_special_tokens=False)) == said
    assert len(tokenizer.encode(said, add_special_tokens=False)) < len(said)  # merged, not bytes


@given(
    st.lists(st.lists(st.floats(-4, 4, width=16), min_size=3, max_size=3), min_size=1, max_size=4)
)
def test_rounded_weights_are_what_they_stood_for(rows: list[list[float]]) -> None:
    """int8: a scale a row, 127 over the largest value; each number within half a step."""
    true = np.array(rows, np.float32)
    largest = [max(map(abs, row)) for row in rows]
    scales = [127 / most if most > 0 else 1.0 for most in largest]
    scale = np.array(scales, np.float32)
    whole = np.rint(true * scale[:, None]).astype(np.int8)
    made = model_bin._floating({"w": whole, "w_scale": scale, "b": scale})
    assert made.keys() == {"w", "b"}
    assert made["w"].dtype == np.float32
    np.testing.assert_allclose(made["w"], true, atol=0.505 / min(scales))


def test_bfloat16_is_read_as_the_upper_half_of_float32(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 0.0, 3.0e8], np.float32)
    upper = (values.view("<u4") >> 16).astype("<u2")
    name = b"w\0"
    body = struct.pack("<H", len(name)) + name + struct.pack("<BIBI", 1, 4, 5, 8) + upper.tobytes()
    head = struct.pack("<IH", 6, 2) + b"S\0" + struct.pack("<II", 1, 1)
    (tmp_path / "model.bin").write_bytes(head + body + struct.pack("<I", 0))
    specification, arrays = model_bin.read(tmp_path / "model.bin")
    assert specification == "S"
    np.testing.assert_allclose(arrays["w"], values, rtol=2**-7)


def cut(name: str, size: int) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return edit


def gone(name: str) -> Edit:
    return lambda folder: (folder / name).unlink()


def renamed_specification(folder: Path) -> None:
    file = folder / "model.bin"
    file.write_bytes(file.read_bytes().replace(b"WhisperSpec", b"BertSpec\0\0\0", 1))


def tensor_renamed(folder: Path) -> None:
    file = folder / "model.bin"
    file.write_bytes(file.read_bytes().replace(b"encoder/conv1/bias", b"encoder/conv1/bais", 1))


def few_tokens(folder: Path) -> None:
    file = folder / "vocabulary.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8"))[:100]), "utf-8")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (cut("model.bin", 3), r"model\.bin: not a whole model\.bin of CTranslate2"),
        (cut("model.bin", 5000), r"model\.bin: not a whole .*ends too early"),
        (gone("model.bin"), "not a Whisper of CTranslate2"),
        (gone("config.json"), r"source.config\.json cannot be read"),
        (cut("config.json", 10), r"config\.json cannot be read"),
        (gone("vocabulary.json"), r"vocabulary\.txt \(or vocabulary\.json\) cannot be read"),
        (gone("tokenizer.json"), r"tokenizer\.json cannot be read"),
        (few_tokens, "the vocabulary has 100 tokens, the weights 51865"),
        (renamed_specification, "BertSpec of CTranslate2, not a Whisper"),
        (tensor_renamed, "the tensor 'encoder/conv1/bias' is missing"),
    ],
)
def test_what_is_no_whisper_is_said_in_one_line(
    micro: Path, tmp_path: Path, edit: Edit, says: str
) -> None:
    source = shutil.copytree(micro, tmp_path / "source")
    edit(source)
    with pytest.raises(ModelError, match=says) as caught:
        convert(source, "openai-whisper", tmp_path / "made" / "m.pt")
    assert "\n" not in str(caught.value)
    assert not any((tmp_path / "made").glob("*"))


def test_nothing_is_overwritten(
    micro: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "there"
    out.write_text("mine")
    assert main(["convert", str(micro), "--to", "transformers", str(out)]) == 1
    assert "nothing is overwritten" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_command_says_how_to_run_what_it_wrote(
    micro: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("transformers_asr")
    out = tmp_path / "micro"
    assert main(["convert", str(micro), "--to", "transformers", str(out)]) == 0
    assert f"--model transformers_asr:{out}" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["micro"]


def test_end_of_speech_is_between_text_and_steering(micro: Path) -> None:
    tokens = whisper.read(micro).tokens
    languages = [tokens.texts[number] for number in tokens.languages]
    assert languages[0] == "<|en|>"
    assert len(languages) == len(set(languages)) == 99
    assert tokens.multilingual
