"""What an argument of the command line may be.

In: its text. Out: its value, or argparse's error with the fix.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime

from engagement_pipeline.core import settings
from engagement_pipeline.transport import accounts


def handle(text: str) -> str:
    """Read a handle, as the accounts file has it."""
    try:
        return accounts.parse_handle(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def day(text: str) -> date:
    """Read a UTC day."""
    try:
        return settings.parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> datetime:
    """Read a time, in UTC if it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-02-01T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
