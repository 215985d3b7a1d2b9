"""What an argument of the command line may be, and the options that several commands have.

In: the text of an argument. Out: its value, or argparse's error with the fix.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from typing import NoReturn

from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport import accounts


class Parser(argparse.ArgumentParser):
    """A parser with errors of one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError."""
        raise InputError(f"{message}; see {self.prog} --help")


def add_traceback(parser: argparse.ArgumentParser) -> None:
    """Add the option that shows where the program made a mistake."""
    text = "if the program makes a mistake, print where it happened, without secrets"
    parser.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=text)


def add_skipping(sub: argparse.ArgumentParser) -> None:
    """Add the option that goes on without the roster's bad rows."""
    text = "say which of the roster's rows are bad and go on with the rest, as the setting skip_bad_rows has it"
    sub.add_argument("--skip-bad-rows", action="store_true", help=text)


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
