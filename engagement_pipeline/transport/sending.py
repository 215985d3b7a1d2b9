"""One try of a request: signed, within the budget of the month, timed, and its answer checked.

In: a Request, as its source writes it. Out: a Response, or one error of errors.py. The body of the Response is the JSON
that the API sent, with BODY_MASK in place of each secret of ours. A try ends when `timeout_seconds` are over, however
slowly its answer comes, or when there is more of it than its source allows.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import requests

from engagement_pipeline.core import bounds
from engagement_pipeline.core.bounds import TooLargeError
from engagement_pipeline.core.errors import AccountError, RefusedError, UnavailableError
from engagement_pipeline.core.model import Exchange, Request, Response
from engagement_pipeline.core.reach import unreachable
from engagement_pipeline.core.redaction import redacted_body, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engagement_pipeline.core.model import Answer, HttpRequest
    from engagement_pipeline.sources import Asking
    from engagement_pipeline.transport.budget import Budget
    from engagement_pipeline.transport.rate_limit import AccountLimiters, RateLimiter
    from engagement_pipeline.transport.signing import SignedSessions

logger = logging.getLogger(__name__)
WRONG_CLOCK = 3600  # seconds from the API's, from which on it is told: what lands may bear another day
NO_JSON, CUT = "a body that is not JSON", "a body of JSON that broke off"


class Sender:
    """Sends single tries. Safe to share by threads. Its arguments are those of Client."""

    def __init__(
        self,
        source: Asking,
        sessions: SignedSessions,
        *,
        api_url: str,
        timeout_seconds: float,
        rate_limiter: RateLimiter | AccountLimiters,
        budget: Budget,
        look: Callable[[Request, Answer, datetime], None],
        now: Callable[[], datetime],
        lake_now: Callable[[], datetime] | None,
    ) -> None:
        self._source = source
        self._sessions = sessions
        self._base = api_url
        self._timeout = timeout_seconds
        self._rate_limiter = rate_limiter
        self._budget = budget
        self._look = look
        self._now = now
        self._lake_now = lake_now
        self._under_way: dict[int, float] = {}  # by thread, when its try must end
        self._told_clock = False

    def lake_now(self) -> datetime:
        """Return the moment, in UTC, under which what is sent now lands."""
        return (self._lake_now or self._now)()

    def under_way(self) -> tuple[int, float]:
        """Return the number of tries that wait for their answer, and the seconds until the last one must end."""
        ends = [*self._under_way.values()]
        return len(ends), max([0.0, *(end - time.monotonic() for end in ends)])

    def send(self, request: Request, written: HttpRequest, sent: list[Exchange]) -> Response:
        """Send one try; raises what its answer means, or an error of the bearer token before anything is sent."""
        self._under_way[threading.get_ident()] = time.monotonic() + self._timeout
        try:
            session = self._sessions.of(request.handle)
            sent_at = self._now()
            asked_at = self._lake_now() if self._lake_now else sent_at
            answer = self._sent(session, request, written, sent, sent_at=sent_at, asked_at=asked_at)
        finally:
            del self._under_way[threading.get_ident()]
        self._look(request, answer, asked_at)
        try:
            self._check(answer, request.handle, sent_at)
        except RefusedError as error:
            error.asked_at = asked_at  # under which a refusal lands
            raise
        except AccountError as error:
            raise self._sessions.explained(error) from None
        self._tell_clock(answer.seconds_ahead(sent_at))
        return Response(body=answer.body, asked_at=asked_at)

    def _tell_clock(self, seconds_ahead: float) -> None:
        """Warn once of a wrong clock: with the bearer token, which signs no time, all is answered the same."""
        if abs(seconds_ahead) > WRONG_CLOCK and not self._told_clock:
            self._told_clock = True
            logger.warning(
                "the machine's clock is %.1f hours %s the API's: what lands now bears wrong times, and /totals and "
                "/28hr a wrong day; set the clock",
                abs(seconds_ahead) / 3600,
                "ahead of" if seconds_ahead > 0 else "behind",
            )

    def _sent(
        self,
        session: requests.Session,
        request: Request,
        written: HttpRequest,
        sent: list[Exchange],
        *,
        sent_at: datetime,
        asked_at: datetime,
    ) -> Answer:
        """Send one signed try, and return its answer; what it came to is added to `sent`, however it ends."""
        self._budget.take(request, asked_at.date())
        started = time.perf_counter()
        tried = Exchange(request=request, asked_at=asked_at, status=0, tries=len(sent) + 1, size=0, seconds=0)
        try:
            answer = self._answer(session, request, written)
            tried = replace(tried, status=answer.status, size=answer.size)
            if answer.status == requests.codes.ok:
                tried = replace(tried, posts=self._source.posts_read(request, answer.body))
                self._budget.read(tried.posts)
        finally:
            tried = replace(tried, seconds=time.perf_counter() - started)
            sent.append(tried)
        spent = answer.status == requests.codes.too_many_requests
        rate = self._source.rate_of(answer.headers, asked_at=sent_at, seconds=tried.seconds, spent=spent)
        self._rate_limiter.of(request.handle).correct(rate)
        return answer

    def _answer(self, session: requests.Session, request: Request, written: HttpRequest) -> Answer:
        """Return the answer to one signed try, masked; raises UnavailableError if no whole one comes in time."""
        url, handle = f"{self._base}{written.path}", request.handle
        place = url.partition("?")[0]  # a query names a hundred Tweets
        try:
            answer = bounds.send(
                session,
                written.method,
                url,
                seconds=self._timeout,
                largest=self._source.largest_answer(request),
                data=written.body,
                headers={**written.headers, "Accept-Encoding": "gzip"},
            )
        except TooLargeError as error:
            raise UnavailableError(
                f"{place} answered with more than {error.most:,} bytes, and no answer of the API is that large: "
                "is a proxy in the way?",
                account=handle,
            ) from None
        except requests.exceptions.RequestException as error:
            told = unreachable(place, error, url=url, setting=self._source.TERMS.address)
            raise UnavailableError(f"{told}.", account=handle) from None
        return replace(answer, body=redacted_body(answer.body))

    def _check(self, answer: Answer, handle: str, asked_at: datetime) -> None:
        """Raise where the answer is not a 200 with a body that looks like JSON; whether it is, the audit finds."""
        if answer.status != requests.codes.ok:
            raise self._source.error_of(answer, handle=handle, asked_at=asked_at)
        if not _looks_like_json(answer.body):
            what = CUT if answer.text.lstrip()[:1] in {"{", "["} else NO_JSON
            raise UnavailableError(
                f"{answer.url.partition('?')[0]} answered 200 with {what} ({shown(answer.text)!r}): "
                "is a proxy in the way?",
                account=handle,
            )


def _looks_like_json(body: bytes) -> bool:
    """Tell a page of a proxy, a body cut short and one of another encoding from JSON, without parsing it."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        return False
    return (text[:1], text[-1:]) in {("{", "}"), ("[", "]")}
