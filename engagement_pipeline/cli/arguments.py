"""The parser of the command line, the options that commands share, and what an argument may be.

In: the text of an argument. Out: its value, or an error of one line with the fix.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from engagement_pipeline.cli import INTERRUPTED
from engagement_pipeline.core import days, handles
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import HISTORICAL_SINCE
from engagement_pipeline.core.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable


EXIT_CODES = f"Exit codes: 0 done, 1 failed, 2 wrong use, {INTERRUPTED} interrupted."


class Parser(argparse.ArgumentParser):
    """A parser with errors of one line, like all others, which name the nearest word that it knows.

    Its help ends with the exit codes.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(**{"epilog": EXIT_CODES, **options})

    def error(self, message: str) -> NoReturn:
        """Raise InputError with the message and the command that explains more."""
        raise InputError(f"{message}; see {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as argparse has it
        """Refuse here what a command does not know, since here its options are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            near = [_nearest(option, self._option_string_actions) for option in options]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{next(filter(None, near), '')}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - as argparse has it
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = _nearest(value, map(str, action.choices or ())) if isinstance(value, str) else ""
            is_command = action.nargs == argparse.PARSER  # where an option stands too early, its value is taken for one
            error.message += near or "; an option of a command stands behind it" * is_command
            raise


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return the question whether the nearest known word is meant; empty where none is near."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""


class Version(argparse.Action):
    """Prints the version, which only the installed package knows, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:  # noqa: ANN401 - argparse's own
        """Print it."""
        from importlib import metadata  # noqa: PLC0415 - no other command asks for it

        print(f"{parser.prog} {metadata.version('engagement-pipeline')}")
        parser.exit()


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - it has no public name


def add_command(
    commands: Commands,
    name: str,
    command: str,
    text: str,
    *,
    reads_settings: bool = True,
) -> argparse.ArgumentParser:
    """Add a command with its help, and `module:function` of what runs it; return its parser."""
    sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    sub.set_defaults(command=command)
    if reads_settings:
        text = "read the settings from this file alone, and from the environment, which wins over each file"
        sub.add_argument("--config", type=Path, metavar="FILE", help=text)
    add_common(sub)
    return sub


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add --verbose and --traceback, which may stand before a command and behind it."""
    text = "tell more on standard error: each retry with its reason and its wait, and each pull that goes on"
    parser.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=text)
    text = "if the program makes a mistake, print where it happened, without secrets"
    parser.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=text)


def add_paging(sub: argparse.ArgumentParser) -> None:
    """Have a command show long output in a pager, and add --no-pager."""
    text = "on a terminal, print all at once; by default, what is longer than the screen goes to $PAGER, or to less"
    sub.add_argument("--no-pager", dest="paged", action="store_false", help=text)


def add_skipping(sub: argparse.ArgumentParser) -> None:
    """Add --skip-bad-rows."""
    text = "say which of the roster's rows are bad and go on with the rest, as the setting skip_bad_rows has it"
    sub.add_argument("--skip-bad-rows", action="store_true", help=text)


def add_over_budget(sub: argparse.ArgumentParser) -> None:
    """Add --over-budget."""
    text = "send requests beyond requests_per_month, handles_per_month and posts_per_month; without it, none is sent"
    sub.add_argument("--over-budget", action="store_true", help=text)


def add_ask_refused(sub: argparse.ArgumentParser) -> None:
    """Add --ask-refused."""
    text = "ask for days too that the API has refused as too old, and in windows that it has refused as too long"
    sub.add_argument("--ask-refused", action="store_true", help=text)


def add_days(sub: argparse.ArgumentParser, *, first: str, last: str) -> None:
    """Add --from and --to with their help texts."""
    sub.add_argument("--from", dest="first", metavar="DAY", type=day, help=first)
    sub.add_argument("--to", dest="last", metavar="DAY", type=day, help=last)


def handle(text: str) -> str:
    """Read a handle, as the accounts file has it."""
    try:
        return handles.parse_handle(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def day(text: str) -> date:
    """Read a UTC day."""
    try:
        return days.parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def month(text: str) -> date:
    """Read a UTC month, such as 2026-01; return its first day."""
    try:
        first = days.parse_day(f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a month such as 2026-01") from None
    if first < HISTORICAL_SINCE:
        raise argparse.ArgumentTypeError(f"the API has no counts before {HISTORICAL_SINCE:%Y-%m}: choose a later month")
    return first


def moment(text: str) -> datetime:
    """Read a time, in UTC if it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-02-01T00:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds such as 0.5") from None


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
