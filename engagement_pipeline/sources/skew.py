"""A clock of this machine that is so far from the API's that no signature is taken.

In: an answer, and when it was asked for. Out: what to do, in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from engagement_pipeline.core.model import Answer

LARGEST_SKEW = 300  # seconds; the APIs refuse a signature that is further from their clock


def remedy(answer: Answer, asked_at: datetime) -> str:
    """Return what to do about the clock, empty if it is right enough; `asked_at` is by this machine's clock."""
    skew = answer.seconds_ahead(asked_at)
    if abs(skew) <= LARGEST_SKEW:
        return ""
    lies = "ahead of" if skew > 0 else "behind"
    return f"this machine's clock is {abs(skew) / 60:.0f} minutes {lies} the API's, and signatures carry it: set it"
