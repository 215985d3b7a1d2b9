"""What is checked of a body before it is parsed, whichever API sent it.

In: a body, and the most that an answer to its request can hold. Out: nothing, or a ResponseError.
"""

from __future__ import annotations

import numpy as np

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.redaction import BODY_MASK

COMMA, OBJECT = b",{"
LIST_OR_OBJECT = ord("[") ^ OBJECT  # the signs that open a list and an object differ only in this bit


def check(body: bytes, *, address: str, largest: int, most_values: int) -> None:
    """Raise ResponseError if a body held a secret of ours, or is larger than an answer can be.

    `address` is the setting with the API's address; `largest` is in bytes. A parsed value may take 300 bytes of memory,
    so values are counted first. Each stands behind a comma, opens an object or a list, or is the first in one.
    """
    bracket = body.find(BODY_MASK[:1])  # which is rare, and found in a tenth of the time of the whole
    if bracket >= 0 and body.find(BODY_MASK, bracket) >= 0:
        raise ResponseError(
            f"the body held a secret of the accounts file, and now {BODY_MASK.decode()} instead: is {address} right, "
            "or does a proxy repeat requests?",
            path="$",
        )
    if len(body) > largest:
        raise _too_large(f"{len(body):,} bytes", largest)
    data = np.frombuffer(body, np.uint8)
    values = np.count_nonzero(data == COMMA) + np.count_nonzero((data | LIST_OR_OBJECT) == OBJECT)
    if values > most_values:
        raise _too_large(f"{values:,} values", most_values)


def _too_large(found: str, most: int) -> ResponseError:
    return ResponseError(
        f"has {found}, and no answer to this request has more than {most:,}: is a proxy in the way?", path="$"
    )
