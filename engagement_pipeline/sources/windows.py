"""What a refusal says of the window that was asked for: that it is too long, or that it is too old.

In: the API's words. Out: the days that a window may have, or the moment with which the data begin. Nobody documents
these texts, so only what is clear is taken: a number of days, or a moment behind words such as "on or after".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WINDOW = r"(?:window|period|range|interval|time between)"
TOO_LONG = re.compile(
    rf"\b{WINDOW}\b[^.;]*\b(?:too (?:long|large|wide)|exceeds?)\b|\b(?:too long|longest) (?:an? )?{WINDOW}\b",
    re.IGNORECASE,
)
LONGEST = re.compile(
    r"\b(?:must not exceed|exceeds?|longer than|longest|maximum|at most|up to)\b[^.;\d]*\b([1-9]\d?) days?\b",
    re.IGNORECASE,
)
TOO_OLD = re.compile(r"on or after|older|oldest|too (?:old|far)|far back|earliest|\b365\b", re.IGNORECASE)
OF_OTHERS = re.compile(r"\b(?:tweet|post|token|account|app|key)s?\b[^.;]*\b(?:older|too old)\b", re.IGNORECASE)
MOMENT = r"\W*(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.]*(?: ?(?:Z|UTC)\b|[+-]\d\d:?\d\d)?)?)"
BEGINS = [  # the clearest first: what was asked for may be said in the others
    re.compile(rf"\b(?:{words}){MOMENT}", re.IGNORECASE) for words in (r"on or after|earliest[^.;\d]*", "from|since")
]
DAYS_BACK = re.compile(
    r"\b(?:older than|last|past|within|most recent) ([1-9]\d{0,3}) days?\b|\b([1-9]\d{0,3}) days? (?:ago|back|old)\b",
    re.IGNORECASE,
)
NEWEST = timedelta(days=1)  # before the request: what is said to begin later is no beginning of the data


@dataclass(frozen=True, slots=True)
class RefusedWindow:
    """What a refusal says of the window: `longest_days` and `oldest` are those of RefusedError."""

    longest_days: int | None = None
    oldest: datetime | None = None

    @property
    def hint(self) -> str:
        """What comes of it, in words; empty where it says nothing clear."""
        longer = ""
        if self.longest_days is not None:
            fewer = f"{self.longest_days} days" if self.longest_days else "half as many days"
            longer = f": this is remembered, and the next pull asks for {fewer} a request"
        if not self.oldest:
            return longer
        begins = f"{self.oldest:%Y-%m-%dT%H:%MZ}"
        older = f": the data begin at {begins}; this is remembered, and older days are left out from now on"
        return f"{older}; if the window is too long{longer}" if longer else older


def refused_window(said: str, asked_at: datetime) -> RefusedWindow:
    """Return what the words of a 400 say of its window.

    `asked_at` is when the API was asked: some texts count days from then. A text may say both. Then the window tells
    which is meant: one that begins later is not too old.
    """
    return RefusedWindow(longest_days=_longest_days(said), oldest=_oldest(said, asked_at))


def _longest_days(said: str) -> int | None:
    """Return the days that a window may have, 0 if it is too long by nobody knows how much; None for another reason."""
    if longest := LONGEST.search(said):
        return int(longest[1])
    return 0 if TOO_LONG.search(said) else None


def _oldest(said: str, asked_at: datetime) -> datetime | None:
    """Return the moment with which the data begin, None if no day is called too old, or nobody knows from when on."""
    if not TOO_OLD.search(said) or OF_OTHERS.search(said):
        return None
    found: datetime | None = None
    if days := DAYS_BACK.search(said):
        found = asked_at - timedelta(days=int(days[1] or days[2]))
    elif begins := next(filter(None, (pattern.search(said) for pattern in BEGINS)), None):
        found = _moment(begins[1])
    return found if found and found <= asked_at - NEWEST else None


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC, None for what looks like one and is none."""
    written = text.upper().replace("UTC", "Z").replace(" Z", "Z").rstrip(".:")
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
