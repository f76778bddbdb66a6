"""thresholds.yaml and catalogues: each mistake gets one error with file, line and key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalog import yaml_file
from adapters.catalog.catalog import BUILTIN, Catalog
from adapters.catalog.yaml_file import ConfigError
from evals.gate.thresholds import DEFAULT, Thresholds, load

TEXT = DEFAULT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("wer: {max: 0.10}", "wre: {max: 0.10}", "tiers.production.limits.asr.wre", "unknown metric"),
        ("wer: {max: 0.10}", "wer: {min: 0.10}", "tiers.production.limits.asr.wer", "limited by max"),
        ("wer: {max: 0.10}", "wer: {max: ten}", "tiers.production.limits.asr.wer.max", "number"),
        ("wer: {max: 0.10}", "wer: {}", "tiers.production.limits.asr.wer", "exactly one"),
        ("wer: {max: 0.10}", "wer: {max: .nan}", "tiers.production.limits.asr.wer.max", "finite"),
        ("{A: 0.05, B: 0.10, C: 0.20}", "{A: 0.2, B: 0.1, C: 0.05}", "bands.asr.wer", "impossible"),
        ("{A: 0.05, B: 0.10, C: 0.20}", "{A: 0.1, B: 0.1, C: 0.2}", "bands.asr.wer", "impossible"),
        ("{A: 0.99, B: 0.95, C: 0.90}", "{A: 0.9, B: 0.95, C: 0.99}", "bands.asr.success_rate", "fall"),
        ("inconclusive: fail ", "inconclusive: maybe ", "tiers.production.inconclusive", "'fail'"),
        ("schema_version: 1", "schema_version: 9", "schema_version", "1"),
        ("schema_version: 1", "schema_version: 1\nextra: 1", "extra", "unknown key"),
        ("  latency:\n    # Of", "  latenzy:\n    # Of", "bands.latenzy.latency_p95", "unknown task"),
        ("wer: {max: 0.10}", "wer/timer: {max: 0.10}", "tiers.production.limits.asr.wer/timer", "KEY=V"),
        ("cer: {max: 0.05}", "cer/a=b: {max: 0.05}", "tiers.production.limits.asr.cer/a=b", "by parts"),
        ("wer: {max: 0.10}", "wer_by_normalizer: {max: 1}", "tiers.production.limits.asr.wer_by_normalizer", "unknown"),
        ("wer_drift/reverb:", "wer_drift/fog:", "tiers.production.limits.robustness.wer_drift/fog", "one of white-20db"),
        ("wer_drift/reverb:", "wer_drift:", "tiers.production.limits.robustness.wer_drift", "wer_drift/CONDITION"),
        ("wer: {max: 0.10}", "wer: {max: 10}", "tiers.production.limits.asr.wer.max", "10 is 1,000 %; write 0.10 or 10%"),
        ("wer: {max: 0.10}", "wer: {max: 1000%}", "tiers.production.limits.asr.wer.max", "at most 100%"),
        ("wer: {max: 0.10}", "wer: {max: -0.1}", "tiers.production.limits.asr.wer.max", "never below 0"),
        ("wer: {max: 0.10}", "wer: {max: -10%}", "tiers.production.limits.asr.wer.max", "never below 0"),
        ("wer: {max: 0.10}", "wer: {max: 10 percent}", "tiers.production.limits.asr.wer.max", "such as 10%"),
        ("success_rate: {min: 0.95}", "success_rate: {min: 95}", "tiers.production.limits.asr.success_rate.min", "write 0.95 or 95%"),
        ("rtf: {max: 1.0}", "rtf: {max: 50%}", "tiers.production.limits.asr.rtf.max", "without %"),
        ("rtf: {max: 1.0}", "rtf: {max: -1.0}", "tiers.production.limits.asr.rtf.max", "never below 0"),
        ("peak_memory: {max: 4000}", "peak_memory: {max: 50%}", "tiers.production.limits.asr.peak_memory.max", "without %"),
        ("latency_p95: {max: 2.0}", "latency_p95: {max: -2}", "tiers.production.limits.latency.latency_p95.max", "never below 0"),
        ("wer_drift/reverb: {max: 0.10}", "wer_drift/reverb: {max: 10}", "tiers.production.limits.robustness.wer_drift/reverb.max", "0.10 or 10%"),
        ("wer: {max: 0.03}", "wer: {max: 3}", "models.faster-whisper-micro.voice-commands.asr.wer.max", "3 is 300 %; write 0.03 or 3%"),
        ("      asr:\n        wer: {max: 0.03}", "      latency:\n        latency_p95: {max: 3}", "models.faster-whisper-micro.voice-commands.latency", "clip-5s"),
        ("sentence_error_rate: {max: 0.10}", "sentence_error_rate: {max: 10}", "use_cases.voice-assistant.reject.sentence_error_rate.max", "0.10 or 10%"),
        ("{A: 0.05, B: 0.10, C: 0.20}", "{A: 5, B: 10, C: 20}", "bands.asr.wer.A", "write 0.05 or 5%"),
        ("{A: 0.05, B: 0.10, C: 0.20}", "{A: -0.1, B: 0.1, C: 0.2}", "bands.asr.wer.A", "never below 0"),
        ("      wer: 0.005", "      wer: 50", "baseline.margins.asr.wer", "50 is 5,000 %; write 0.50 or 50%"),
        ("      wer: 0.005", "      wer: -0.005", "baseline.margins.asr.wer", "never below 0"),
        ("    asr:\n      # Set by the team: half", "    tts: {wer: 0.01}\n    asr:\n      # Set by the team: half", "baseline.margins.tts.wer", "only in asr"),
        ("    asr:\n      # Set by the team: half", "    chat: {success_rate: 0.01}\n    asr:\n      # Set by the team: half", "baseline.margins.chat.success_rate", "only in asr"),
        ("{wer: 6, rtf: 2", "{wer: 0, rtf: 2", "use_cases.general.weights.wer", "positive"),
        ("{wer: 6, rtf: 2", "{rtfx: 6, rtf: 2", "use_cases.general.weights.rtfx", "production limit"),
    ],
)  # fmt: skip
def test_thresholds_mistakes_name_key_and_line(
    tmp_path: Path, old: str, new: str, key: str, says: str
) -> None:
    assert old in TEXT, "the shipped file changed; this table must follow"
    file = tmp_path / "t.yaml"
    file.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    message = str(caught.value)
    assert f": {key}: " in message
    assert says in message
    line = int(message.split(":")[1])
    assert key.split(".")[-1] in file.read_text().splitlines()[line - 1] or new.strip("\n") in TEXT


@pytest.mark.parametrize("written", ["10%", "10 %", "10.0%", "'10%'", "0.10", "0.1"])
def test_ten_per_cent_is_ten_per_cent(tmp_path: Path, written: str) -> None:
    file = tmp_path / "t.yaml"
    text = TEXT.replace("0.10", written).replace("0.005", "0.5%")
    file.write_text(text, encoding="utf-8")
    assert load(file) == load()
    limits = load(file).limits(model="m", tier="production", task="asr", corpus="c", gate="tier")
    assert [(m.value, type(m.value)) for m in limits["wer"]] == [(0.1, float)]


@pytest.mark.slow
@given(st.decimals(0, 100, places=3))
def test_any_percentage_is_its_part_of_1(
    tmp_path_factory: pytest.TempPathFactory, share: Decimal
) -> None:
    file = tmp_path_factory.getbasetemp() / "percentage.yaml"
    file.write_text(TEXT.replace("wer: {max: 0.10}", f"wer: {{max: {share:f}%}}", 1))
    assert load(file).tiers["production"].limits["asr"]["wer"].max == float(share / 100)


def test_what_may_exceed_1_or_be_negative(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    limits = {
        "asr": {"rtf": "{max: 12}", "rtfx": "{min: 20}", "length_ratio": "{max: 1.5}"},
        "tts": {"loudness": "{min: -30}", "wer_above_judge": "{max: -1%}", "mcd": "{max: 8}"},
        "robustness": {"wer_drift/mp3": "{max: -0.01}"},
    }
    text = "".join(
        f"      {task}: {{{', '.join(f'{name}: {limit}' for name, limit in rows.items())}}}\n"
        for task, rows in limits.items()
    )
    baseline = "  baseline:\n"
    head, tail = TEXT.split(baseline, 1)
    before, after = tail.split("    limits:\n", 1)
    file.write_text(f"{head}{baseline}{before}    limits:\n{text}{after}", encoding="utf-8")
    found = load(file).tiers["baseline"].limits
    assert found["tts"]["loudness"].min == -30
    assert found["tts"]["wer_above_judge"].max == -0.01


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", ":1: not valid YAML"),
        ("a: 1\na: 2", ":2: a: the key is there twice"),
        ("- 1", ":1: a mapping"),
        ("a: &x {b: *x}", "nested"),
        ("", "missing"),
        ("a: !!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        yaml_file.load(file, Thresholds)
    assert str(file) in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_text_gives_an_error_or_a_result(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        yaml_file.load(file, Thresholds)


CATALOG = """schema_version: 1
models:
  one: {engine: pocketsphinx, tasks: [asr]}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("pocketsphinx", "pocketsfinx", "models.one.engine: no engine is called"),
        ("[asr]", "[tts]", "models.one.tasks: engine 'pocketsphinx' does not do 'tts'"),
        ("[asr]", "[singing]", ":3: models.one.tasks.0"),
        ("[asr]}", "[asr], tear: x}", ":3: models.one.tear: unknown key"),
        ("[asr]}", "[asr], options: {bean: 1}}", "has no option 'bean'"),
        ("one:", "o/ne:", "models.o/ne"),
        ("one: {", "faster-whisper-micro: {", "has a model of this name already"),
        ("engine: pocketsphinx", "engine: nowhere.py", "no such file"),
    ],
)
def test_catalogue_mistakes(tmp_path: Path, old: str, new: str, says: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CATALOG.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        Catalog([BUILTIN, file])
    assert str(file) in str(caught.value)
    assert says in str(caught.value)


def test_engine_file_that_is_no_adapter(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text("x = 1\n")
    (tmp_path / "c.yaml").write_text(CATALOG.replace("pocketsphinx", "engine.py"))
    with pytest.raises(ConfigError, match="ADAPTER must name"):
        Catalog([tmp_path / "c.yaml"])
    (tmp_path / "broken.py").write_text("import nothing_like_it\n")
    (tmp_path / "c.yaml").write_text(CATALOG.replace("pocketsphinx", "broken.py"))
    with pytest.raises(ConfigError, match="nothing_like_it"):
        Catalog([tmp_path / "c.yaml"])


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (None, ["faster-whisper-micro", "pocketsphinx-commands", "espeak", "assistant-micro"]),
        (["pocketsphinx"], ["pocketsphinx"]),
        (["pocketsphinx*"], ["pocketsphinx-commands", "pocketsphinx"]),
        (["pocketsphinx", "pocketsphinx*"], ["pocketsphinx", "pocketsphinx-commands"]),
        (["faster_whisper:/no/such"], ["faster_whisper-no-such"]),
    ],
)
def test_selection(patterns: list[str] | None, names: list[str]) -> None:
    assert [m.name for m in Catalog().select(patterns)] == names


def test_sets_and_required() -> None:
    catalog = Catalog()
    for sign in ("set:", "@"):
        assert [m.name for m in catalog.select([f"{sign}embedded"])] == catalog.sets["embedded"]
    chosen = {m.name: m.required for m in catalog.select(["pocketsphinx*", "pocketsphinx"])}
    assert chosen == {"pocketsphinx-commands": False, "pocketsphinx": True}


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("pocketsfinx", "Did you mean 'pocketsphinx'"),
        ("zzz*", "Models: faster-whisper-micro"),
        ("set:none", "Sets: set:embedded"),
        ("@none", "Sets: set:embedded"),
        ("nothing:x", "Engines: "),
        ("faster_whisper:", "a checkpoint is expected"),
    ],
)
def test_selection_of_nothing_says_what_exists(pattern: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Catalog().select([pattern])
    assert says in str(caught.value)
