"""Checkpoints that transformers loads: whether they are whole, and in a line why not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.engines.shared.whisper_options import one_line
from adapters.interface import ModelError

#: Only training uses these, and published checkpoints leave them out.
_NEVER_HEARD = re.compile(r"(^|\.)masked_spec_embed$")


def has_any(folder: Path, patterns: Sequence[str]) -> bool:
    """Whether a folder has a file of one of these glob patterns."""
    return any(any(folder.glob(pattern)) for pattern in patterns)


def is_number(value: object) -> bool:
    """Whether an option is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@contextmanager
def told(checkpoint: str, part: str) -> Iterator[None]:
    """Turns whatever goes wrong while a part is read into one line that names it."""
    what = f"transformers cannot load {part} of {checkpoint!r}"
    try:
        yield
    except Exception as error:  # damaged files end in errors of a dozen types, Exception itself too
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"{what}: it comes with Python code of its own, which is run only with the "
                "option trust_remote_code: true. Read the code first"
            ) from error
        raise ModelError(f"{what}: {one_line(error)}") from error


def check_weights(model: Any, report: Mapping[str, Any], name: str) -> None:
    """Nothing that the model computes with may be left at its random beginning."""
    missing = sorted(key for key in report["missing_keys"] if not _NEVER_HEARD.search(key))
    if missing:
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: {len(missing)} tensor(s) are "
            f"missing, such as {missing[0]}"
        )
    wrong = sorted(str(key) for key in report["mismatched_keys"])
    if wrong or report.get("error_msgs"):
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: tensors that do not fit its "
            f"config.json, such as {(wrong or list(report['error_msgs']))[0]}"
        )
    # More layers than the configuration speaks of would be dropped in silence.
    shapes = {_without_numbers(key) for key in model.state_dict()}
    extra = sorted(key for key in report["unexpected_keys"] if _without_numbers(key) in shapes)
    if extra:
        raise ModelError(
            f"transformers cannot load the weights of {name!r}: config.json describes a smaller "
            f"model, without {extra[0]}"
        )


def _without_numbers(key: str) -> str:
    return re.sub(r"\d+", "#", key)


def seed_torch(seed: int) -> None:
    """Make what torch draws from now on the same each time."""
    import torch

    torch.manual_seed(seed)
