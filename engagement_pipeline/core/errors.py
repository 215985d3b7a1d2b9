"""What can go wrong, as one tree.

    EngagementError                    exit code 1: something failed, the message says what and which
    ├── InputError                     exit code 2: what the user gave must change before anything can run
    │   └── RosterError                .rows: the bad rows, each with its file and line
    ├── ApiError                       .status, .account, .texts
    │   ├── AccountError               this account (or app) is not let in; the other accounts may go on
    │   ├── RefusedError               .tweet_ids: the Tweets that the API named; asking again unchanged cannot help
    │   └── UnavailableError           tries used up on what usually passes: network, 429, 5xx, broken bodies
    ├── ResponseError                  .path: a response whose shape or sums the contract does not allow
    ├── PullError                      .failures: some requests of a pull failed; what landed is kept
    ├── LakeError                      .day: a file of the lake, of one day perhaps, that cannot be read or written
    │   └── PublishError               .failures: some days could not be published; all the others are
    └── AlertError                     an alert that did not reach anybody

Every message is one line that names the fact and the fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

SHOWN_CHARACTERS = 200  # of the path to what is wrong, whose keys are data


class EngagementError(Exception):
    """The base to catch; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class InputError(EngagementError):
    """An argument, a setting, an account or a roster that cannot be worked with."""

    exit_code = 2


class RosterError(InputError):
    """Rows of the roster that cannot be used; `rows` holds a line of text for each, or for all of a kind."""

    def __init__(self, message: str, *, rows: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class ApiError(EngagementError):
    """An answer other than 200, or none; `status` is 0 where no answer came.

    `account` is the handle that asked, empty where the app itself did.
    """

    def __init__(self, message: str, *, account: str, status: int = 0, texts: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.account = account
        self.status = status
        self.texts = tuple(texts)


class AccountError(ApiError):
    """401, or a 403 that is about the account or the app rather than about Tweets."""


class RefusedError(ApiError):
    """400, 403, 404, 405 or 406: asking again unchanged gives the same.

    `about_tweets` says that some Tweets of the request are the reason; `tweet_ids` are those that the API
    named, empty where it named none. `body` is the refusal as received, `asked_at` when it was asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        account: str,
        status: int,
        texts: Sequence[str],
        about_tweets: bool = False,
        tweet_ids: Sequence[int] = (),
        body: bytes,
        asked_at: datetime,
    ) -> None:
        super().__init__(message, account=account, status=status, texts=texts)
        self.about_tweets = about_tweets
        self.tweet_ids = tuple(tweet_ids)
        self.body = body
        self.asked_at = asked_at


class UnavailableError(ApiError):
    """The API could not be reached or kept failing; the same request may pass later."""


class ResponseError(EngagementError):
    """A body that the contract does not allow; `path` is where in it."""

    def __init__(self, message: str, *, path: str) -> None:
        shown = path if len(path) <= SHOWN_CHARACTERS else path[:SHOWN_CHARACTERS] + "…"
        super().__init__(f"{shown}: {message}")
        self.path = path


class PullError(EngagementError):
    """A pull that did not get everything; `failures` holds one error for each cause."""

    def __init__(self, failures: Sequence[EngagementError]) -> None:
        first = str(failures[0]).rstrip(".") + _others(failures[1:])
        stop = "" if first.endswith("?") else "."
        super().__init__(f"{first}{stop} What has landed is kept: the same pull again goes on from it")
        self.failures = tuple(failures)


def _others(failures: Sequence[EngagementError]) -> str:
    """Return what failed beside the first: each account by its name, the rest by its number."""
    accounts = [failure.account or "the bearer token" for failure in failures if isinstance(failure, AccountError)]
    rest = len(failures) - len(accounts)
    told = [f"also failed: {', '.join(accounts)}; engagement check tells why"] if accounts else []
    told += [f"and {rest} more"] if rest else []
    return f" ({'; '.join(told)})" if told else ""


class LakeError(EngagementError):
    """A file of the lake that is damaged, too new, or cannot be written; `day` where it is one of a single day."""

    def __init__(self, message: str, *, day: date | None = None) -> None:
        super().__init__(message)
        self.day = day


class PublishError(LakeError):
    """A publication without some days; `failures` holds what is wrong with each, by UTC day."""

    def __init__(self, failures: Mapping[date, LakeError]) -> None:
        days = sorted(failures)
        one = f"{days[0]} is not published, all other days are"
        several = f"{len(days)} days are not published ({', '.join(map(str, days))}), all others are; the first"
        super().__init__(f"{several if days[1:] else one}: {failures[days[0]]}", day=days[0])
        self.failures = dict(failures)


class AlertError(EngagementError):
    """A message that a webhook or a mail relay did not take; it names no address that is a secret."""
