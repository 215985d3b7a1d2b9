"""A plan -> landed responses, until every Tweet is answered for or set aside with a reason.

In: a Plan and an unfinished Pull to land in. Out: a PullReport. Requests leave in parallel as the budget
allows; each response lands before it is looked at, and one that does not add up is set apart and asked for
again. Where the API refuses a whole request because of some Tweets, those that it names are set aside and the
rest is asked for again; where it names none, the request is halved until the culprits are alone: once a half is
answered, the refusal was about the other, which need not be asked for whole.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import requests

from engagement_pipeline.client import MAX_IN_FLIGHT, Response
from engagement_pipeline.errors import (
    AccountError,
    EngagementError,
    PullError,
    RefusedError,
    ResponseError,
    UnavailableError,
)
from engagement_pipeline.flatten import flatten
from engagement_pipeline.roster import Tweet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engagement_pipeline.client import Client
    from engagement_pipeline.plan import Plan, Request
    from engagement_pipeline.raw import Pull

    Progress = Callable[[int, int], None]  # done, in all

logger = logging.getLogger(__name__)

BODIES_TRIED = 3  # responses to one request that may fail the audit before the request has failed
GIVEN_UP_IN_A_ROW = 3  # requests that used up their tries, one after another, before the API counts as down
SHOWN_TWEETS = 3  # in an error message


def quiet(_done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(slots=True)
class PullReport:
    """What a pull came to.

    `planned` are the requests of the plan, `answered` those that got a 200 or a refusal; `rejected` counts
    responses that did not add up and were asked for again; `refused` are the Tweets that the API would not
    serve, with its text.
    """

    planned: int
    answered: int = 0
    rejected: int = 0
    seconds: float = 0.0
    refused: dict[int, str] = field(default_factory=dict)


def run(plan: Plan, pull: Pull, *, client: Client, progress: Progress = quiet) -> PullReport:
    """Send a plan's requests and land what comes.

    Raises PullError once everything that can be had has landed: with AccountErrors, one an account that was not
    let in, or with what stopped the pull. The next pull of the same window goes on from what has landed.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(MAX_IN_FLIGHT, len(plan.requests)))) as pool:
        return _Run(plan, pull, client, progress, pool).to_the_end()


def settle(pull: Pull) -> None:
    """Audit what a killed pull landed and had no time to look at."""
    for landed in pull.unsettled():
        _audit(pull, landed.path, landed.body(), landed.request)


def answered(pull: Pull, client: Client) -> set[Tweet]:
    """Return the Tweets that an unfinished pull has an answer for, each with the account that asked.

    A refusal counts as long as the account has the tokens that it was given to.
    """
    return {
        Tweet(tweet_id, landed.request.handle)
        for landed in pull.landed()
        if not landed.refusal or landed.tokens == client.fingerprint(landed.request.handle)
        for tweet_id in landed.request.tweet_ids
    }


def _audit(pull: Pull, path: Path, body: bytes, request: Request) -> str | None:
    """Let a landed response count if it adds up; else set it apart and return why, and where it is kept."""
    try:
        flatten(body, request)
    except ResponseError as error:
        problem = f"{error}; the response is kept as {pull.reject(path)}"
        logger.info("%s", problem)
        return problem
    pull.accept(path)
    return None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request in flight; if it is a half of one that was refused, `other` is the half that was not sent yet."""

    request: Request
    other: Request | None = None


@dataclass
class _Run:
    """The state of one pull: what is in flight, what came, what failed."""

    plan: Plan
    pull: Pull
    client: Client
    progress: Progress
    pool: ThreadPoolExecutor

    def __post_init__(self) -> None:
        self.report = PullReport(planned=len(self.plan.requests))
        self.in_flight: dict[Future[None], _Sent] = {}
        self.failures: list[EngagementError] = []
        self.given_up_in_a_row = 0
        self.let_in = {landed.request.handle for landed in self.pull.landed() if not landed.refusal}
        self.forbidden: dict[str, list[tuple[Request, RefusedError]]] = defaultdict(list)
        self.settled: set[int] = set()

    def to_the_end(self) -> PullReport:
        started = time.monotonic()
        try:
            for request in self.plan.requests:
                self._send(request)
            while self.in_flight:
                for future in wait(self.in_flight, return_when=FIRST_COMPLETED).done:
                    self._settle(future, self.in_flight.pop(future))
        except BaseException:
            self._stop()
            raise
        self._name_wrong_tokens()
        self.report.seconds = time.monotonic() - started
        if not self.failures:
            self._miss_none()
        if self.failures:
            raise PullError(self.failures)
        return self.report

    def _send(self, request: Request, *, other: Request | None = None) -> None:
        self.in_flight[self.pool.submit(self._fetch, request)] = _Sent(request, other)

    def _fetch(self, request: Request) -> None:
        """In a thread: ask, land, look; ask again where the body does not add up."""
        problem: str | None = None
        for _ in range(BODIES_TRIED):
            response = self.client.ask(request)
            problem = _audit(self.pull, self.pull.land(request, response), response.body, request)
            if not problem:
                return
            self.report.rejected += 1
        raise UnavailableError(f"{problem}: pull again later", account=request.handle)

    def _settle(self, future: Future[None], sent: _Sent) -> None:
        """Take the outcome of one request; whatever is not of the API or its answers is raised."""
        request = sent.request
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
            self.report.answered += 1
            self.given_up_in_a_row = 0  # a refusal is an answer
            if error.about_tweets:
                self._narrow(request, error)
                if sent.other:
                    self._send(sent.other)
            else:
                self.failures.append(error)
                self._stop()
        else:
            self.report.answered += 1
            self.given_up_in_a_row = 0
            self.let_in.add(request.handle)
            self.settled.update(request.tweet_ids)
            self._set_forbidden_aside(request.handle)
            if sent.other:
                self._halve(sent.other)
        self.progress(self.report.answered, self.report.answered + len(self.in_flight))

    def _drop(self, error: AccountError) -> None:
        """Name an account that is not let in once, and ask nothing more for it; the others go on."""
        if not any(isinstance(known, AccountError) and known.account == error.account for known in self.failures):
            self.failures.append(error)
        for future, sent in self.in_flight.items():
            if sent.request.handle == error.account:
                future.cancel()

    def _narrow(self, request: Request, error: RefusedError) -> None:
        """Set aside the Tweets that made the API refuse a request, and ask again for the others."""
        culprits = tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id in error.tweet_ids)
        if len(request.tweet_ids) == 1:
            culprits = request.tweet_ids
        if culprits:
            refused = replace(request, tweet_ids=culprits)
            if error.status == requests.codes.forbidden:
                self.forbidden[request.handle].append((refused, error))
                self._set_forbidden_aside(request.handle)
            else:
                self._set_aside(refused, error)
            innocent = tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id not in culprits)
            if innocent:
                self._send(replace(request, tweet_ids=innocent))
        else:
            self._halve(request)

    def _halve(self, request: Request) -> None:
        """Ask for the first half of Tweets of which some are known to be refused; for the last one, alone."""
        middle = len(request.tweet_ids) // 2
        if middle:
            first, second = request.tweet_ids[:middle], request.tweet_ids[middle:]
            self._send(replace(request, tweet_ids=first), other=replace(request, tweet_ids=second))
        else:
            self._send(request)

    def _set_forbidden_aside(self, handle: str) -> None:
        """Set an account's forbidden Tweets aside once it was served any: its tokens are right, the Tweets are not.

        The bearer token is nobody's, so what it is forbidden is always the Tweets' matter.
        """
        if not handle or handle in self.let_in:
            for refused, error in self.forbidden.pop(handle, []):
                self._set_aside(refused, error)

    def _name_wrong_tokens(self) -> None:
        """Fail each account that was served nothing and forbidden something: its tokens are of another handle."""
        for handle, [(_, error), *_] in self.forbidden.items():
            if any(isinstance(known, AccountError) and known.account == handle for known in self.failures):
                continue
            message = (
                f"account {handle}: the API forbids every Tweet asked for ({'; '.join(error.texts)}): are its tokens "
                f"another handle's? engagement check tells, engagement authorize {handle} gets new ones"
            )
            self.failures.append(AccountError(message, account=handle, status=error.status, texts=error.texts))

    def _set_aside(self, refused: Request, error: RefusedError) -> None:
        text = "; ".join(error.texts)
        self.pull.land(
            refused,
            Response(body=error.body, asked_at=error.asked_at),
            refusal=f"{error.status}: {text}",
            tokens=self.client.fingerprint(refused.handle),
        )
        self.report.refused |= dict.fromkeys(refused.tweet_ids, text)
        self.settled.update(refused.tweet_ids)

    def _miss_none(self) -> None:
        """Fail where a Tweet of the plan got neither an answer nor a refusal."""
        missed = sorted({tweet_id for request in self.plan.requests for tweet_id in request.tweet_ids} - self.settled)
        if missed:
            shown = ", ".join(map(str, missed[:SHOWN_TWEETS])) + (", …" if len(missed) > SHOWN_TWEETS else "")
            self.failures.append(EngagementError(f"{len(missed)} Tweets were not answered for: {shown}"))

    def _stop(self) -> None:
        """Send nothing more; requests that wait for a slot or a back-off end now, those on the wire land."""
        self.client.stop()
        for future in self.in_flight:
            future.cancel()
