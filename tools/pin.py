"""Record the exact versions that were tested, for every extra, without registry addresses.

    uv run python tools/pin.py

resolves the newest versions that pyproject.toml allows and writes them into its
`[tool.uv] constraint-dependencies`. uv honours them on every later `uv run`, so a
fresh clone gets what was tested though uv.lock is not in the repo. Run the tests
before committing the result.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN = "# Tested versions: written by tools/pin.py\n"
END = "# End of the tested versions\n"
_EVERYTHING = ("--all-extras", "--all-groups", "--no-emit-project")
_BARE = ("--no-hashes", "--no-annotate", "--no-header", "--format", "requirements-txt")
_PIN = re.compile(r"^[A-Za-z0-9._-]+==\S+.*$")


def main() -> None:
    """Resolve without the old pins, then rewrite the block."""
    project = ROOT / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    pins = _resolve(f"{before}constraint-dependencies = []\n{after}")
    rows = "".join(f"    {_quoted(pin)},\n" for pin in pins)
    project.write_text(
        f"{before}{BEGIN}constraint-dependencies = [\n{rows}]\n{END}{after}", encoding="utf-8"
    )
    (ROOT / "uv.lock").unlink(missing_ok=True)
    print(f"{len(pins)} versions pinned")


def _resolve(project: str) -> list[str]:
    """Name==version lines, with markers, of everything any extra or group needs."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is not on PATH: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(project, encoding="utf-8")
        done = subprocess.run(
            [uv, "export", *_EVERYTHING, *_BARE],
            cwd=folder,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return [line.strip() for line in done.stdout.splitlines() if _PIN.match(line.strip())]


def _quoted(pin: str) -> str:
    return '"' + pin.replace('"', "'") + '"'


if __name__ == "__main__":
    main()
