"""`python -m adapters.weights SOURCE FORM OUT`: a conversion with an engine's own interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.interface import ModelError
from adapters.weights.convert import convert

if __name__ == "__main__":
    source, form, out = sys.argv[1:]
    try:
        convert(Path(source), form, Path(out))
    except ModelError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
