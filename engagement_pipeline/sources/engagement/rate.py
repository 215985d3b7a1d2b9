"""Read what the Engagement API's headers say about the rate.

In: the headers of an answer, and the time of the request. Out: a Rate. A header that makes no sense counts as absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engagement_pipeline.core.model import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MINUTE = 60.0  # seconds; the limits below are in seconds too
AFTER_RESET = 1.0  # the API's clock and ours are not the same
LONGEST_RESET = 120.0  # a minute, and another for clocks that differ; a later time is not the reset of a minute
LONGEST_RETRY_AFTER = 900.0
WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")


def rate_of(headers: Mapping[str, str], *, asked_at: datetime, seconds: float, spent: bool) -> Rate:
    """Read the headers of an answer that took `seconds`. `spent` is true if the answer is a 429.

    The headers are about the minute in which the request was sent: a late answer says nothing about the next minute.
    """
    asked = asked_at.timestamp()
    until_reset = (_number(headers, "x-per-minute-reset") or 0) - asked
    if not 0 < until_reset <= LONGEST_RESET:
        until_reset = MINUTE - asked % MINUTE
    reset_in = until_reset + AFTER_RESET - seconds
    retry_after = _number(headers, "Retry-After") or 0
    if 0 < retry_after <= LONGEST_RETRY_AFTER:
        reset_in = retry_after
    remaining = 0 if spent else _number(headers, "x-per-minute-remaining")
    return Rate(limit=_number(headers, "x-per-minute-limit"), remaining=remaining, reset_in=reset_in)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None
