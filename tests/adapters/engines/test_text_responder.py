"""The text model of a cascade, on a tiny random checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.engine import EngineRef
from adapters.interface import LoadSpec, ModelError, ReplyPiece, Turn
from tests.contract.installed import need
from tests.support.tiny_chat import chat_model

pytestmark = pytest.mark.engine

ENGINE = "text_responder"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(ENGINE)
    return chat_model(tmp_path_factory.mktemp("chat") / "model")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Iterator[Any]:
    adapter: Any = EngineRef(ENGINE).adapter()()
    adapter.load(LoadSpec(str(checkpoint), options={"max_new_tokens": 12}))
    yield adapter
    adapter.close()


def _said(model: Any, *turns: Turn) -> str:
    return "".join(piece.text for piece in model.reply(list(turns)))


def test_streams_what_the_library_says_at_once(model: Any, checkpoint: Path) -> None:
    import torch
    import transformers

    turns = [Turn("user", "turn on the lights"), Turn("assistant", "on"), Turn("user", "is it red")]
    pieces = list(model.reply(turns))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(checkpoint)
    whole: Any = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    prompt = "<user> turn on the lights <assistant> on <user> is it red <assistant>"
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.inference_mode():
        out = whole.generate(ids, do_sample=False, max_new_tokens=12)
    expected = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert all(isinstance(piece, ReplyPiece) and piece.text for piece in pieces)
    assert len(pieces) > 1
    assert "".join(piece.text for piece in pieces).strip() == expected.strip()


def test_every_turn_counts(model: Any) -> None:
    last = Turn("user", "is it red")
    answers = {
        _said(model, last),
        _said(model, Turn("user", "turn on the lights"), Turn("assistant", "on"), last),
        _said(model, Turn("system", "lights"), last),
    }
    assert len(answers) == 3
    assert _said(model, last) == _said(model, last)


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([], "must be the user's"),
        ([Turn("user", "open"), Turn("assistant", "on")], "must be the user's"),
        ([Turn("user")], "does not hear"),
        ([Turn("user", "open " * 120)], "the model takes 128"),
    ],
)
def test_refuses(model: Any, turns: list[Turn], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        list(model.reply(turns))


def test_a_failure_in_the_thread_is_told(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**arguments: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model._model, "generate", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        _said(model, Turn("user", "open"))


def test_no_template_and_bad_options(tmp_path: Path) -> None:
    need(ENGINE)
    adapter: Any = EngineRef(ENGINE).adapter()
    with pytest.raises(ModelError, match="no chat template"):
        adapter().load(LoadSpec(str(chat_model(tmp_path / "plain", template=None))))
    for wrong in ({"dtype": "int8"}, {"max_new_tokens": 0}, {"system_prompt": 3}):
        with pytest.raises(ModelError, match=next(iter(wrong))):
            adapter.check({**adapter.options, **wrong})
