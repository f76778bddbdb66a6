"""What Ray costs on one machine, and whether a cluster of hosts loses anything when one is cut off.

    uv run --extra ray python -m tests.benchmarks.ray_cluster one [--utterances N]
    sudo uv run --extra ray python -m tests.benchmarks.ray_cluster hosts [--cut link|power]

`one`: faster-whisper-micro on voice-commands, by one process, by two that have half of it each
(what `-n 2` does), and by two replicas on Ray. Of each the time until the first prediction, which
is for starting up, and the rate after it; after that Ray's overhead for an utterance.

`hosts`: the same by three hosts, each a network namespace of this machine with an address and a
Ray node of its own, behind one bridge: a head that runs the session and two that have a replica
each. When a third of the predictions is there, one of the two is cut off: its cable is pulled
(`link`) or all its processes are killed (`power`). Needs root. In the end every prediction must be
there once, and be that of a run without Ray; what was set up is taken down, also by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from adapters.catalog.catalog import Catalog
from adapters.interface import Audio
from evals.cluster.executor import RayReport, transcribe_on_ray
from evals.models.corpus_synthesizer import synthesizer
from evals.models.loaded import Settings, running
from evals.models.transcribe import transcribe_corpus
from evals.records.predictions import Prediction, PredictionFile, read_predictions
from fixtures.audio.read import SAMPLE_RATE
from fixtures.builtin.synthesize import CLIP, DEFAULT, builtin_corpus
from fixtures.corpora.corpus import Corpus

ROOT = Path(__file__).parents[2]
MODEL = "faster-whisper-micro"
SETTINGS = Settings(device="cpu")
#: Ray marks a host as dead after so many health checks that it missed.
_HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}

#: The hosts' own, so that Ray looks for none in the user's home.
_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@dataclass
class Course:
    """When predictions came: seconds since the start, in their order."""

    name: str
    start: float = field(default_factory=time.perf_counter)
    came: list[float] = field(default_factory=list)
    whole: float = 0.0

    def note(self) -> None:
        self.came.append(time.perf_counter() - self.start)

    def end(self) -> None:
        self.whole = time.perf_counter() - self.start

    @property
    def rate(self) -> float:
        """Utterances a second from the first to the last prediction."""
        return (len(self.came) - 1) / (self.came[-1] - self.came[0])


def clip() -> Audio:
    (utterance,) = builtin_corpus(CLIP, synthesizer)
    return Audio(utterance.load(), SAMPLE_RATE)


def commands(utterances: int | None) -> Corpus:
    """The corpus, or as much of it."""
    corpus = builtin_corpus(DEFAULT, synthesizer)
    return Corpus(corpus.name, corpus.manifest, tuple(corpus)[:utterances])


def texts(predictions: Sequence[Prediction]) -> list[tuple[Any, ...]]:
    """All that does not depend on when and where, in the corpus's order."""
    return sorted((p.index, p.id, p.hypothesis, p.error, p.audio_seconds) for p in predictions)


def locally(corpus: Corpus, workers: int, folder: Path) -> tuple[Course, list[Prediction]]:
    """By so many processes, each with its share of the corpus."""
    (entry,) = Catalog().select([MODEL])
    sound = clip()
    course = Course(f"{workers} process{'es' * (workers > 1)} without Ray")

    def share(number: int) -> list[Prediction]:
        place = folder / f"{workers}-{number}"
        with (
            running(entry, SETTINGS, place / "worker.log") as model,
            PredictionFile(place / "lines.jsonl") as file,
        ):
            model.warm_up("asr", lambda: model.transcribe(sound))
            mine = Corpus(corpus.name, corpus.manifest, corpus.utterances[number::workers])
            transcribe_corpus(model, mine, file, advance=course.note)
        return list(read_predictions(file.path))

    with ThreadPoolExecutor(workers) as pool:
        found = [one for part in pool.map(share, range(workers)) for one in part]
    course.end()
    return course, found


def on_ray(
    corpus: Corpus,
    folder: Path,
    replicas: int,
    address: str | None = None,
    each: Callable[[int], None] = lambda number: None,
) -> tuple[Course, list[Prediction], RayReport]:
    """each: called with the number of predictions that are there."""
    (entry,) = Catalog().select([MODEL])
    sound = clip()
    course = Course(f"{replicas} replicas on Ray")
    found: list[Prediction] = []

    def append(prediction: Prediction) -> None:
        found.append(prediction)
        course.note()
        each(len(found))

    report = transcribe_on_ray(
        entry,
        SETTINGS,
        corpus,
        sound,
        append,
        logs=folder,
        address=address,
        replicas=replicas,
    )
    course.end()
    return course, found, report


def show(courses: Sequence[Course]) -> None:
    print(f"{'':28}{'to the first':>14}{'then, 1/s':>12}{'whole, s':>11}")
    for course in courses:
        print(f"{course.name:28}{course.came[0]:13.1f}s{course.rate:12.1f}{course.whole:11.1f}")


def one(utterances: int | None) -> bool:
    """Two replicas on this machine against plain processes."""
    corpus = commands(utterances)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone, expected = locally(corpus, 1, folder)
        both, halves = locally(corpus, 2, folder)
        ray, found, report = on_ray(corpus, folder, 2)
    print(f"{len(corpus)} utterances of {corpus.name}, {MODEL}, {os.cpu_count()} cores")
    show([alone, both, ray])
    # Two replicas work side by side, so that each has twice the time for an utterance.
    overhead = 2 * (1 / ray.rate - 1 / both.rate)
    print(
        f"once it runs, Ray takes {1000 * overhead:+.1f} ms more for an utterance than two processes "
        f"({ray.rate / both.rate:.2f} of their rate, {ray.rate / alone.rate:.2f} of one's); "
        f"to start, {ray.came[0] - both.came[0]:.1f} s more"
    )
    same = texts(found) == texts(expected) == texts(halves)
    print(f"predictions: {'identical' if same else 'NOT IDENTICAL'}; restarts {report.restarts}")
    return same


# Hosts.

_HOSTS = ("head", "left", "right")
_BRIDGE = "mlray-br"


@dataclass(frozen=True)
class Host:
    """A network namespace with a cable to the bridge, and the name that programs see."""

    name: str
    address: str

    @property
    def space(self) -> str:
        return f"mlray-{self.name}"

    @property
    def cable(self) -> str:
        """The bridge's end."""
        return f"mlray-{self.name}"

    def command(self, *words: str) -> list[str]:
        """To be run on the host."""
        within = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh"]
        return ["ip", "netns", "exec", self.space, *within, *words]

    def pull_the_cable(self) -> None:
        ip("link", "set", self.cable, "down")

    def pull_the_plug(self) -> None:
        """Kill all its processes."""
        for pid in self._processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _processes(self) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", self.space], capture_output=True, text=True)
        return [int(pid) for pid in done.stdout.split()]


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)


@contextmanager
def network() -> Iterator[Mapping[str, Host]]:
    """Three hosts on one bridge; none of them reaches anything else."""
    hosts = {name: Host(name, f"10.213.77.{n}") for n, name in enumerate(_HOSTS, start=1)}
    _take_down(hosts.values())
    try:
        ip("link", "add", _BRIDGE, "type", "bridge")
        ip("link", "set", _BRIDGE, "up")
        for host in hosts.values():
            ip("netns", "add", host.space)
            ip(
                "link",
                "add",
                host.cable,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                host.space,
            )
            ip("link", "set", host.cable, "master", _BRIDGE, "up")
            within = ("-n", host.space)
            ip(*within, "address", "add", f"{host.address}/24", "dev", "eth0")
            ip(*within, "link", "set", "lo", "up")
            ip(*within, "link", "set", "eth0", "up")
            # By the route to anywhere, Ray finds which of its addresses is the host's.
            ip(*within, "route", "add", "default", "via", "10.213.77.254", "dev", "eth0")
        yield hosts
    finally:
        _take_down(hosts.values())


def _take_down(hosts: Any) -> None:
    for host in hosts:
        for _ in range(50):  # one that is just being started is not seen at once
            host.pull_the_plug()
            if not host._processes():
                break
            time.sleep(0.1)
        ip("netns", "delete", host.space, check=False)
        ip("link", "delete", host.cable, check=False)
    ip("link", "delete", _BRIDGE, check=False)


def _start_node(host: Host, folder: Path, *words: str) -> None:
    """A Ray node on the host. Raises RuntimeError with what it said."""
    ray = str(Path(sys.executable).with_name("ray"))
    command = host.command(
        ray, "start", f"--node-ip-address={host.address}", "--object-store-memory=100000000",
        "--disable-usage-stats", *words,
    )  # fmt: skip
    done = subprocess.run(
        command,
        env={**os.environ, **_HEALTH, **_TOKEN, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
    )
    if done.returncode:
        raise RuntimeError(f"{host.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def hosts(utterances: int | None, cut: str) -> bool:
    """Two hosts with a replica each, one of which is cut off; seen from the head."""
    corpus = commands(utterances)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="mlr-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        alone, expected = locally(corpus, 1, folder)
        machines = stack.enter_context(network())
        head = machines["head"]
        address = f"{head.address}:6379"
        _start_node(
            head, folder, "--head", "--port=6379", "--num-cpus=0", "--include-dashboard=false",
            f"--temp-dir={folder / 'ray'}",
        )  # fmt: skip
        for name in ("left", "right"):
            _start_node(machines[name], folder, f"--address={address}", "--num-cpus=1")
        command = head.command(
            sys.executable, "-m", "tests.benchmarks.ray_cluster", "session", "--address", address,
            "--utterances", str(len(corpus)), "--folder", str(folder),
        )  # fmt: skip
        session = subprocess.Popen(
            command, env={**os.environ, **_TOKEN}, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        stack.callback(session.kill)
        cut_at: float | None = None
        watchdog = threading.Timer(900, session.kill)
        watchdog.daemon = True
        watchdog.start()
        told: dict[str, Any] = {}
        assert session.stdout is not None
        for line in session.stdout:
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            if cut_at is None and told.get("there", 0) >= len(corpus) // 3:
                cut_at = told["seconds"]
                lost = machines["right"]
                lost.pull_the_cable() if cut == "link" else lost.pull_the_plug()
        watchdog.cancel()
        if session.wait() or "report" not in told:
            print(f"the session ended with {session.returncode}: {told}")
            return False
    found = [Prediction(**row) for row in told["predictions"]]
    came = told["came"]
    course = Course("2 hosts on Ray, one cut off", came=came, whole=told["whole"])
    print(
        f"{len(corpus)} utterances of {corpus.name}, {MODEL}, {os.cpu_count()} cores for all hosts"
    )
    show([alone, course])
    assert cut_at is not None
    pause = max(after - before for before, after in pairwise(came))
    names, restarts, repeated = told["report"]
    print(
        f"{cut}: one of {' and '.join(names)} was cut off at {cut_at:.1f} s; the longest time without "
        f"a prediction was {pause:.1f} s; {restarts} restart(s), {repeated} came twice and were dropped"
    )
    same = texts(found) == texts(expected)
    print(f"{len(found)} of {len(corpus)} predictions, {'identical' if same else 'NOT IDENTICAL'}")
    return same


def session(address: str, utterances: int, folder: Path) -> bool:
    """What runs on the head: tells on standard output how far it is, a JSON object a line."""
    start = time.perf_counter()

    def each(number: int) -> None:
        print(json.dumps({"there": number, "seconds": time.perf_counter() - start}), flush=True)

    course, found, report = on_ray(commands(utterances), folder, 2, address, each)
    last = {
        "predictions": [asdict(prediction) for prediction in found],
        "came": course.came,
        "whole": course.whole,
        "report": [report.hosts, report.restarts, report.repeated],
    }
    print(json.dumps(last), flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("one", "hosts", "session"))
    parser.add_argument("--utterances", type=int, help="fewer than the whole corpus")
    parser.add_argument("--cut", choices=("link", "power"), default="link")
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Ctrl-C and kill both end what was set up.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if arguments.what == "one":
        same = one(arguments.utterances)
    elif arguments.what == "hosts":
        if os.geteuid():
            parser.error("network namespaces need root")
        same = hosts(arguments.utterances, arguments.cut)
    else:
        same = session(arguments.address, arguments.utterances, arguments.folder)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
