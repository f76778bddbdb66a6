"""What `pytest --collect-only` costs against an empty project.

    uv run --all-extras python tests/benchmarks/collection.py [--rounds N]

Interleaves both N times and prints the median of each and of the differences.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _collect(folder: Path, *arguments: str) -> float:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        empty = Path(name)
        (empty / "test_empty.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        no_lab = [f"-pno:{p}.plugin" for p in ("reports", "evals", "fixtures", "adapters")]
        pairs = [(_collect(ROOT, "evals"), _collect(empty, *no_lab)) for _ in range(rounds)]
    evals, nothing = (statistics.median(times) for times in zip(*pairs, strict=True))
    more = statistics.median(e - n for e, n in pairs)
    print(f"evals {evals:.2f} s, empty project {nothing:.2f} s, {more:+.2f} s")


if __name__ == "__main__":
    main()
