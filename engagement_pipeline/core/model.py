"""The values that travel between the rooms: Tweets, windows, requests, plans, responses.

In: nothing. Out: frozen values, each checked where it is made. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from engagement_pipeline.core.redaction import SHOWN_CHARACTERS, shown
from engagement_pipeline.core.tables import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.shape import News

# Bytes of a body in a landed file. A constant, since the lake knows no source that could say how large the answer to a
# request can be. It keeps a damaged file from filling the memory. No source allows a larger answer.
LARGEST_BODY = 64 * 2**20
REDIRECTS = {301, 302, 303, 307, 308}  # by status


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A 200 as received, decompressed. `asked_at` is when the answered try was sent, in UTC."""

    body: bytes
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as a source writes it: `path` with its query stands behind the API's address; no body in a GET."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, decompressed; `size` is in bytes on the wire."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int

    @property
    def text(self) -> str:
        """The beginning of the body as text, whatever it holds."""
        return self.body[: 4 * SHOWN_CHARACTERS].decode(errors="replace")

    def seconds_ahead(self, now: datetime) -> float:
        """Return by how many seconds our clock is ahead of the API's; 0 if the answer has no readable date."""
        try:
            theirs = parsedate_to_datetime(self.headers["Date"])
            return (now - theirs).total_seconds()
        except (KeyError, ValueError, TypeError, OverflowError):
            return 0.0

    @property
    def leads(self) -> str:
        """Where a redirect leads, in words that go on from its status; empty for any other answer."""
        if self.status not in REDIRECTS:
            return ""
        place = self.headers.get("Location", "")
        try:
            host = urlsplit(urljoin(self.url, place)).netloc.rpartition("@")[2] if place else ""
        except ValueError:
            host = ""
        return f", a redirect to {shown(host) or 'nowhere'}, which no token follows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Where a vendor API lies, and how many requests it answers.

    address: the setting with its address.
    rate: the setting with the number of requests that the contract allows in `seconds`.
    per_account: whether each account has that rate for itself; otherwise all share it.
    in_flight: the most requests that wait for an answer at a time; their answers may be in memory together.
    oauth2: whether it takes the OAuth 2 tokens of an account; otherwise those of OAuth 1.0a alone.
    """

    address: str
    rate: str
    seconds: float
    per_account: bool
    in_flight: int
    oauth2: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What an answer says of the rate; None where it says nothing.

    `limit` is in requests for the seconds of the source's Terms. With `remaining` 0, none will be answered for
    `reset_in` seconds.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_in: float = 0.0


@dataclass(frozen=True, slots=True)
class NotServed:
    """Why an answer has no count of a Tweet: `outcome` is that of coverage, `text` has the API's own words."""

    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class Flat:
    """One response, flattened.

    `rows` are those of the endpoint's table, sorted by its key, without what only the publication knows.
    `unavailable` are the Tweets that the API says it cannot serve, `said` is its text. `reasons` has the reason of each
    Tweet of which the API says one of its own. `negative` counts the rows below zero, which are possible (un-likes) and
    kept. `scanned` tells that the fast parser read the counts, if there are any for it to read. `early` counts the rows
    of hours before their Tweet was posted: no zero is among them. `news` is what the body holds that no document has.
    """

    rows: pa.Table
    unavailable: frozenset[int]
    said: str
    negative: int
    scanned: bool
    early: int = 0
    reasons: Mapping[int, NotServed] = field(default_factory=dict)
    news: tuple[News, ...] = ()

    @property
    def not_served(self) -> dict[int, NotServed]:
        """The reason of each Tweet that the answer does not serve."""
        return {**dict.fromkeys(self.unavailable, NotServed(UNAVAILABLE, self.said)), **self.reasons}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The outcome of one request, for the log: `tries` were sent, and all other fields describe the last one.

    `status` is 0 if no answer came. `size` is the bytes on the wire. `error` says why the request failed; it is empty
    if it did not. `posts` are the Posts that it read, as X counts reads.
    """

    request: Request
    asked_at: datetime
    status: int
    tries: int
    size: int
    seconds: float
    posts: tuple[int, ...] = ()
    error: str = ""


SNOWFLAKE_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)  # 1288834974657 ms, from the vendor
FIRST_SNOWFLAKE = 30_000_000_000  # smaller IDs are older than Snowflake and carry no time


@dataclass(frozen=True, slots=True, order=True)
class Tweet:
    """One Tweet of the roster, and the handle that may ask for it; an empty handle means a Tweet of others.

    Or media that the Tweets of a handle show: then `tweet_id` is the number in the media `key`.
    """

    tweet_id: int
    handle: str
    key: str = field(default="", compare=False)


def posted_at(tweet_id: int) -> datetime | None:
    """Return when a Tweet was posted, from its Snowflake ID; None if the ID carries no time."""
    if tweet_id < FIRST_SNOWFLAKE:
        return None
    return SNOWFLAKE_EPOCH + timedelta(milliseconds=tweet_id >> 22)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Whole UTC days, `first` and `last` both included."""

    first: date
    last: date

    @property
    def end(self) -> date:
        """The day after the last: the API's exclusive `end`."""
        return self.last + timedelta(days=1)

    def days(self) -> Iterator[date]:
        """Yield each day of the window in order."""
        for offset in range((self.end - self.first).days):
            yield self.first + timedelta(days=offset)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: these Tweets of this account.

    `handle` is empty for Tweets of others: the app's bearer token asks for them. `window` is None if the endpoint takes
    no days. `keys` has the media keys by their numbers, where these stand for Tweets.
    """

    endpoint: Endpoint
    handle: str
    tweet_ids: tuple[int, ...]
    types: tuple[str, ...]
    window: Window | None
    keys: Mapping[int, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The requests to one endpoint, over one window if it takes days; and the Tweets left out, with the reason.

    `alone` are the Tweets that each have a request of their own. `kept_back` are requests that are not sent, since the
    API has refused their days: those for Tweets without an answer for any of these.
    """

    endpoint: Endpoint
    window: Window | None
    types: tuple[str, ...]
    requests: tuple[Request, ...]
    left_out: Mapping[int, str] = field(default_factory=dict)
    alone: frozenset[int] = frozenset()
    kept_back: tuple[Request, ...] = ()

    @property
    def tweets(self) -> list[Tweet]:
        """The Tweets that the requests ask for."""
        return [
            Tweet(tweet_id, request.handle, request.keys.get(tweet_id, ""))
            for request in self.requests
            for tweet_id in request.tweet_ids
        ]

    def __str__(self) -> str:
        return f"/{self.endpoint}" + (f" {self.window}" if self.window else "")


class Progress(Protocol):
    """Who is told how far a work has come."""

    def __call__(self, done: int, total: int, /, *, rows: int = 0) -> None:
        """Hear how many parts are done, of how many as far as is known, and how many rows came of them."""


def quiet(*_: int, **__: int) -> None:
    """Show no progress."""
