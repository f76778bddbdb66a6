"""What goes to a worker and back, as bytes: a line of JSON, then the samples.

Nothing of it is ever run when it is read: an engine may be anybody's.
"""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]
#: The key of what a worker says last: why it could not send an answer.
GAVE_UP = "gave_up"
#: The one key whose value is bytes.
_SAMPLES = "samples"


def packed(message: Message) -> bytes:
    """Texts, numbers, lists, None, and under "samples" bytes. Raises TypeError for others."""
    rest = {key: value for key, value in message.items() if key != _SAMPLES}
    samples: bytes | None = message.get(_SAMPLES)
    if samples is None:
        return json.dumps(rest).encode()
    return json.dumps(rest).encode() + b"\n" + samples


def unpacked(data: bytes) -> Message:
    """The message again, with lists for tuples."""
    head, line, samples = data.partition(b"\n")
    message: Message = json.loads(head)
    if line:
        message[_SAMPLES] = samples
    return message
