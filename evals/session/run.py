"""The options and hooks of a session's run: where it goes, resuming it, sharing it out."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from filelock import FileLock, Timeout

from adapters.devices import place
from adapters.plugin import MODELS, ROOT
from adapters.redaction import redact, redact_file
from adapters.worker.parent_watch import tie_to
from evals.models.loaded import Settings
from evals.records.jsonl_reader import LineError
from evals.run import run_file, shards
from evals.run.case_store import refuse_changed_modules, tidy
from evals.run.engine_modules import NotResumed
from evals.run.folder import discard_unused, reserve
from evals.run.identity import Identity, model_identity
from evals.run.options import OF_RUN, OPTIONS, not_default
from evals.run.run_file import NotThisRun
from evals.run.shards import WHOLE, Part
from fixtures.fetch.download import without_secrets

RUN_DIR: pytest.StashKey[Path] = pytest.StashKey()
#: Which session of the run this is, from 1.
SESSION: pytest.StashKey[int] = pytest.StashKey()
SHARD: pytest.StashKey[Part] = pytest.StashKey()
_LOCK: pytest.StashKey[FileLock] = pytest.StashKey()
_RESUMED: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("model-lab-runs", "Model Lab: runs")
    group.addoption(
        "--runs-dir",
        metavar="PATH",
        default="runs",
        help="where runs are written (default: runs/)",
    )
    group.addoption(
        "--resume",
        metavar="RUN",
        help="resume a run that was interrupted: only the predictions that it lacks are made, "
        "with the options that it was begun with",
    )
    group.addoption(
        "--shard",
        metavar="I/N",
        help="only the I-th of N parts of each corpus; `python -m reports merge` puts the runs of "
        "all parts together",
    )
    group.addoption(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="where corpora are recognized: here, or by replicas on a Ray cluster (default: local)",
    )
    group.addoption(
        "--ray-address",
        metavar="HOST:PORT",
        help="the cluster's head node (default: RAY_ADDRESS, else one is started on this machine)",
    )
    group.addoption(
        "--ray-replicas",
        type=int,
        metavar="N",
        help="how many replicas of a model (default: as many as there is room for)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Settle the options that others read when they are configured.

    In pytest-xdist's workers too: they get the words of the command line, not what became of them.
    """
    if config.getoption("resume") is not None:
        _take_over(config)
    if config.getoption("shard") is not None:
        _judge_later(config)


def _take_over(config: pytest.Config) -> None:
    """The options of the run that is resumed, but for those that may be others and are given."""
    named = config.getoption("resume")
    run = _found(named, Path(config.getoption("runs_dir")))
    try:
        content = run_file.read(run)
    except ValueError as error:
        raise pytest.UsageError(f"--resume {named}: {error}") from None
    config.stash[_RESUMED] = content
    given = _given(config)
    for option in OF_RUN:
        name = option.name
        if not hasattr(config.option, name) or name not in content["options"]:
            continue
        value = run_file.option(content, name)
        if name not in given:
            setattr(config.option, name, value)
        elif option.on_resume == "fixed" and _plain(getattr(config.option, name)) != value:
            flag = option.typed
            was = f"with {flag} {_shown(value)}" if value else f"without {flag}"
            raise pytest.UsageError(
                f"--resume {named}: {flag} is another one: the run was begun {was}. Leave it out "
                "to resume the run, or start a new one"
            )
    directory = Path(str(content.get("directory", ".")))
    files = [str(directory / argument) for argument in content["arguments"]]
    if config.args_source == pytest.Config.ArgsSource.ARGS:
        here = [str(config.invocation_params.dir / argument) for argument in config.args]
        if here != files:
            raise pytest.UsageError(
                f"--resume {named}: the tests that are named are not those that the run was begun "
                f"with ({' '.join(content['arguments']) or 'none were'}): leave them out"
            )
    elif files:
        config.args[:] = files
    config.stash[RUN_DIR] = run
    config.stash[SESSION] = len(content["sessions"]) + 1


@pytest.hookimpl(trylast=True)  # the models are known then
def pytest_configure(config: pytest.Config) -> None:
    worker_input: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    try:
        shard = config.getoption("shard")
        config.stash[SHARD] = shards.parse(shard) if shard else WHOLE
    except ValueError as error:
        raise pytest.UsageError(f"--shard {error}") from None
    if worker_input is not None:
        # It must not go on writing to a run that nobody is at any more.
        if os.getppid() == worker_input["model_lab_controller"]:
            tie_to(os.getppid(), by_kernel=True)  # xdist starts them in the main thread
        config.stash[RUN_DIR] = Path(worker_input["model_lab_run_dir"])
        config.stash[SESSION] = int(worker_input["model_lab_session"])
        return
    _refuse_crowding(config)
    _check_cluster(config)
    if (content := config.stash.get(_RESUMED, None)) is not None:
        _take_up(config, content)
    _end_in_order(config)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Where a file cannot be written the next one cannot either, so the session ends."""
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, OSError) and error.errno in _NO_ROOM and RUN_DIR in item.config.stash:
        where = error.filename or item.config.stash[RUN_DIR]
        item.session.shouldstop = f"{where}: {error.strerror}: free some space, and resume the run"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist the controller reserves the run and tells its workers."""
    node.workerinput["model_lab_run_dir"] = str(run_dir(node.config))
    node.workerinput["model_lab_controller"] = os.getpid()
    node.workerinput["model_lab_session"] = node.config.stash[SESSION]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Parts of a corpus to different workers, unless the user says how tests are to be spread."""
    if config.getoption("dist") != "load":
        return None
    from evals.session.xdist_scheduler import ByModelAndPart

    return ByModelAndPart(config, log, [model.name for model in config.stash[MODELS]])


def run_dir(config: pytest.Config) -> Path:
    """The session's run folder, made the first time that somebody needs it, and nobody else's."""
    if RUN_DIR not in config.stash:
        run = reserve(Path(config.getoption("runs_dir")).resolve())
        config.stash[RUN_DIR] = run
        config.stash[SESSION] = 1
        _lock(run, config)
        run_file.write(run, _begun(config))
    return config.stash[RUN_DIR]


def discard_run(config: pytest.Config) -> None:
    """Take the run's folder away where this session began it and evaluated nothing in it."""
    if RUN_DIR in config.stash and config.stash[SESSION] == 1:
        config.stash[_LOCK].release()  # or some systems keep the file
        discard_unused(config.stash[RUN_DIR])


def worker_number(config: pytest.Config) -> int:
    """Of pytest-xdist's workers, from 0; 0 without it."""
    worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
    digits = "".join(c for c in str(worker_input.get("workerid", "")) if c.isdigit())
    return int(digits or 0)


def worker_count(config: pytest.Config) -> int:
    """How many of them there are; 1 without it."""
    worker_input: Mapping[str, Any] = getattr(config, "workerinput", {})
    return int(worker_input.get("workercount", 1))


def identities(config: pytest.Config) -> dict[str, Identity]:
    """What each model of the session is, as it is run here."""
    settings = Settings(threads=config.getoption("threads"), seed=config.getoption("seed"))
    found: dict[str, Identity] = {}
    for model in config.stash[MODELS]:
        devices = model.engine.adapter().devices
        device = place(config.getoption("device"), devices, model.engine.name).device
        identity = model_identity(model, settings, device)
        found[model.name] = json.loads(redact(json.dumps(identity)))
    return found


def suggested(config: pytest.Config) -> dict[str, Any]:
    """What a suggested command needs to know of the session's options: those not at their default.

    In the project's folder pytest finds its configuration and the tests itself.
    """
    values = {name: _plain(getattr(config.option, name, None)) for name in OPTIONS}
    here = config.invocation_params.dir
    named = config.args if config.args_source == pytest.Config.ArgsSource.ARGS else []
    values["file_or_dir"] = [str(word) for word in named if (here / word).is_dir()]
    if here == ROOT or ROOT in here.parents:
        values |= {"inifilename": None, "rootdir": None, "file_or_dir": None}
    return not_default(values)


def _found(named: str, runs: Path) -> Path:
    for path in (Path(named), runs / named):
        if path.is_dir():
            return path.resolve()
    raise pytest.UsageError(f"--resume {named}: no such run's folder")


def _given(config: pytest.Config) -> set[str]:
    """The options that the command line, or PYTEST_ADDOPTS, names."""
    words = [str(word) for word in config.invocation_params.args]
    words += os.environ.get("PYTEST_ADDOPTS", "").split()
    found = set()
    for option in OF_RUN:
        flag = option.typed
        short = len(flag) == 2
        if any(w == flag or w.startswith(flag if short else f"{flag}=") for w in words):
            found.add(option.name)
    return found


def _begun(config: pytest.Config) -> dict[str, Any]:
    options = {
        option.name: _plain(getattr(config.option, option.name))
        for option in OF_RUN
        if hasattr(config.option, option.name)
    }
    named = config.args_source == pytest.Config.ArgsSource.ARGS
    return run_file.begun(
        options,
        config.args if named else (),
        config.invocation_params.dir,
        identities(config),
        _now(),
        _command(config),
    )


def _take_up(config: pytest.Config, content: dict[str, Any]) -> None:
    run = config.stash[RUN_DIR]
    try:
        run_file.refuse_changes(content, identities(config))
        refuse_changed_modules(run)
        _lock(run, config)
        tidy(run)
        for log in run.rglob("*.log"):
            redact_file(log)  # of a session that was killed before it could
        content["sessions"].append({"started": _now(), "command_line": _command(config)})
        run_file.write(run, content)
    except (NotThisRun, NotResumed, LineError, OSError) as error:
        raise pytest.UsageError(f"--resume {run}: {error}") from None


def _lock(run: Path, config: pytest.Config) -> None:
    """Two sessions never write to one run: the system lets go of the lock with the process."""
    lock = FileLock(run / ".session.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise pytest.UsageError(
            f"--resume {run}: another session is writing to it: wait for its end, or stop it"
        ) from None
    config.stash[_LOCK] = lock
    config.add_cleanup(lock.release)


def _judge_later(config: pytest.Config) -> None:
    """A part of a corpus is held to nothing: the whole is, when it is put together."""
    named = {
        "--gate": config.getoption("gate") == "production",
        "--baseline": config.getoption("baseline"),
    }
    if wrong := [flag for flag, given in named.items() if given]:
        raise pytest.UsageError(
            f"--shard: {wrong[0]} is for the whole corpus: give it to python -m reports merge"
        )
    config.option.gate = "off"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a shard, what cannot be shared out is the first one's."""
    shard = config.stash[SHARD]
    if shard.is_whole:
        return
    kept: list[pytest.Item] = []
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if wrong := names & {"sentences", "dialogues"}:
            raise pytest.UsageError(
                f"--shard: corpora of {wrong.pop()} are not shared out: run {item.path.stem} whole"
            )
        if "corpus" in names or "stored" not in names or shard.number == 1:
            kept.append(item)
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def _refuse_crowding(config: pytest.Config) -> None:
    """More threads than cores would slow every model down, and tell nothing of any."""
    workers = config.getoption("numprocesses", None) or 1
    threads = config.getoption("threads")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if workers > 1 and threads > 1 and workers * threads > (cores or 1):
        raise pytest.UsageError(
            f"--threads {threads} with -n {workers} needs {workers * threads} cores, and this "
            f"machine has {cores}: lower one of them"
        )


def _check_cluster(config: pytest.Config) -> None:
    for flag in ("ray_address", "ray_replicas"):
        if config.getoption(flag) is not None and config.getoption("executor") != "ray":
            raise pytest.UsageError(f"--{flag.replace('_', '-')}: it needs --executor ray")
    replicas = config.getoption("ray_replicas")
    if replicas is not None and replicas < 1:
        raise pytest.UsageError("--ray-replicas: at least 1 is needed")
    if config.getoption("executor") == "ray" and (config.getoption("numprocesses", None) or 0) > 0:
        raise pytest.UsageError("--executor ray: the replicas share the work: leave out -n")


def _end_in_order(config: pytest.Config) -> None:
    """SIGTERM ends a session as Ctrl-C does: with a scorecard of what there is."""
    if threading.current_thread() is not threading.main_thread():
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        raise KeyboardInterrupt("SIGTERM")

    before = signal.signal(signal.SIGTERM, stop)

    def restore() -> None:
        signal.signal(signal.SIGTERM, before)

    config.add_cleanup(restore)


def _command(config: pytest.Config) -> list[str]:
    return [redact(without_secrets(str(word))) for word in config.invocation_params.args]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(without_secrets(str(value)))  # it goes into the run's file


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
