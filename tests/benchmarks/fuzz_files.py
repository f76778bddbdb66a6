"""Hostile files by the thousand: what each reader of people's and runs' files makes of them.

    uv run python -m tests.benchmarks.fuzz_files [--cases N] [--reader NAME] [--seed N]

As tests/benchmarks/fuzz_corpora.py does for corpora: each reader in a process of its own that may take
1 GiB more than it begins with, and is ended where one case takes more than 30 s.
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

from tests.support.hostile import ACCEPTED
from tests.support.hostile_files import READERS, folder_of_files

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
        f"{name:20} seed {number} {total:6,} cases  {outcomes[ACCEPTED]:5,} accepted  "
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
        folder = folder_of_files(Path(tempfile.mkdtemp(prefix="fuzz-")) / "files")
        more = ["--cases", str(options.cases), "--seed", str(options.seed), "--folder", str(folder)]
        command = [sys.executable, "-m", "tests.benchmarks.fuzz_files", "--child", name, *more]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode:
            broken += 1
            # Hypothesis repeats every strategy in full; which lines broke is what matters.
            told = [line[:200] for line in done.stderr.splitlines() if len(line) < 2_000]
            print("\n".join([*told[-60:], f"{name}: broken; the last case is in {folder}"]))
    return broken


if __name__ == "__main__":
    sys.exit(main())
