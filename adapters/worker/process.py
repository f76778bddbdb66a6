"""The process that a model lives in, and how requests get there."""

from __future__ import annotations

import os
import shlex
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import execnet
import psutil

from adapters import redaction
from adapters.worker import parent_watch
from adapters.worker.connection import Wire, listening
from adapters.worker.messages import Message
from adapters.worker.one_line import raised
from adapters.worker.results import WorkerError
from adapters.worker.server import Worker

_PACKAGE = str(Path(__file__).parents[1])

# Only this package goes to the worker: its environment may be another Python's, which must
# not find the harness's own packages.
_BOOTSTRAP = """
import importlib.util, sys
folder = channel.receive()
spec = importlib.util.spec_from_file_location(
    "adapters", folder + "/__init__.py", submodule_search_locations=[folder]
)
module = importlib.util.module_from_spec(spec)
sys.modules["adapters"] = module
spec.loader.exec_module(module)
from adapters.worker.server import serve
serve(channel)
"""
#: A new interpreter, and numpy: seconds, also on a busy machine.
_START_SECONDS = 60.0
#: What is asked for every utterance.
_OFTEN = ("transcribe", "transcribe_batch")

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


class Gateway:
    """A worker process behind an execnet gateway.

    withheld: variables of the environment that the model does not get.
    """

    def __init__(
        self, threads: int, log: Path | None, python: Path | None, withheld: Sequence[str] = ()
    ) -> None:
        # Thread pools read these when their library is imported, so they are set before.
        environment = {
            **_OFFLINE,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
        }
        where = [f"python={shlex.quote(str(python))}"] if python is not None else []
        settings = [f"env:{key}={value}" for key, value in environment.items()]
        spec = "//".join(["popen", *where, *settings])
        self._group = execnet.Group()
        self._log = log
        self._log_start = log.stat().st_size if log is not None and log.exists() else 0
        self.alive = True
        self._process: psutil.Process | None = None
        self._wire: Wire | None = None
        try:
            with parent_watch.deaf_children():
                gateway = self._group.makegateway(spec)
            self._channel = gateway.remote_exec(_BOOTSTRAP)
            self._channel.send(_PACKAGE)
            with listening() as listener:
                self._channel.send(
                    {
                        "wire": listener.told,
                        "log": str(log) if log is not None else "",
                        "withheld": list(withheld),
                        "parent": os.getpid(),
                        "by_kernel": threading.current_thread() is threading.main_thread(),
                    }
                )
                self._process = psutil.Process(self._receive(_START_SECONDS)["pid"])
                self._wire = listener.accept(_START_SECONDS)
        except (execnet.TimeoutError, execnet.RemoteError, EOFError, OSError) as error:
            what = "hung" if isinstance(error, execnet.TimeoutError) else "exited"
            said = self._in_one_line(error)
            self._kill()
            raise WorkerError(what, f"the worker did not start: {said}") from None
        except BaseException:
            self._kill()
            raise

    def ask(self, request: Message, limit_seconds: float) -> Message:
        try:
            assert self._wire is not None  # or else it did not start
            if request["op"] in _OFTEN:
                return self._wire.ask(request, limit_seconds)
            self._channel.send(request)
            self._wire.point_at_channel()
            return self._receive(limit_seconds)
        except (TimeoutError, self._channel.TimeoutError):
            self._kill()
            option = "--load-time-limit" if request["op"] == "load" else "--time-limit"
            for_a_minute = "" if request["op"] == "load" else " for a minute of audio or less"
            raise WorkerError(
                "hung",
                f"no answer to {request['op']!r} within {limit_seconds:g} s, so the worker was "
                f"killed ({option} sets the seconds allowed{for_a_minute})",
            ) from None
        except (EOFError, OSError):
            raise self._ended(request["op"]) from None
        except execnet.RemoteError as error:
            raise self._gave_up(error) from None
        except BaseException:
            # Ctrl-C, say: the answer is still to come, and would be taken for the next one's.
            self._kill()
            raise

    def stop(self) -> None:
        self.alive = False
        if self._wire is not None:
            self._wire.close()
        self._group.terminate(timeout=2.0)
        if self._log is not None:
            redaction.redact_file(self._log, self._log_start)

    def _receive(self, limit_seconds: float) -> Message:
        answer: Message = self._channel.receive(timeout=limit_seconds)
        return answer

    def _ended(self, op: str) -> WorkerError:
        """Why nobody answers any more."""
        try:
            self._channel.waitclose(timeout=1.0)
        except execnet.RemoteError as error:
            return self._gave_up(error)
        except (EOFError, OSError, self._channel.TimeoutError):
            pass
        return self._obituary(op)

    def _gave_up(self, error: Exception) -> WorkerError:
        """It could not send an answer, say."""
        said = self._in_one_line(error)
        self._kill()
        return WorkerError("exited", f"the worker gave up: {said}")

    def _in_one_line(self, error: Exception) -> str:
        """What an error comes to; a traceback goes to the log, and what it says is where to look.

        To be called before `_kill`, which takes the secrets out of the log.
        """
        text = str(error).strip()
        if not isinstance(error, execnet.RemoteError):
            return f"{type(error).__name__}: {raised(text)}" if text else type(error).__name__
        said = raised(text)
        if said.startswith("ModuleNotFoundError"):
            said += " (install it in the Python that the model runs in)"
        if self._log is None:
            return said
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        return f"{said}; where it was raised is in {self._log}"

    def _kill(self) -> None:
        try:
            if self._process is not None:
                for child in self._process.children(recursive=True):
                    child.kill()
                self._process.kill()
        except psutil.NoSuchProcess:
            pass
        self.stop()

    def _obituary(self, op: str) -> WorkerError:
        """Why the process is gone, as far as its exit status and its last words tell."""
        assert self._process is not None
        try:
            status = self._process.wait(timeout=5.0)
        except (psutil.TimeoutExpired, psutil.NoSuchProcess):
            status = None
        self._kill()
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            what, kind = f"was ended by {name}{hint}", "crashed"
        else:
            what = "ended" + (f" with exit status {status}" if status is not None else "")
            kind = "exited"
        return WorkerError(kind, f"the worker {what} during {op!r}{self._last_words()}")

    def _last_words(self) -> str:
        if self._log is None or not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            said = file.read().decode("utf-8", "replace").strip()
        return f"; its output is in {self._log}" if said else ""
