"""A plan -> landed responses, until every Tweet has an answer or is set aside with a reason.

In: a Plan and an unfinished Pull to land in. Out: a PullReport. Requests leave in parallel, as fast as the rate
allows. Each response lands before it is read. One that fails the audit is rejected and asked for again. Where no answer
comes, unanswered.py lands the reason.

The API may refuse a request because of some Tweets, or because the account has the tokens of another handle. Then
ownership.py decides which Tweets are set aside and which are asked for next.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from math import ceil
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.errors import (
    AccountError,
    EngagementError,
    LakeError,
    OutageError,
    OverBudgetError,
    PullError,
    RefusedError,
    UnavailableError,
)
from engagement_pipeline.core.model import Flat, Plan, Progress, Request, Response, quiet
from engagement_pipeline.core.tables import FORBIDDEN
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract import landed_before, ownership, pull_failures, unanswered
from engagement_pipeline.extract.audit import audit, serves
from engagement_pipeline.extract.ownership import Ask, LeaveOut, Standing, Step
from engagement_pipeline.transport.signing import MAX_IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.transport.client import Client

logger = logging.getLogger(__name__)
BODIES_TRIED = 3  # responses to one request that may fail the audit before the request has failed
GIVEN_UP_IN_A_ROW = 3  # requests that are given up, one after another, before the pull stops
UNKNOWN = "the handle is not in the accounts file"


@dataclass(slots=True)
class PullReport:
    """What came of a pull.

    planned: the requests of the plan.
    answered: the requests that got a 200 or a refusal.
    rows: the counts in the answers.
    rejected: the responses that failed the audit and were asked for again.
    negative: the counts below zero, which are kept.
    early: the counts of hours before their Tweet was posted that are not zero, which are kept.
    refused: the Tweets that the API did not serve, with its text.
    unavailable: the Tweets that an answer named as unavailable.
    """

    planned: int
    answered: int = 0
    rows: int = 0
    rejected: int = 0
    negative: int = 0
    early: int = 0
    seconds: float = 0.0
    refused: dict[int, str] = field(default_factory=dict)
    unavailable: set[int] = field(default_factory=set)


def run(plan: Plan, pull: Pull, *, client: Client, progress: Progress = quiet) -> PullReport:
    """Send a plan's requests and land the responses.

    If something fails, everything else lands first, and so do the Tweets without an answer; then PullError is raised.
    It holds an AccountError for each account that was not let in, or the error that stopped the pull. The next pull of
    the same window resumes this one.
    """
    started = time.monotonic()
    terms = sources.source_of(plan.endpoint).TERMS
    pool = ThreadPoolExecutor(max_workers=max(1, min(MAX_IN_FLIGHT, terms.in_flight, len(plan.requests))))
    asking = _Run(
        plan=plan,
        pull=pull,
        client=client,
        progress=progress,
        pool=pool,
        landings=ThreadPoolExecutor(pull.storage.at_once),
        standings=landed_before.standings(plan, pull),
        witness=landed_before.witness(plan, pull),
        report=PullReport(planned=len(plan.requests)),
    )
    try:
        asking.to_the_end()
        asking.shutdown()
    except BaseException as stopped:  # a second Ctrl-C ends it wherever in here it comes
        asking.stop()
        if not isinstance(stopped, Exception):
            _tell_what_it_waits_for(client, again=isinstance(stopped, KeyboardInterrupt))
        asking.shutdown()
        with suppress(LakeError):  # a full disk may be what stops the pull
            asking.land_unanswered()
        raise
    asking.land_unanswered()
    if failures := asking.failures or pull_failures.missed(plan, asking.settled):
        raise PullError(failures)
    return replace(asking.report, seconds=time.monotonic() - started)


def leave(plan: Plan, pull: Pull, failures: Iterable[EngagementError], *, client: Client) -> None:
    """Send nothing of a plan, because of these failures; land its Tweets with the reason."""
    unanswered.land(pull, plan.requests, settled=set(), given_up={}, failures=failures, at=client.now())


def leave_unknown(plan: Plan, pull: Pull, *, client: Client) -> None:
    """Land the Tweets of a plan that nobody can ask for, because the accounts file lacks their handles."""
    handles = {request.handle for request in plan.requests}
    leave(
        plan, pull, [AccountError(f"{UNKNOWN}: {handle}", account=handle) for handle in sorted(handles)], client=client
    )


def _in_turns(requests: Sequence[Request]) -> Iterator[Request]:
    """Yield the requests of the accounts in turns: none waits for the rate of another."""
    by_handle: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        by_handle[request.handle].append(request)
    for turn in zip_longest(*by_handle.values()):
        yield from filter(None, turn)


def _tell_what_it_waits_for(client: Client, *, again: bool) -> None:
    """Say of a pull that is interrupted why it does not end at once; `again` is for who can press Ctrl-C again."""
    number, seconds = client.under_way()
    if number:
        hint = "; Ctrl-C again to stop now" if again else ""
        logger.warning("stopping: %s in flight, at most %d s%s", counted(number, "request"), ceil(seconds), hint)


@dataclass(kw_only=True)
class _Run:
    """One pull: what is in flight, what came, what failed."""

    plan: Plan
    pull: Pull
    client: Client
    progress: Progress
    pool: ThreadPoolExecutor
    landings: ThreadPoolExecutor  # of refusals: a slow store keeps nobody from asking on, and they wait for no request
    standings: dict[str, Standing]  # by handle
    witness: Request | None  # one that the API answered in an earlier part of the pull
    report: PullReport
    in_flight: dict[Future[Flat], Ask] = field(default_factory=dict)
    failures: list[EngagementError] = field(default_factory=list)
    sent: int = 0  # requests, those included that end without an answer
    given_up_in_a_row: int = 0
    settled: set[int] = field(default_factory=set)  # Tweets that were answered or set aside
    given_up: dict[int, EngagementError] = field(default_factory=dict)  # by Tweet, the error of its own request
    landing: dict[Future[Path], Request] = field(default_factory=dict)  # what was refused, until that has landed
    forbidden: dict[str, str] = field(default_factory=dict)  # by handle, what a 200 said of a Tweet that is not its own

    def to_the_end(self) -> None:
        """Ask until each Tweet has its outcome or is given up; what failed is in `failures` then."""
        per_account = sources.source_of(self.plan.endpoint).TERMS.per_account
        for request in _in_turns(self.plan.requests) if per_account else self.plan.requests:
            self._send(Ask(request))
        while self.in_flight:
            for future in wait(self.in_flight, return_when=FIRST_COMPLETED).done:
                self._settle(future, self.in_flight.pop(future))
            self.landing = {each: of for each, of in self.landing.items() if not (each.done() and each.result())}
        wait(self.landing)
        for each in self.landing:
            each.result()
        for failure in pull_failures.of_wrong_tokens(self.standings, self.forbidden):
            self.client.leave_out(failure)  # in later windows too
            self.failures.append(failure)

    def _send(self, asked: Ask) -> None:
        self.sent += 1
        self.in_flight[self.pool.submit(self._fetch, asked.request)] = asked

    def _fetch(self, request: Request) -> Flat:
        """In a thread: ask, land, audit; ask again if the body fails the audit."""
        problem = ""
        for _ in range(BODIES_TRIED):
            response = self.client.ask(request, witness=self.witness)
            landed = self.pull.land(request, response, tokens=self.client.fingerprint(request.handle))
            looked_at = audit(self.pull, landed, response.body, request, asked_at=response.asked_at)
            if isinstance(looked_at, Flat):
                return looked_at
            problem = looked_at
            self.report.rejected += 1
        raise UnavailableError(f"{problem}: pull again later", account=request.handle)

    def _settle(self, future: Future[Flat], asked: Ask) -> None:
        """Take the outcome of one request. Errors that are not about the API or its answers are raised."""
        standing = self.standings[asked.request.handle]
        try:
            flat = future.result()
        except CancelledError:
            self._go_on(ownership.unanswered(standing))
            return
        except AccountError as error:
            self._go_on(ownership.unanswered(standing))
            self._drop(error)
        except UnavailableError as error:
            self._go_on(ownership.unanswered(standing))
            self._give_up(asked.request, error)
        except RefusedError as error:
            self._take_refusal(standing, asked, error)
        except OverBudgetError as error:
            self._go_on(ownership.unanswered(standing))
            self.failures = pull_failures.noted(self.failures, error)
            self.stop()
        else:
            self._take_answer(standing, asked, flat)
        self.progress(self.report.answered, self.sent, rows=self.report.rows)

    def _drop(self, error: AccountError) -> None:
        """Note an account that is not let in, and stop asking for it; the others go on."""
        self.failures = pull_failures.noted(self.failures, error)
        for future, asked in self.in_flight.items():
            if asked.request.handle == error.account:
                future.cancel()

    def _give_up(self, request: Request, error: UnavailableError) -> None:
        """Give up a request that cannot be had; after several in a row, or in an outage, stop the pull."""
        self.failures = pull_failures.noted(self.failures, error)
        self.given_up |= dict.fromkeys(request.tweet_ids, error)
        self.given_up_in_a_row += 1
        if isinstance(error, OutageError) or self.given_up_in_a_row == GIVEN_UP_IN_A_ROW:
            self.stop()

    def _take_refusal(self, standing: Standing, asked: Ask, error: RefusedError) -> None:
        self.report.answered += 1
        self.given_up_in_a_row = 0  # a refusal is an answer
        if error.about_tweets:
            self._go_on(ownership.refused(standing, asked, error))
        else:
            self.failures.append(error)
            self.given_up |= dict.fromkeys(asked.request.tweet_ids, error)
            self.stop()

    def _take_answer(self, standing: Standing, asked: Ask, flat: Flat) -> None:
        self.report.answered += 1
        self.report.rows += flat.rows.num_rows
        self.report.negative += flat.negative
        self.report.early += flat.early
        self.report.unavailable |= flat.unavailable
        for reason in flat.reasons.values():
            if reason.outcome == FORBIDDEN:
                self.forbidden.setdefault(asked.request.handle, reason.text)
        self.given_up_in_a_row = 0
        self.settled.update(asked.request.tweet_ids)
        self._go_on(ownership.answered(standing, asked, served=serves(flat)))

    def _go_on(self, step: Step) -> None:
        """Keep the account's new standing, and carry out the decisions."""
        standing, decisions = step
        self.standings[standing.handle] = standing
        for decision in decisions:
            if isinstance(decision, LeaveOut):
                self._set_aside(decision.request, decision.refusal)
            else:
                self._send(decision)

    def _set_aside(self, refused: Request, error: RefusedError) -> None:
        text = "; ".join(error.texts)
        landing = self.landings.submit(
            self.pull.land,
            refused,
            Response(body=error.body, asked_at=error.asked_at),
            refusal=f"{error.status}: {text}",
            tokens=self.client.fingerprint(refused.handle),
        )
        self.landing[landing] = refused
        self.report.refused |= dict.fromkeys(refused.tweet_ids, text)
        self.settled.update(refused.tweet_ids)

    def land_unanswered(self) -> None:
        """Land the Tweets that got neither an answer nor a refusal, so that coverage can tell of them."""
        failed = (of for each, of in self.landing.items() if each.done() and each.exception())
        unanswered.land(
            self.pull,
            self.plan.requests,
            settled=self.settled - {tweet for of in failed for tweet in of.tweet_ids},
            given_up=self.given_up,
            failures=self.failures,
            at=self.client.now(),
        )

    def shutdown(self) -> None:
        """Wait until all that is in flight has landed."""
        self.pool.shutdown()
        self.landings.shutdown()

    def stop(self) -> None:
        """Send nothing more. Requests that still wait end now; the answers to those already sent land."""
        self.client.stop()
        for future in self.in_flight:
            future.cancel()
