"""The process that a model lives in, and how requests get there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import psutil

from adapters import redaction
from adapters.worker import parent_watch
from adapters.worker.connection import handed_over, pair
from adapters.worker.messages import GAVE_UP, Message
from adapters.worker.one_line import raised
from adapters.worker.results import WorkerError
from adapters.worker.server import Worker

_PACKAGE = str(Path(__file__).parents[1])

# Only this package goes to the worker: its environment may be another Python's, which must
# not find the harness's own packages.
_BOOTSTRAP = """
import importlib.util, json, sys
told = json.loads(sys.argv.pop())
folder = told["package"]
spec = importlib.util.spec_from_file_location(
    "adapters", folder + "/__init__.py", submodule_search_locations=[folder]
)
module = importlib.util.module_from_spec(spec)
sys.modules["adapters"] = module
spec.loader.exec_module(module)
try:
    from adapters.worker.server import serve
except BaseException:
    import traceback
    from multiprocessing.connection import Connection
    traceback.print_exc()
    said = json.dumps({"gave_up": traceback.format_exc()})
    Connection(told["wire"]).send_bytes(said.encode())
    sys.exit(1)
serve(told)
"""
#: A new interpreter, and numpy: seconds, also on a busy machine.
_START_SECONDS = 60.0
#: What it may take to end: longer, and it is killed.
_END_SECONDS = 2.0

# Nothing is ever downloaded unasked: engines that look for a hub find it offline.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


class Transport(Protocol):
    def ask(self, request: Message, limit_seconds: float) -> Message: ...
    def stop(self) -> None: ...
    @property
    def alive(self) -> bool: ...


class InProcess:
    """`--isolation none`: the model in the harness's own process, for a debugger."""

    alive = True

    def __init__(self) -> None:
        self._worker = Worker()

    def ask(self, request: Message, limit_seconds: float) -> Message:
        return self._worker.handle(request)

    def stop(self) -> None:
        self.alive = False


class WorkerProcess:
    """A worker in a process of its own.

    withheld: variables of the environment that the model does not get.
    """

    def __init__(
        self, threads: int, log: Path | None, python: Path | None, withheld: Sequence[str] = ()
    ) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in withheld},
            **_OFFLINE,
            # Thread pools read these when their library is imported.
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
        }
        self._log = log
        self._log_start = log.stat().st_size if log is not None and log.exists() else 0
        self.alive = True
        self._wire, theirs = pair()
        told = {
            "package": _PACKAGE,
            "wire": theirs.fileno(),
            "parent": os.getpid(),
            "by_kernel": threading.current_thread() is threading.main_thread(),
        }
        command = [str(python or sys.executable), "-u", "-c", _BOOTSTRAP, json.dumps(told)]
        # What engines print, and the stack of a segfault, go to the model's log.
        try:
            with ExitStack() as files:
                files.enter_context(theirs)
                output = files.enter_context(log.open("ab")) if log is not None else None
                files.enter_context(parent_watch.deaf_children())
                self._popen = subprocess.Popen(  # noqa: S603 - the Python that we run in or built
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if output is None else output,
                    stderr=output,
                    **handed_over(theirs),
                )
        except OSError as error:
            self._wire.close()
            why = f"{type(error).__name__}: {error}"
            raise WorkerError("exited", f"the worker did not start: {why}") from None
        except BaseException:
            if "_popen" in vars(self):  # Ctrl-C, held back until the process was there
                self._kill()
            raise
        try:
            answer = self._wire.receive(_START_SECONDS)
        except TimeoutError:
            self._kill()
            raise WorkerError("hung", f"the worker did not start in {_START_SECONDS:g} s") from None
        except (EOFError, OSError):
            raise self._obituary("its start") from None
        except BaseException:
            self._kill()
            raise
        if GAVE_UP in answer:
            raise self._gave_up("did not start", answer)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def ask(self, request: Message, limit_seconds: float) -> Message:
        try:
            answer = self._wire.ask(request, limit_seconds)
        except TimeoutError:
            self._kill()
            option = "--load-time-limit" if request["op"] == "load" else "--time-limit"
            for_a_minute = "" if request["op"] == "load" else " for a minute of audio or less"
            raise WorkerError(
                "hung",
                f"no answer to {request['op']!r} within {limit_seconds:g} s, so the worker was "
                f"killed ({option} sets the seconds allowed{for_a_minute})",
            ) from None
        except (EOFError, OSError):
            raise self._obituary(repr(request["op"])) from None
        except BaseException:
            # Ctrl-C, say: the answer is still to come, and would be taken for the next one's.
            self._kill()
            raise
        if GAVE_UP in answer:
            raise self._gave_up("gave up", answer)
        return answer

    def stop(self) -> None:
        self.alive = False
        self._wire.close()
        try:
            self._popen.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(_END_SECONDS)
        if self._log is not None:
            redaction.redact_file(self._log, self._log_start)

    def _gave_up(self, what: str, answer: Message) -> WorkerError:
        """Why it did, in one line; its traceback is in the log."""
        self._kill()
        said = raised(answer[GAVE_UP])
        if said.startswith("ModuleNotFoundError"):
            said += " (install it in the Python that the model runs in)"
        if self._log is not None:
            said += f"; where it was raised is in {self._log}"
        return WorkerError("exited", f"the worker {what}: {said}")

    def _kill(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children(recursive=True):
                child.kill()
        self._popen.kill()
        self.stop()

    def _obituary(self, when: str) -> WorkerError:
        """Why the process is gone, as far as its exit status and its last words tell."""
        try:
            status: int | None = self._popen.wait(5.0)
        except subprocess.TimeoutExpired:
            status = None
        self._kill()
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            what, kind = f"was ended by {name}{hint}", "crashed"
        else:
            what = "ended" + (f" with exit status {status}" if status is not None else "")
            kind = "exited"
        return WorkerError(kind, f"the worker {what} during {when}{self._last_words()}")

    def _last_words(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            said = file.read().decode("utf-8", "replace").strip()
        return f"; its output is in {self._log}" if said else ""
