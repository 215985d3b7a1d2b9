"""One request -> one response: sign, send, retry above the signature, raise.

In: a planned Request, and the accounts that may sign it. Out: a Response whose body is the JSON that the API
sent, or one error of errors.py. Each try is signed anew, since a signature's nonce serves once; so retries are
here and never in the transport below.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests_oauthlib import OAuth1Session

from engagement_pipeline.authorize import bearer_token
from engagement_pipeline.errors import AccountError, ApiError, RefusedError, UnavailableError
from engagement_pipeline.metrics import TOTALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.accounts import Accounts
    from engagement_pipeline.pacing import Budget
    from engagement_pipeline.plan import Request

logger = logging.getLogger(__name__)

# The names of our groupings; they cannot collide with the API's own root keys.
CELLS = "by_tweet_type_day_hour"
TWEET_SUMS = "by_tweet_type"
TYPE_SUMS = "by_type"
SUMS = {
    TWEET_SUMS: {"group_by": ["tweet.id", "engagement.type"]},
    TYPE_SUMS: {"group_by": ["engagement.type"]},
}
CELLS_AND_SUMS = {
    CELLS: {"group_by": ["tweet.id", "engagement.type", "engagement.day", "engagement.hour"]},
    **SUMS,
}
MAX_IN_FLIGHT = 64  # requests; the budget decides how many of them wait for an answer at a time
DOWN_AFTER = 18  # failed tries in a row, of any request: the API is down
LARGEST_SKEW = 300  # seconds; a signature further from the API's clock is refused
FIRST_PAUSE = 1.0  # seconds; doubled with each try, then drawn between nothing and that ("full jitter")
LONGEST_PAUSE = 60.0
SHOWN_CHARACTERS = 200  # of a text of the API's in an error message
TWEETS_REFUSED = re.compile(r"access tweets|Tweet ID\(s\) are unavailable", re.IGNORECASE)
AUTHOR_ID = re.compile(r"author id \d+", re.IGNORECASE)
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A 200 as received, decompressed. `asked_at` is when the answered try was sent, in UTC."""

    body: bytes
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """How one request ended, for the log: `status` is 0 where no answer came, `size` the bytes on the wire.

    `asked_at` and `seconds` are of the last try.
    """

    request: Request
    asked_at: datetime
    status: int
    tries: int
    size: int
    seconds: float


def request_body(request: Request) -> dict[str, Any]:
    """Return the JSON body of a request; the groupings beside the cells are the API's own sums."""
    body: dict[str, Any] = {
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "engagement_types": list(request.types),
        "groupings": SUMS if request.endpoint == TOTALS else CELLS_AND_SUMS,
    }
    if request.window:
        body |= {"start": request.window.first.isoformat(), "end": request.window.end.isoformat()}
    return body


class Client:
    """Sends requests for all accounts of one app. Safe to share by threads.

    `log` is told how each request ended. An account that was not let in is not asked for again, and once
    DOWN_AFTER tries in a row have failed no request is tried again.
    """

    def __init__(
        self,
        api_url: str,
        accounts: Accounts,
        *,
        auth_url: str,
        budget: Budget,
        tries: int,
        timeout_seconds: float,
        log: Callable[[Exchange], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._base = f"{api_url}/insights/engagement"
        self._accounts = accounts
        self._auth_url = auth_url
        self._budget = budget
        self._tries = tries
        self._timeout = timeout_seconds
        self._log = log
        self._now = now
        self._connections = HTTPAdapter(pool_maxsize=MAX_IN_FLIGHT)  # safe to share by threads, as sessions are not
        self._local = threading.local()
        self._bearer = ""
        self._bearer_lock = threading.Lock()
        self._not_let_in: dict[str, AccountError] = {}
        self._failed_in_a_row = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()

    def stop(self) -> None:
        """Send nothing more: whoever waits for a slot or a back-off gets a CancelledError."""
        self._budget.cancel()

    def fingerprint(self, handle: str) -> str:
        """Return that of the tokens which sign for a handle, empty for the bearer token or a handle without any."""
        account = self._accounts.by_handle.get(handle)
        return account.fingerprint if account else ""

    def ask(self, request: Request) -> Response:
        """Send one request. Raises AccountError, RefusedError, or UnavailableError once the tries are used up."""
        body = orjson.dumps(request_body(request))
        for attempt in range(1, self._tries + 1):
            self._budget.wait()
            if request.handle in self._not_let_in:
                raise self._not_let_in[request.handle]
            asked_at, started = self._now(), time.perf_counter()
            error: ApiError | None = None
            status = size = 0
            try:
                answer = self._post(body, request)
                status, size = answer.status_code, answer.raw.tell()
                self._budget.heed(
                    answer.headers,
                    asked_at=asked_at,
                    seconds=time.perf_counter() - started,
                    spent=status == requests.codes.too_many_requests,
                )
                self._check(answer, request.handle, asked_at)
            except UnavailableError as failure:
                error = failure
                if self._worth_another_try(failure, attempt):
                    pause = self._pause(failure, attempt)
                    logger.info("%s Try %d of %d follows in %.1f s.", failure, attempt + 1, self._tries, pause)
                    continue
            except ApiError as failure:
                error = failure
            seconds = time.perf_counter() - started
            self._log(
                Exchange(request=request, asked_at=asked_at, status=status, tries=attempt, size=size, seconds=seconds)
            )
            if isinstance(error, AccountError):
                self._not_let_in[request.handle] = error
            if not isinstance(error, UnavailableError):
                self._failed_in_a_row = 0  # a refusal is an answer
            if error:
                raise error
            return Response(body=answer.content, asked_at=asked_at)
        raise AssertionError("tries is at least 1")

    def _worth_another_try(self, error: UnavailableError, attempt: int) -> bool:
        if error.status != requests.codes.too_many_requests:
            self._failed_in_a_row += 1  # a count lost between threads does no harm
        return attempt < self._tries and self._failed_in_a_row < DOWN_AFTER

    def _pause(self, error: ApiError, attempt: int) -> float:
        """Back off, except after a 429, which has closed the budget until the next minute."""
        if error.status == requests.codes.too_many_requests:
            return self._budget.closed_for()
        seconds = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311 - jitter
        self._budget.sleep(seconds)
        return seconds

    def _post(self, body: bytes, request: Request) -> requests.Response:
        """Send one signed try; raises UnavailableError where no whole answer came."""
        url = f"{self._base}/{request.endpoint}"
        session = self._session(request.handle)
        try:
            answer: requests.Response = session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.RequestException as error:
            raise UnavailableError(
                f"{url} cannot be reached ({_reason(error)}): check the network and api_url.",
                account=request.handle,
            ) from None
        return answer

    def _check(self, answer: requests.Response, handle: str, asked_at: datetime) -> None:
        """Raise where the answer is not a 200 with a JSON body."""
        if answer.status_code != requests.codes.ok:
            raise _refusal(answer, handle, asked_at)
        try:
            orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise UnavailableError(
                f"{answer.url} answered 200 with a body that is not JSON ({_shown(answer.text)!r}): "
                "is a proxy in the way?",
                account=handle,
            ) from None

    def _session(self, handle: str) -> requests.Session:
        """Return this thread's session of an account; all share the connections."""
        sessions: dict[str, requests.Session] = self._local.__dict__.setdefault("sessions", {})
        if handle not in sessions:
            sessions[handle] = session = self._signing(handle)
            session.mount(self._base, self._connections)
        return sessions[handle]

    def _signing(self, handle: str) -> requests.Session:
        app = self._accounts.app
        if handle:
            account = self._accounts.by_handle[handle]
            signing: requests.Session = OAuth1Session(
                app.consumer_key,
                client_secret=app.consumer_secret,
                resource_owner_key=account.access_token,
                resource_owner_secret=account.access_token_secret,
            )
            return signing
        with self._bearer_lock:
            self._bearer = (
                self._bearer
                or app.bearer_token
                or bearer_token(app, auth_url=self._auth_url, timeout_seconds=self._timeout)
            )
        session = requests.Session()
        session.auth = _Bearer(self._bearer)
        return session


class _Bearer(AuthBase):
    """Puts the bearer token into a request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _reason(error: requests.exceptions.RequestException) -> str:
    """Return why a transport failed, as a person says it."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "the body broke off or its gzip is damaged"
    return "no connection"


def _refusal(answer: requests.Response, handle: str, asked_at: datetime) -> ApiError:
    """Translate any status but 200 into the error that says whether a retry can help."""
    status, url = answer.status_code, answer.url
    texts = _texts(answer)
    said = _shown("; ".join(texts)) or "nothing"
    who = f"account {handle}" if handle else "the app's bearer token"
    if status == requests.codes.too_many_requests:
        message = f"{url} answered 429, the contracted rate is used up: lower requests_per_minute."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    if status >= requests.codes.server_error:
        message = f"{url} answered {status} ({said}): the vendor's side, try again later."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    about_tweets = any(TWEETS_REFUSED.search(text) for text in texts)
    if status == requests.codes.unauthorized or (status == requests.codes.forbidden and not about_tweets):
        message = f"{who}: the API answered {status} ({said}): {_remedy(answer, handle, said, asked_at)}"
        return AccountError(message, account=handle, status=status, texts=texts)
    if about_tweets:
        hint = ""
    elif status in (requests.codes.not_found, requests.codes.method_not_allowed):
        hint = ": is api_url right?"
    else:
        hint = ": asking again cannot help, the request itself is not what the API takes"
    return RefusedError(
        f"{who}: {url} answered {status} ({said}){hint}",
        account=handle,
        status=status,
        texts=texts,
        about_tweets=about_tweets,
        tweet_ids=_named_tweets(texts),
        body=answer.content,
        asked_at=asked_at,
    )


def _remedy(answer: requests.Response, handle: str, said: str, asked_at: datetime) -> str:
    """Return what to do about an account that is not let in."""
    if answer.status_code == requests.codes.forbidden and "access metrics" in said.lower():
        return "leave these types out of the setting types"
    if answer.status_code == requests.codes.forbidden and "application" in said.lower():
        return "have the vendor approve the app for the Engagement API"
    skew = _seconds_ahead(answer, asked_at)
    if handle and abs(skew) > LARGEST_SKEW:
        lies = "ahead of" if skew > 0 else "behind"
        return f"this machine's clock is {abs(skew) / 60:.0f} minutes {lies} the API's, and signatures carry it: set it"
    if not handle:
        return "check bearer_token or the consumer key in the accounts file"
    return f"check its tokens in the accounts file, or get new ones with engagement authorize {handle}"


def _seconds_ahead(answer: requests.Response, now: datetime) -> float:
    """Return how far our clock is ahead of the API's; nought where it does not tell its time."""
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
        return (now - theirs).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0


def _texts(answer: requests.Response) -> list[str]:
    """Return what an error body says: texts, objects with a message, or whatever a proxy wrote."""
    try:
        errors = orjson.loads(answer.content)["errors"]
    except (ValueError, TypeError, KeyError):
        return [answer.text.strip()] if answer.text.strip() else []
    items = errors if isinstance(errors, list) else [errors]
    return [str(item.get("message", item)) if isinstance(item, dict) else str(item) for item in items]


def _named_tweets(texts: list[str]) -> tuple[int, ...]:
    """Return the Tweet IDs that a refusal names, in either of the documented spellings."""
    named = (text for text in texts if "access tweets" in text.lower())
    return tuple(int(number) for text in named for number in NUMBER.findall(AUTHOR_ID.sub("", text)))


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN_CHARACTERS else flat[:SHOWN_CHARACTERS] + "…"
