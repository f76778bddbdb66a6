"""Telling that an engine ran out of memory, which every library says in its own words."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import suppress

#: Parts of messages, in lower case. torch and CTranslate2 on CUDA, cuBLAS and cuDNN; torch on a
#: CPU and on MPS; ONNX Runtime's arena; XLA.
_SAYINGS = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "available memory of",
    "bad_alloc",
    "resource_exhausted",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was what failed: the error itself, or what an adapter made it of."""
    return any(_says_so(link) for link in _chain(error))


def free() -> None:
    """Give back what can be: garbage, and what torch keeps of its devices for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:  # other libraries have no call for it
        return
    # A device in trouble must not hide what went wrong first.
    with suppress(Exception):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    with suppress(Exception):
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return any(saying in said for saying in _SAYINGS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those of which it says that it comes of them."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
