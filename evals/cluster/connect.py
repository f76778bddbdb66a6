"""A Ray cluster: one that is joined, or one on this machine that is started and ended again."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

#: How long the head node may take to answer at all.
CONNECT_SECONDS = 10.0
#: How long it may take to say that it is one.
HEALTH_SECONDS = 30.0
#: How long a joined cluster may take to have room for a replica: that of starting a machine.
ROOM_SECONDS = 300.0
#: Of this machine's memory, for objects of a local cluster: rows of text, never audio.
_OBJECT_STORE_BYTES = 200_000_000

#: Where Ray takes from whether a cluster wants a token, and which.
_AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_AUTH_HINT = (
    "the cluster wants a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
    "RAY_AUTH_TOKEN_PATH, as on its hosts"
)
#: Ray keeps in memory which it used first.
_TOKEN = secrets.token_hex(32)
#: How the folder of a local cluster begins.
FOLDER = "ml-ray-"
#: Whether the cluster that this process is connected to was started by it; empty without one.
_here: list[bool] = []

Resources = Mapping[str, float]


class ClusterError(Exception):
    """The cluster cannot do it, in a line that says why and what to do."""


@contextmanager
def connected(address: str | None = None, *, cores: int | None = None) -> Iterator[bool]:
    """The cluster at an address (HOST:PORT or "auto") until the end of the block.

    Without one the address is that of RAY_ADDRESS, which Ray's own job command sets; without
    that, a cluster is started on this machine with its cores and devices, and ended with the
    block. cores: how many it takes itself to have; None: as many as there are. Gives whether it
    was started here. Blocks may be nested: the outermost counts.
    Raises ClusterError where Ray is not installed or the address does not answer.
    """
    ray = library()
    if ray.is_initialized():
        yield _here[-1] if _here else False
        return
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address is not None and "://" in address:
        raise ClusterError(
            f"--ray-address {address}: HOST:PORT of the head node is expected, and a session that "
            "runs on a machine of the cluster (`ray job submit` sends it there)"
        )
    with ExitStack() as stack:
        settings: dict[str, Any] = {"address": address}
        if address is None:
            folder = _socket_folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(_own_token())
            settings = {
                "address": "local",
                "num_cpus": cores,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_temp_dir": str(folder),
            }
        else:
            _knock(address)
        stack.callback(_stop)
        with _unchanged_signals():
            _start(settings, address)
        _here.append(address is None)
        yield address is None


def _stop() -> None:
    _here.clear()
    with _unchanged_signals():
        library().shutdown()


@contextmanager
def _own_token() -> Iterator[None]:
    """Who wants to use the local cluster must know a word that only this process's children know.

    Ray would write one into the user's home and keep it there. What the user has set stays.
    """
    if any(os.environ.get(name) for name in _AUTHENTICATION):
        yield
        return
    os.environ["RAY_AUTH_TOKEN"] = _TOKEN
    try:
        yield
    finally:
        for name in _AUTHENTICATION:
            os.environ.pop(name, None)


def library(name: str = "ray") -> Any:
    """Ray's module of that name. Raises ClusterError where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "--executor ray: Ray is not installed. Install it with: uv sync --inexact --extra ray"
        )
    # Before the first import: it starts no process that tells anyone, and says nothing of itself.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # Where the session was typed as `uv run`, each worker would be one as well, and build its own.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    return importlib.import_module(name)


def _start(settings: Mapping[str, Any], address: str | None) -> None:
    errors = (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError)
    try:
        library().init(**settings, logging_level=logging.ERROR, log_to_driver=False)
    except (*errors, library("ray.exceptions").RayError) as error:
        if address is None:
            raise ClusterError(f"--executor ray: Ray does not start: {last_line(error)}") from error
        why = last_line(error)
        if _is_about_a_token(error):
            why = _AUTH_HINT
        raise ClusterError(f"--ray-address {address}: {why}") from error


def _is_about_a_token(error: BaseException | None) -> bool:
    while error is not None:
        if "InvalidAuthToken" in str(error) or type(error).__name__ == "AuthenticationError":
            return True
        error = error.__cause__ or error.__context__
    return False


def _knock(address: str) -> None:
    """Raise ClusterError unless a head node answers there: joining would try for minutes."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise ClusterError(f"--ray-address {address}: HOST:PORT is expected, as 10.0.0.1:6379")
    hint = "`ray start --head` prints the address of a cluster"
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise ClusterError(
            f"--ray-address {address}: nothing answers there ({why}); {hint}"
        ) from None
    ask = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(  # noqa: S603 - Ray's own command
            ask, capture_output=True, text=True, timeout=HEALTH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        why = "what listens there does not answer as a head node of Ray does"
    else:
        if done.returncode == 0:
            return
        why = (
            _AUTH_HINT if "InvalidAuthToken" in done.stderr else "it is no healthy head node of Ray"
        )
    raise ClusterError(f"--ray-address {address}: {why}; {hint}")


def _socket_folder() -> Path:
    """Where a local cluster keeps its sockets and logs, whose paths must be short."""
    # A socket's path has at most 107 bytes, of which Ray's own part takes about 70.
    base = Path("/tmp")  # noqa: S108 - mkdtemp makes a folder that is this user's alone
    there = base.is_dir() and os.name == "posix"
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir=base if there else None))


@contextmanager
def _unchanged_signals() -> Iterator[None]:
    """Ray sets a handler of SIGTERM of its own, which would end the session without its report."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def replicas_that_fit(each: Resources) -> int:
    """How many replicas with those resources the cluster's living nodes hold, were they idle."""
    return sum(
        min(math.floor(node["Resources"].get(name, 0.0) / amount) for name, amount in each.items())
        for node in library().nodes()
        if node["Alive"]
    )


def has_gpus() -> bool:
    """Whether a node of the cluster that is up has a GPU."""
    return bool(library().cluster_resources().get("GPU", 0.0))


def wait_for_room(each: Resources, local: bool, say: Callable[[str], None]) -> int:
    """How many replicas fit, at least one; a joined cluster may have to start a node for it.

    Raises ClusterError where none fits, in a joined cluster after ROOM_SECONDS.
    """
    found = replicas_that_fit(each)
    if found:
        return found
    wanted = " and ".join(f"{amount:g} {name}" for name, amount in each.items())
    if not local:
        say(f"no node has {wanted}: waiting up to {ROOM_SECONDS:g} s for the cluster to start one")
        # What is asked for and cannot be had is what makes an autoscaler start a node.
        group = library("ray.util").placement_group([dict(each)])
        try:
            if group.wait(timeout_seconds=ROOM_SECONDS) and (found := replicas_that_fit(each)):
                return found
        finally:
            library("ray.util").remove_placement_group(group)
    there = {
        name: amount
        for name, amount in library().cluster_resources().items()
        if name in ("CPU", "GPU")
    }
    has = " and ".join(f"{amount:g} {name}" for name, amount in there.items()) or "nothing"
    raise ClusterError(
        f"--executor ray: no node has the {wanted} that a replica takes (the whole cluster has "
        f"{has}): see --device and --threads"
    )


def last_line(error: BaseException) -> str:
    """The last line of what an error says: of Ray's, the one that is not a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
