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
from typing import TYPE_CHECKING, Any, Self

import orjson
import requests
from requests_oauthlib import OAuth1Session

from engagement_pipeline.errors import AccountError, ApiError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.accounts import Accounts
    from engagement_pipeline.pacing import Budget
    from engagement_pipeline.plan import Request

logger = logging.getLogger(__name__)
for _signer in ("oauthlib", "requests_oauthlib"):  # at DEBUG they log the tokens and the signed header
    logging.getLogger(_signer).setLevel(logging.INFO)

# The names of our groupings; they cannot collide with the API's own root keys.
CELLS = "by_tweet_type_day_hour"
TWEET_SUMS = "by_tweet_type"
TYPE_SUMS = "by_type"
GROUPINGS = {
    CELLS: {"group_by": ["tweet.id", "engagement.type", "engagement.day", "engagement.hour"]},
    TWEET_SUMS: {"group_by": ["tweet.id", "engagement.type"]},
    TYPE_SUMS: {"group_by": ["engagement.type"]},
}
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
    seconds: float
    tries: int


def request_body(request: Request) -> dict[str, Any]:
    """Return the JSON body of a /historical request; the two smaller groupings are the API's own sums."""
    return {
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "engagement_types": list(request.types),
        "groupings": GROUPINGS,
        "start": request.window.first.isoformat(),
        "end": request.window.end.isoformat(),
    }


class Client:
    """Sends requests for all accounts of one app. Safe to share by threads; each has its own connections."""

    def __init__(
        self,
        api_url: str,
        accounts: Accounts,
        *,
        budget: Budget,
        tries: int,
        timeout_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = f"{api_url}/insights/engagement/historical"
        self._accounts = accounts
        self._budget = budget
        self._tries = tries
        self._timeout = timeout_seconds
        self._now = now
        self._local = threading.local()
        self._opened: list[OAuth1Session] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._opened:
            session.close()

    def historical(self, request: Request) -> Response:
        """Ask /historical. Raises AccountError, RefusedError, or UnavailableError once the tries are used up."""
        body = orjson.dumps(request_body(request))
        for attempt in range(1, self._tries + 1):
            self._budget.wait()
            asked_at = self._now()
            started = time.perf_counter()
            try:
                content = self._send(body, request.handle)
            except UnavailableError as error:
                if attempt == self._tries:
                    raise
                pause = self._pause(error, attempt)
                logger.info("%s Try %d of %d follows in %.1f s.", error, attempt + 1, self._tries, pause)
            else:
                seconds = time.perf_counter() - started
                return Response(body=content, asked_at=asked_at, seconds=seconds, tries=attempt)
        raise AssertionError("tries is at least 1")

    def _pause(self, error: ApiError, attempt: int) -> float:
        """Close the budget until the next minute after a 429; after anything else, back off."""
        if error.status == requests.codes.too_many_requests:
            seconds = 60 - self._now().timestamp() % 60
            self._budget.close_for(seconds)
            return seconds
        seconds = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311 - jitter
        self._budget.sleep(seconds)
        return seconds

    def _send(self, body: bytes, handle: str) -> bytes:
        """Send one signed try and return the JSON body of a 200."""
        try:
            answer: requests.Response = self._session(handle).post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json", "Accept-Encoding": "gzip"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.RequestException as error:
            raise UnavailableError(
                f"{self._url} cannot be reached ({_reason(error)}): check the network and api_url.",
                account=handle,
            ) from None
        if answer.status_code != requests.codes.ok:
            raise _refusal(answer, self._url, handle)
        try:
            orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise UnavailableError(
                f"{self._url} answered 200 with a body that is not JSON ({_shown(answer.text)!r}): "
                "is a proxy in the way?",
                account=handle,
            ) from None
        return answer.content

    def _session(self, handle: str) -> OAuth1Session:
        """Return this thread's connection for an account; sessions are not to be shared by threads."""
        sessions: dict[str, OAuth1Session] = self._local.__dict__.setdefault("sessions", {})
        if handle not in sessions:
            app, account = self._accounts.app, self._accounts.by_handle[handle]
            sessions[handle] = OAuth1Session(
                app.consumer_key,
                client_secret=app.consumer_secret,
                resource_owner_key=account.access_token,
                resource_owner_secret=account.access_token_secret,
            )
            self._opened.append(sessions[handle])
        return sessions[handle]


def _reason(error: requests.exceptions.RequestException) -> str:
    """Return why a transport failed, as a person says it."""
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "the body broke off or its gzip is damaged"
    return "no connection"


def _refusal(answer: requests.Response, url: str, handle: str) -> ApiError:
    """Translate any status but 200 into the error that says whether a retry can help."""
    status = answer.status_code
    texts = _texts(answer)
    said = _shown("; ".join(texts)) or "nothing"
    if status == requests.codes.too_many_requests:
        message = f"{url} answered 429, the contracted rate is used up: lower requests_per_minute."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    if status >= requests.codes.server_error:
        message = f"{url} answered {status} ({said}): the vendor's side, try again later."
        return UnavailableError(message, account=handle, status=status, texts=texts)
    about_tweets = any(TWEETS_REFUSED.search(text) for text in texts)
    if status == requests.codes.unauthorized or (status == requests.codes.forbidden and not about_tweets):
        message = f"account {handle}: the API answered {status} ({said}): {_remedy(status, said)}"
        return AccountError(message, account=handle, status=status, texts=texts)
    return RefusedError(
        f"account {handle}: {url} answered {status} ({said})",
        account=handle,
        status=status,
        texts=texts,
        about_tweets=about_tweets,
        tweet_ids=_named_tweets(texts),
        body=answer.content,
    )


def _remedy(status: int, said: str) -> str:
    """Return what to do about an account that is not let in."""
    if status == requests.codes.forbidden and "access metrics" in said.lower():
        return "leave these types out of the setting types"
    if status == requests.codes.forbidden and "application" in said.lower():
        return "have the vendor approve the app for the Engagement API"
    return "check its tokens in the accounts file"


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
