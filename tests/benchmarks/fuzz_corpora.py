"""Hostile files by the thousand: what each reader of a corpus makes of them.

    uv run python -m tests.benchmarks.fuzz_corpora [--cases N] [--reader NAME] [--seed N]

Each reader runs in a process of its own that may take 1 GiB more than it begins with, and is
ended where one case takes more than 30 s. Prints how many cases were accepted, how many were
refused and in how many ways, and the slowest one. What breaks a reader is left in the folder
that is printed.
"""

from __future__ import annotations

import argparse
import faulthandler
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.hostile import ACCEPTED, READERS, folder_of_odd_things

_MEMORY = 2**30
_PATIENCE = 30


def child(name: str, cases: int, number: int, folder: Path) -> None:
    """All cases of one reader."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    faulthandler.enable()
    reader, outcomes, times = READERS[name], Counter[str](), [0.0]

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.cases)
    def tried(content: bytes) -> None:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        begun = time.perf_counter()
        outcomes[reader.outcome(folder, content)] += 1
        times.append(time.perf_counter() - begun)
        faulthandler.cancel_dump_traceback_later()

    tried()
    total = sum(outcomes.values())
    # Numbers and values differ from case to case; the words are the kind of mistake.
    kinds = {re.sub(r"[\d'\"].*", "", re.sub(r"^(:\d+)?: ", "", outcome)) for outcome in outcomes}
    print(
        f"{name:24} {total:6,} cases  {outcomes[ACCEPTED]:5,} accepted  "
        f"{total - outcomes[ACCEPTED]:6,} refused  {len(kinds):4} kinds  "
        f"slowest {max(times) * 1e3:6.0f} ms  mean {sum(times) / total * 1e3:.2f} ms"
    )


def main() -> int:
    """Run the readers one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--reader", choices=list(READERS), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.cases, options.seed, options.folder)
        return 0
    broken = 0
    for name in options.reader or READERS:
        folder = folder_of_odd_things(Path(tempfile.mkdtemp(prefix="fuzz-")) / "corpus")
        more = ["--cases", str(options.cases), "--seed", str(options.seed), "--folder", str(folder)]
        command = [sys.executable, "-m", "tests.benchmarks.fuzz_corpora", "--child", name, *more]
        # libmpg123 writes to the error stream whatever it stumbles over.
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode:
            broken += 1
            print(f"{done.stderr[-4000:]}\n{name}: broken; the last case is in {folder}")
    return broken


if __name__ == "__main__":
    sys.exit(main())
