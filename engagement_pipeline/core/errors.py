"""What can go wrong, as one tree.

    EngagementError                    exit code 1: something failed; the message says what
    ├── InputError                     exit code 2: nothing can run until the user changes what they gave
    │   └── RosterError                .rows: the bad rows, each with its file and line
    ├── ApiError                       .status, .account, .texts
    │   ├── AccountError               the API refuses this account (or app); the other accounts may go on
    │   ├── RefusedError               .tweet_ids: the Tweets that the API named; a retry without a change cannot help
    │   └── UnavailableError           all tries failed on what is usually temporary: network, 429, 5xx, broken bodies
    │       └── OutageError            the API answered nobody for as long as patience lasts: a later run may succeed
    ├── ResponseError                  .path: the contract does not allow the shape or the sums of a response
    ├── OverBudgetError                a limit of the month does not allow more; what landed is kept
    ├── PullError                      .failures: some requests of a pull failed; what landed is kept
    ├── LakeError                      .day: a file of the lake cannot be read or written; a day, if it is of one
    │   └── PublishError               .failures: some days are not published; all others are
    └── AlertError                     an alert or a report was not delivered

Every message is one line: what happened, what it means, what to do.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

REMEDIES = {  # of what the system refuses, by its number; for all else, its own words must do
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EACCES: "get permission for it",
    errno.EPERM: "get permission for it",
    errno.EROFS: "name a place that can be written",
    errno.EIO: "look at the disk",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the limit of open files of the system",
}
NOT_GIVEN = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT, errno.ESTALE}
QUERY_INTERRUPTED = "Query interrupted"  # what DuckDB makes of Ctrl-C, in a RuntimeError
SHOWN_CHARACTERS = 200  # of the path to the fault: its keys come from the body


class StoreError(OSError):
    """A store of objects refused what was asked, or did not answer; its words say what to do as well."""


def refused_by_system(error: OSError) -> str:
    """Return in one line what the system or a store refused, where, and what to do; a number tells a person nothing.

    One without a number was raised with words of its own.
    """
    if error.errno is None:
        return str(error)
    what = f"{error.filename} cannot be used" if error.filename else "a file cannot be read or written"
    remedy = "" if isinstance(error, StoreError) else f"; {REMEDIES.get(error.errno, 'correct that')}"
    return f"{what}: {error.strerror}{remedy}, then run the same again: what has landed is kept"


def advice(error: OSError, again: str) -> str:
    """Return in one sentence what to do about what the system or a store refused, and then to run `again`.

    A store's own words say what to do, so nothing is added to them.
    """
    while isinstance(error.__cause__, OSError):  # what it was raised for knows more
        error = error.__cause__
    if isinstance(error, StoreError):
        return f"Once that is done, {again}"
    return f"{REMEDIES.get(error.errno or 0, 'correct that').capitalize()}, then {again}"


def raise_not_given(error: Exception, path: Path) -> None:
    """Raise OSError if the system or a store did not give a file: that says nothing of what is in it."""
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, OSError) and error.errno in NOT_GIVEN:
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


class EngagementError(Exception):
    """The base class to catch; the command line exits with `exit_code`."""

    exit_code: ClassVar[int] = 1

    def __reduce__(self) -> tuple[object, ...]:
        """Pass to another process as it is, whatever its class is made of."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[EngagementError], args: tuple[object, ...], attributes: Mapping[str, object]) -> EngagementError:
    """Return an error that another process raised."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class InputError(EngagementError):
    """An argument, a setting, an account or a roster that is wrong."""

    exit_code = 2


class RosterError(InputError):
    """Rows of the roster that cannot be used; `rows` holds a line of text for each, or for all of a kind."""

    def __init__(self, message: str, *, rows: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class ApiError(EngagementError):
    """An answer other than 200, or no answer: then `status` is 0.

    `account` is the handle that asked. It is empty if the bearer token asked.
    """

    def __init__(self, message: str, *, account: str, status: int = 0, texts: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.account = account
        self.status = status
        self.texts = tuple(texts)


class AccountError(ApiError):
    """401, or a 403 that concerns the account or the app, not Tweets."""


class RefusedError(ApiError):
    """400, 403, 404, 405 or 406: the same request would get the same answer.

    `about_tweets` says that some Tweets of the request are the reason. `tweet_ids` are the Tweets that the API named,
    if any. `forbidden` says that they are refused because of who asks, not because of what they are. `body` is the
    refusal as received, and `asked_at` the time of the request. If the API refuses the window as too long,
    `longest_days` are the days that it says a window may have, 0 where it says none. If it refuses the window as too
    old, `oldest` is the moment with which it says that its data begin.
    """

    def __init__(
        self,
        message: str,
        *,
        account: str,
        status: int,
        texts: Sequence[str],
        about_tweets: bool = False,
        forbidden: bool = False,
        tweet_ids: Sequence[int] = (),
        body: bytes,
        asked_at: datetime,
        longest_days: int | None = None,
        oldest: datetime | None = None,
    ) -> None:
        super().__init__(message, account=account, status=status, texts=texts)
        self.about_tweets = about_tweets
        self.forbidden = forbidden
        self.tweet_ids = tuple(tweet_ids)
        self.body = body
        self.asked_at = asked_at
        self.longest_days = longest_days
        self.oldest = oldest


class UnavailableError(ApiError):
    """The API could not be reached, or failed on each try; the same request may succeed later."""


class OutageError(UnavailableError):
    """The API answered no request at all for the setting patience_minutes."""


class ResponseError(EngagementError):
    """A body that the contract does not allow; `path` is the place of the fault in it."""

    def __init__(self, message: str, *, path: str) -> None:
        shown = path if len(path) <= SHOWN_CHARACTERS else path[:SHOWN_CHARACTERS] + "…"
        super().__init__(f"{shown}: {message}")
        self.path = path


class OverBudgetError(EngagementError):
    """What a month may use is used up, or is too little for what was asked."""


class PullError(EngagementError):
    """A pull that is not complete; `failures` holds one error for each cause."""

    def __init__(self, failures: Sequence[EngagementError]) -> None:
        first = str(failures[0]).rstrip(".") + _others(failures[1:])
        stop = "" if first.endswith("?") else "."
        super().__init__(f"{first}{stop} {_what_next(failures)}")
        self.failures = tuple(failures)

    @property
    def is_outage(self) -> bool:
        """Tell whether the API was down: then the same pull may succeed later, and nobody need do anything.

        Where the month is used up as well, it cannot succeed by itself.
        """
        kinds = {type(failure) for failure in self.failures}
        return OutageError in kinds and OverBudgetError not in kinds


def _what_next(failures: Sequence[EngagementError]) -> str:
    """Return what to do about a pull; to run it again alone helps only against what passes by itself."""
    kinds = (OverBudgetError, AccountError, RefusedError)
    if all(isinstance(failure, OverBudgetError) for failure in failures):
        return "What has landed is kept: the same pull goes on then"
    if all(isinstance(failure, kinds) for failure in failures):
        return "What has landed is kept: mend that first, then run the same pull again to resume it"
    return "What has landed is kept: run the same pull again to resume it"


def _others(failures: Sequence[EngagementError]) -> str:
    """Return the failures after the first: the names of the accounts, and the number of the rest."""
    accounts = [failure.account or "the bearer token" for failure in failures if isinstance(failure, AccountError)]
    rest = len(failures) - len(accounts)
    told = [f"also failed: {', '.join(accounts)}; engagement check says why"] if accounts else []
    told += [f"and {rest} more"] if rest else []
    return f" ({'; '.join(told)})" if told else ""


class LakeError(EngagementError):
    """A file of the lake is damaged or too new, or cannot be written; `day` is set if the file is of one day."""

    def __init__(self, message: str, *, day: date | None = None) -> None:
        super().__init__(message)
        self.day = day


class PublishError(LakeError):
    """A publication that lacks some days; `failures` holds the error of each, by UTC day."""

    def __init__(self, failures: Mapping[date, LakeError]) -> None:
        days = sorted(failures)
        one = f"{days[0]} is not published, all other days are"
        several = f"{len(days)} days are not published ({', '.join(map(str, days))}), all others are; the first"
        super().__init__(f"{several if days[1:] else one}: {failures[days[0]]}", day=days[0])
        self.failures = dict(failures)


class AlertError(EngagementError):
    """A webhook or a mail relay refused a message; the text names no address that is a secret."""
