"""Read what the headers of X API v2 say about the rate.

In: the headers of an answer, and the time of the request. Out: a Rate, of the account that asked. A header that makes
no sense counts as absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engagement_pipeline.core.model import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

WINDOW = 900.0  # seconds, for which the limit holds
AFTER_RESET = 1.0  # the API's clock and ours are not the same
LONGEST_RESET = WINDOW + 60  # for clocks that differ; a later time is not the reset of a window
WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")


def rate_of(headers: Mapping[str, str], *, asked_at: datetime, seconds: float, spent: bool) -> Rate:
    """Read the headers of an answer that took `seconds`. `spent` is true if the answer is a 429.

    Without a reset that makes sense, a spent window is taken for a whole one.
    """
    until_reset = (_number(headers, "x-rate-limit-reset") or 0) - asked_at.timestamp()
    if not 0 < until_reset <= LONGEST_RESET:
        until_reset = WINDOW
    remaining = 0 if spent else _number(headers, "x-rate-limit-remaining")
    limit = _number(headers, "x-rate-limit-limit")
    return Rate(limit=limit, remaining=remaining, reset_in=until_reset + AFTER_RESET - seconds)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None
