"""A window's plan -> landed responses, until every Tweet is answered for or set aside with a reason.

In: a WindowPlan and an unfinished Pull to land in. Out: a PullReport. Requests leave in parallel as the budget
allows; each response lands before it is looked at, and one that does not add up is set apart and asked for
again. Where the API refuses a whole request because of some Tweets, those that it names are set aside and the
rest is asked for again; where it names none, the request is halved until the culprits are alone.
"""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engagement_pipeline.client import Response
from engagement_pipeline.errors import (
    AccountError,
    EngagementError,
    PullError,
    RefusedError,
    ResponseError,
    UnavailableError,
)
from engagement_pipeline.flatten import flatten

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.client import Client
    from engagement_pipeline.pacing import Budget
    from engagement_pipeline.plan import Request, WindowPlan
    from engagement_pipeline.raw import Pull

    Progress = Callable[[int, int], None]  # done, in all

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 64  # threads; the budget decides how many of them wait for an answer at a time
BODIES_TRIED = 3  # responses to one request that may fail the audit before the request has failed
GIVEN_UP_IN_A_ROW = 3  # requests that used up their tries, one after another, before the API counts as down


def quiet(_done: int, _total: int) -> None:
    """Take progress and show nothing."""


@dataclass(slots=True)
class PullReport:
    """What a pull of one window did: requests planned and answered (refusals included), Tweets refused and why."""

    planned: int
    requests: int = 0
    seconds: float = 0.0
    refused: dict[int, str] = field(default_factory=dict)


def run(
    plan: WindowPlan,
    pull: Pull,
    *,
    client: Client,
    budget: Budget,
    progress: Progress,
) -> PullReport:
    """Send a plan's requests and land what comes.

    Raises PullError once everything that can be had has landed: with AccountErrors, one an account that was not
    let in, or with what stopped the pull. The next pull of the same window goes on from what has landed.
    """
    return _Run(plan, pull, client, budget, progress).to_the_end()


def audited(pull: Pull) -> set[int]:
    """Return the Tweets that have landed, for a pull that goes on.

    One that was killed between landing and looking may have left a body that does not add up: it is set apart.
    """
    tweets: set[int] = set()
    for landed in pull.landed():
        try:
            if not landed.refusal:
                flatten(landed.body(), tweet_ids=landed.tweet_ids, types=landed.types, window=landed.window)
        except ResponseError as error:
            logger.warning("%s: %s", pull.reject(landed.path), error)
        else:
            tweets.update(landed.tweet_ids)
    return tweets


class _Run:
    """The state of one pull: what is in flight, what came, what failed."""

    def __init__(
        self,
        plan: WindowPlan,
        pull: Pull,
        client: Client,
        budget: Budget,
        progress: Progress,
    ) -> None:
        self.plan = plan
        self.pull = pull
        self.client = client
        self.budget = budget
        self.progress = progress
        self.report = PullReport(planned=len(plan.requests))
        self.in_flight: dict[Future[Response], Request] = {}
        self.failures: list[EngagementError] = []
        self.given_up_in_a_row = 0

    def to_the_end(self) -> PullReport:
        started = datetime.now(UTC)
        self.pool = ThreadPoolExecutor(max_workers=max(1, min(MAX_IN_FLIGHT, len(self.plan.requests))))
        try:
            for request in self.plan.requests:
                self._send(request)
            while self.in_flight:
                for future in wait(self.in_flight, return_when=FIRST_COMPLETED).done:
                    self._settle(future, self.in_flight.pop(future))
        except BaseException:
            self._stop()
            raise
        finally:
            self.pool.shutdown()
        self.report.seconds = (datetime.now(UTC) - started).total_seconds()
        if self.failures:
            raise PullError(self.failures)
        return self.report

    def _send(self, request: Request) -> None:
        self.in_flight[self.pool.submit(self._fetch, request)] = request

    def _fetch(self, request: Request) -> Response:
        """In a thread: ask, land, look; ask again where the body does not add up."""
        for body in range(1, BODIES_TRIED + 1):
            response = self.client.historical(request)
            path = self.pull.land(request, response)
            try:
                flatten(response.body, tweet_ids=request.tweet_ids, types=request.types, window=request.window)
            except ResponseError as error:
                rejected = self.pull.reject(path)
                logger.warning("%s: %s", rejected, error)
                if body == BODIES_TRIED:
                    message = f"{error}; the response is kept as {rejected}: pull again later"
                    raise UnavailableError(message, account=request.handle) from None
            else:
                return response
        raise AssertionError("BODIES_TRIED is at least 1")

    def _settle(self, future: Future[Response], request: Request) -> None:
        """Take the outcome of one request; whatever is not of the API or its answers is raised."""
        try:
            future.result()
        except CancelledError:
            return
        except AccountError as error:
            self._drop(error)
        except UnavailableError as error:
            self.failures.append(error)
            self.given_up_in_a_row += 1
            if self.given_up_in_a_row == GIVEN_UP_IN_A_ROW:
                self._stop()
        except RefusedError as error:
            self.report.requests += 1
            self.given_up_in_a_row = 0  # a refusal is an answer
            if error.about_tweets:
                self._narrow(request, error)
            else:
                self.failures.append(error)
                self._stop()
        else:
            self.report.requests += 1
            self.given_up_in_a_row = 0
        self.progress(self.report.requests, self.report.requests + len(self.in_flight))

    def _drop(self, error: AccountError) -> None:
        """Name an account that is not let in once, and ask nothing more for it; the others go on."""
        if not any(isinstance(known, AccountError) and known.account == error.account for known in self.failures):
            self.failures.append(error)
        for future, request in self.in_flight.items():
            if request.handle == error.account:
                future.cancel()

    def _narrow(self, request: Request, error: RefusedError) -> None:
        """Set aside the Tweets that made the API refuse a request, and ask again for the others."""
        culprits = tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id in error.tweet_ids)
        if len(request.tweet_ids) == 1:
            culprits = request.tweet_ids
        if culprits:
            text = "; ".join(error.texts)
            response = Response(body=error.body, asked_at=datetime.now(UTC), seconds=0.0, tries=1)
            self.pull.land(replace(request, tweet_ids=culprits), response, refusal=f"{error.status}: {text}")
            self.report.refused |= dict.fromkeys(culprits, text)
            parts = [tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id not in culprits)]
        else:
            middle = len(request.tweet_ids) // 2
            parts = [request.tweet_ids[:middle], request.tweet_ids[middle:]]
        for part in parts:
            if part:
                self._send(replace(request, tweet_ids=part))

    def _stop(self) -> None:
        """Send nothing more; requests that wait for a slot or a back-off end now, those on the wire land."""
        self.budget.cancel()
        for future in self.in_flight:
            future.cancel()
