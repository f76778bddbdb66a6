"""The options of a session, each declared once: what resuming, merging and suggested commands do.

The plugins register them with pytest, with help for people. Whatever else needs to know of an
option asks here, so that none can be forgotten in a list: `tests/evals/run/test_options.py` holds
the declarations against what the plugins register.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from evals.measures.sound.speaker_similarity import DEFAULT as ENCODER

#: fixed: decides what is predicted, or of what, so that a resumed run keeps it. free: decides how
#: predictions are judged and shown. session: of the one session alone, never of its run.
OnResume: TypeAlias = Literal["fixed", "free", "session"]
Kind: TypeAlias = Literal["text", "whole", "number", "flag"]

_PRICES = Path(__file__).parents[2] / "reports" / "scorecard" / "prices.yaml"
_SPOKEN = frozenset({"tts", "chat"})


@dataclass(frozen=True, slots=True)
class SessionOption:
    """One option.

    name: pytest's name of it, an attribute of `config.option`. several: given more than once.
    is_path: its values may be paths. path_after: what one begins with that has a path behind it.
    repeated: a suggested command has it where the session had. selects: says which tests there are.
    alike: runs that are put together must have had the same. tasks: those that read it; None: all.
    flag: as typed, where not `--` and the name; "": an argument without one.
    """

    name: str
    on_resume: OnResume
    kind: Kind = "text"
    default: Any = None
    several: bool = False
    is_path: bool = False
    path_after: str | None = None
    repeated: bool = False
    selects: bool = False
    alike: bool = False
    tasks: frozenset[str] | None = None
    flag: str | None = None

    @property
    def typed(self) -> str:
        """As it is typed: "--audio-root"."""
        return "--" + self.name.replace("_", "-") if self.flag is None else self.flag

    def takes(self, value: Any) -> bool:
        """Whether the command line could have given the value."""
        if value is None:
            return True
        if self.several and not isinstance(value, str):
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind in ("whole", "number"):
            kinds = int if self.kind == "whole" else (int, float)
            is_number = isinstance(value, kinds) and not isinstance(value, bool)
            return is_number and -(2**63) <= value < 2**63
        return isinstance(value, str) and "\0" not in value

    def words(self, value: Any) -> list[str]:
        """The words of a command line that give the value; none for the default."""
        if value in (None, [], False, self.default):
            return []
        if self.kind == "flag":
            return [self.typed]
        values = given(value) if self.several else [value]
        if len(self.typed) == 2:  # -c takes a word of its own
            return [word for one in values for word in (self.typed, str(one))]
        # In one word: pytest takes a path in a word of its own for the place of the tests.
        return [f"{self.typed}={one}" if self.typed else str(one) for one in values]


def given(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The values of an option that may be given several times.

    A text alone is of a run from before it could be.
    """
    return (value,) if isinstance(value, str) else tuple(value or ())


def _fixed(name: str, **more: Any) -> SessionOption:
    return SessionOption(name, "fixed", **more)


def _free(name: str, **more: Any) -> SessionOption:
    return SessionOption(name, "free", **more)


def _session(name: str, **more: Any) -> SessionOption:
    return SessionOption(name, "session", **more)


#: Of pytest itself and of every plugin of the project. A suggested command names its own task and
#: models, and is run whole, here and with a process for each model.
DECLARED: tuple[SessionOption, ...] = (
    # pytest's own. The last three matter where a session runs outside of the project's folder.
    _fixed("markexpr", default="", selects=True, flag="-m"),
    _fixed("keyword", default="", selects=True, flag="-k"),
    _session("inifilename", is_path=True, repeated=True, flag="-c"),
    _session("rootdir", is_path=True, repeated=True),
    _session("file_or_dir", several=True, is_path=True, repeated=True, flag=""),
    # What is evaluated.
    _fixed("plugin_file", several=True, is_path=True, repeated=True),
    _fixed("model", several=True, path_after="predictions:"),
    _fixed("catalog", several=True, is_path=True, repeated=True),
    _fixed("corpus", several=True, is_path=True, repeated=True),
    _fixed("audio_root", several=True, is_path=True, repeated=True),
    _fixed("limit", kind="whole", alike=True),
    _fixed("shard"),
    # How models are run.
    _fixed("device", default="auto", repeated=True),
    _fixed("threads", kind="whole", default=1, repeated=True, alike=True),
    _fixed("seed", kind="whole", default=0, repeated=True, alike=True),
    _fixed("isolation", default="process", repeated=True, alike=True),
    _fixed("envs", kind="flag", default=False, repeated=True),
    _free("time_limit", kind="number", default=120.0, repeated=True),
    _free("load_time_limit", kind="number", repeated=True),
    _free("executor", default="local"),
    _free("ray_address"),
    _free("ray_replicas", kind="whole"),
    # Who listens, and to how much.
    _fixed("judge", several=True, repeated=True, alike=True, tasks=_SPOKEN),
    _fixed("user_voice", repeated=True, alike=True, tasks=frozenset({"chat"})),
    _fixed("llm_judge", repeated=True, alike=True, tasks=frozenset({"chat"})),
    _fixed("llm_judge_url", repeated=True, alike=True, tasks=frozenset({"chat"})),
    _fixed("rated_clips", kind="whole", default=20, repeated=True, alike=True, tasks=_SPOKEN),
    _fixed("utmos", is_path=True, repeated=True, alike=True, tasks=_SPOKEN),
    _fixed(
        "speaker_encoder",
        default=ENCODER,
        is_path=True,
        repeated=True,
        alike=True,
        tasks=_SPOKEN,
    ),
    _fixed(
        "robustness_utterances",
        kind="whole",
        default=40,
        repeated=True,
        alike=True,
        tasks=frozenset({"robustness"}),
    ),
    # What is good enough.
    _free("gate", default="tier", repeated=True),
    _free("thresholds", several=True, is_path=True, repeated=True),
    _free("baseline", is_path=True, repeated=True),
    _free("map", several=True, repeated=True),
    # What is shown, and where it goes.
    _free("prices", default=str(_PRICES), is_path=True, repeated=True),
    _free("hardware", repeated=True),
    _free("report_audio", kind="flag", default=False),
    _session("github", kind="flag", default=False),
    _session("runs_dir", default="runs", is_path=True, repeated=True),
    _session("resume", is_path=True),
)
OPTIONS: Mapping[str, SessionOption] = {option.name: option for option in DECLARED}
#: Those that the file of a run keeps.
OF_RUN: tuple[SessionOption, ...] = tuple(o for o in DECLARED if o.on_resume != "session")


def not_default(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of values by option, those that a person has given another value than the default."""
    return {
        name: value
        for name, value in values.items()
        if name in OPTIONS and value not in (None, [], OPTIONS[name].default)
    }
