"""`--model 'NAME:{option: value}'`: a shipped model with other options, under a name of its own."""

from __future__ import annotations

import re

import pytest

from adapters.catalog.catalog import NAME, Catalog
from adapters.catalog.model import Model
from adapters.catalog.yaml_file import ConfigError

MICRO = "faster-whisper-micro"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def _one(catalog: Catalog, pattern: str) -> Model:
    (model,) = catalog.select([pattern])
    return model


def test_it_has_the_rest_of_its_entry(catalog: Catalog) -> None:
    entry, model = catalog.models[MICRO], _one(catalog, f"{MICRO}:{{beam_size: 5}}")
    assert model.name == f"{MICRO}-beam_size-5"
    assert model.options == {**entry.options, "beam_size": 5}
    assert (model.checkpoint, model.tier, model.tasks) == (
        entry.checkpoint, entry.tier, entry.tasks,
    )  # fmt: skip
    assert model.requested == f"{MICRO}:{{beam_size: 5}}"  # what finds it again


def test_it_runs_beside_its_entry(catalog: Catalog) -> None:
    names = [m.name for m in catalog.select([MICRO, f"{MICRO}:{{beam_size: 5}}"])]
    assert names == [MICRO, f"{MICRO}-beam_size-5"]


@pytest.mark.parametrize(
    "options",
    [
        "{initial_prompt: 'a/b \\ c'}",
        "{initial_prompt: " + "word " * 50 + "}",
        "{temperature: [0.0, 0.2]}",
        "{vad_filter: true, vad_parameters: {threshold: 0.4}}",
    ],
)
def test_a_name_is_one_of_a_folder(catalog: Catalog, options: str) -> None:
    name = _one(catalog, f"{MICRO}:{options}").name
    assert NAME.fullmatch(name)
    assert len(name) < 100


def test_options_that_would_have_one_name_are_told_apart(catalog: Catalog) -> None:
    """In any order, so that a resumed run finds its own."""
    patterns = [f"{MICRO}:{{initial_prompt: {prompt}}}" for prompt in ("'a b'", "'a/b'")]
    names = [m.name for m in catalog.select(patterns)]
    assert len(set(names)) == 2
    assert names[::-1] == [m.name for m in catalog.select(patterns[::-1])]


def test_a_glob_and_a_checkpoint_take_options_too(catalog: Catalog) -> None:
    found = catalog.select(
        ["faster-whisper-t*:{beam_size: 2}", "faster_whisper:tiny:{beam_size: 3}"]
    )
    assert {m.options["beam_size"] for m in found} == {2, 3}
    assert [m.requested for m in found][:1] == ["faster-whisper-tiny:{beam_size: 2}"]
    assert not found[0].required  # met through a glob
    assert found[-1].checkpoint == "tiny"


def test_a_part_of_a_cascade_is_replaced(catalog: Catalog) -> None:
    model = _one(catalog, "assistant-micro:{asr: pocketsphinx-commands}")
    assert model.components["asr"]["engine"] == "pocketsphinx"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (f"{MICRO}:{{bean_size: 5}}", "no option 'bean_size'. Did you mean 'beam_size'?"),
        (f"{MICRO}:{{beam_size: five}}", "option beam_size: 'five' is not a whole number from 1"),
        (f"{MICRO}:{{beam_size: 5", "not valid YAML"),
        (f"{MICRO}:{{}}", "options as in {beam_size: 5, language: de} are expected"),
        (f"{MICRO}:{{beam_size}}", "option beam_size"),
        ("nobody:{beam_size: 5}", "no model of that name"),
    ],
)
def test_a_mistake_is_told(catalog: Catalog, pattern: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        catalog.select([pattern])
    assert str(caught.value).startswith("--model ")
    assert says in str(caught.value)


def test_a_checkpoint_has_a_name_of_ones_own(catalog: Catalog) -> None:
    path = "faster_whisper:/models/of/somebody/who/likes/long/names/of/folders/whisper-int8"
    assert len(_one(catalog, path).name) > 60
    model = _one(catalog, f"mine={path}")
    assert (model.name, model.requested) == ("mine", f"mine={path}")
    assert (model.engine, model.checkpoint) == (
        _one(catalog, path).engine, _one(catalog, path).checkpoint,
    )  # fmt: skip
    assert model.required


def test_other_options_and_entries_have_a_name_of_ones_own(catalog: Catalog) -> None:
    model = _one(catalog, f"wide={MICRO}:{{beam_size: 5}}")
    assert (model.name, model.options["beam_size"], model.default) == ("wide", 5, False)
    assert _one(catalog, f"mine={MICRO}").options == catalog.models[MICRO].options


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        ([f"{MICRO}=faster_whisper:tiny"], f"the catalogue has a model called {MICRO} already"),
        (["Pocketsphinx=faster_whisper:tiny"], "has a model called pocketsphinx already"),
        (["mine=whisper-*"], "one model is expected after mine="),
        (["mine=set:embedded"], "one model is expected after mine="),
        (["mine=yours=faster_whisper:tiny"], "one name is enough"),
        (["mine=no-such"], "no-such: no model of that name"),
        (["mine=faster_whisper:a", "Mine=faster_whisper:b"], "mine=faster_whisper:a has that name"),
    ],
)
def test_a_name_of_ones_own_is_of_one_model_alone(
    catalog: Catalog, patterns: list[str], says: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        catalog.select(patterns)


def test_one_name_twice_for_the_same_is_one_model(catalog: Catalog) -> None:
    assert [m.name for m in catalog.select(["mine=faster_whisper:a"] * 2)] == ["mine"]
