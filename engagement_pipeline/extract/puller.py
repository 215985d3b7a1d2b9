"""A plan -> landed responses, until every Tweet is answered for or set aside with a reason.

In: a Plan and an unfinished Pull to land in. Out: a PullReport. Requests leave in parallel as the budget
allows; each response lands before it is looked at, and one that does not add up is set apart and asked for
again. Where the API refuses a whole request because of some Tweets, those that it names are set aside and the
rest is asked for again; where it names none, the request is halved until the culprits are alone: once a half is
answered, the refusal was about the other, which need not be asked for whole.

Whose tokens an account has is told by a Tweet that was served, and by nothing else: until then, what it is forbidden
is not set aside, and one of its forbidden requests alone is halved while the others are held back. Where the last
Tweet of that one is forbidden too, and no other answer served any, the tokens are of another handle.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import requests

from engagement_pipeline.core.errors import (
    AccountError,
    EngagementError,
    PullError,
    RefusedError,
    ResponseError,
    UnavailableError,
)
from engagement_pipeline.core.model import Plan, Progress, Request, Response, Tweet, quiet
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.sources.engagement.flatten import Flat, flatten
from engagement_pipeline.transport.client import MAX_IN_FLIGHT, Client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from engagement_pipeline.lake.raw import Landed, Pull

logger = logging.getLogger(__name__)
BODIES_TRIED = 3  # responses to one request that may fail the audit before the request has failed
GIVEN_UP_IN_A_ROW = 3  # requests that used up their tries, one after another, before the API counts as down
SHOWN_TWEETS = 3  # in an error message


@dataclass(slots=True)
class PullReport:
    """What a pull came to.

    `planned` are the requests of the plan, `answered` those that got a 200 or a refusal; `rejected` counts
    responses that did not add up and were asked for again; `refused` are the Tweets that the API would not
    serve, with its text, and `unavailable` those that it named so in an answer. `negative` counts are below zero, and
    kept; `unscanned` responses were written in a way that only the plain reader knows, which is slow and no less right.
    """

    planned: int
    answered: int = 0
    rejected: int = 0
    negative: int = 0
    unscanned: int = 0
    seconds: float = 0.0
    refused: dict[int, str] = field(default_factory=dict)
    unavailable: set[int] = field(default_factory=set)


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
        if not landed.refusal or _still_holds(landed, client)
        for tweet_id in landed.request.tweet_ids
    }


def refusals(pull: Pull, client: Client) -> list[Landed]:
    """Return the refusals of a pull that were given to the tokens which its accounts have."""
    return [landed for landed in pull.landed() if landed.refusal and _still_holds(landed, client)]


def repeat(pull: Pull, refused: Iterable[Landed], tweets: AbstractSet[Tweet]) -> set[Tweet]:
    """Land what was refused in another window in this one too, for those of `tweets` that it names; return them.

    The API refuses a Tweet, whatever the days, so asking again would cost as much and tell nothing.
    """
    repeated: set[Tweet] = set()
    for landed in refused:
        named = {Tweet(tweet_id, landed.request.handle) for tweet_id in landed.request.tweet_ids} & tweets - repeated
        if named:
            pull.land(
                replace(landed.request, tweet_ids=tuple(sorted(t.tweet_id for t in named)), window=pull.window),
                Response(body=landed.body(), asked_at=landed.asked_at),
                refusal=landed.refusal,
                tokens=landed.tokens,
            )
            repeated |= named
    return repeated


def _still_holds(refusal: Landed, client: Client) -> bool:
    return refusal.tokens == client.fingerprint(refusal.request.handle)


def _audit(pull: Pull, path: Path, body: bytes, request: Request) -> Flat | str:
    """Let a landed response count if it adds up; else set it apart and return why, and where it is kept."""
    try:
        flat = flatten(body, request)
    except ResponseError as error:
        problem = f"{error}; the response is kept as {pull.reject(path)}"
        logger.info("%s", problem)
        return problem
    pull.accept(path)
    return flat


def _serves(flat: Flat) -> bool:
    """Tell whether an answer shows that its Tweets are the account's own.

    The API looks at no owner of a Tweet that is gone, so an answer which holds gone ones alone shows nothing. One
    without rows and without a word about any Tweet holds zeros that nobody measured: it was served.
    """
    return bool(flat.rows.num_rows) or not (flat.unavailable or flat.said)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request in flight.

    If it is a half of one that was refused, `depth` counts the halvings, `other` is the half that was not sent yet,
    and `refusal` is what the whole one got.
    """

    request: Request
    depth: int = 0
    other: Request | None = None
    refusal: RefusedError | None = None


def _cut(tweet_ids: tuple[int, ...], place: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tweet_ids[:place], tweet_ids[place:]


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
        self.in_flight: dict[Future[Flat], _Sent] = {}
        self.failures: list[EngagementError] = []
        self.given_up_in_a_row = 0
        self.let_in: set[str] = set()
        self.landed_before: dict[str, list[Landed]] = defaultdict(list)
        for landed in self.pull.landed():
            if not landed.refusal:
                self.landed_before[landed.request.handle].append(landed)
        self.forbidden: dict[str, list[tuple[Request, RefusedError]]] = defaultdict(list)
        self.held: dict[str, list[tuple[Request, RefusedError]]] = defaultdict(list)
        self.followed: dict[str, int] = {}  # by account in doubt, how often the one forbidden request was halved
        self.unanswered: set[str] = set()  # accounts with requests that got no answer, or were never sent
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

    def _send(self, request: Request) -> None:
        self._submit(_Sent(request))

    def _submit(self, sent: _Sent) -> None:
        self.in_flight[self.pool.submit(self._fetch, sent.request)] = sent

    def _fetch(self, request: Request) -> Flat:
        """In a thread: ask, land, look; ask again where the body does not add up."""
        problem = ""
        for _ in range(BODIES_TRIED):
            response = self.client.ask(request)
            looked_at = _audit(self.pull, self.pull.land(request, response), response.body, request)
            if isinstance(looked_at, Flat):
                return looked_at
            problem = looked_at
            self.report.rejected += 1
        raise UnavailableError(f"{problem}: pull again later", account=request.handle)

    def _settle(self, future: Future[Flat], sent: _Sent) -> None:
        """Take the outcome of one request; whatever is not of the API or its answers is raised."""
        try:
            flat = future.result()
        except CancelledError:
            self.unanswered.add(sent.request.handle)
            return
        except AccountError as error:
            self.unanswered.add(sent.request.handle)
            self._drop(error)
        except UnavailableError as error:
            self.unanswered.add(sent.request.handle)
            self.failures.append(error)
            self.given_up_in_a_row += 1
            if self.given_up_in_a_row == GIVEN_UP_IN_A_ROW:
                self._stop()
        except RefusedError as error:
            self._take_refusal(sent, error)
        else:
            self._take_answer(sent, flat)
        self.progress(self.report.answered, self.report.answered + len(self.in_flight))

    def _take_refusal(self, sent: _Sent, error: RefusedError) -> None:
        self.report.answered += 1
        self.given_up_in_a_row = 0  # a refusal is an answer
        if error.about_tweets:
            self._narrow(sent.request, error, depth=sent.depth)
            if sent.other:
                self._submit(_Sent(sent.other, sent.depth))
        else:
            self.failures.append(error)
            self._stop()

    def _take_answer(self, sent: _Sent, flat: Flat) -> None:
        self.report.answered += 1
        self.report.negative += flat.negative
        self.report.unavailable |= flat.unavailable
        self.report.unscanned += not flat.scanned
        self.given_up_in_a_row = 0
        self.settled.update(sent.request.tweet_ids)
        if _serves(flat):
            self.let_in.add(sent.request.handle)
            self._trust(sent.request.handle)
        if sent.other and sent.refusal:
            self._halve(sent.other, sent.refusal, depth=sent.depth)

    def _drop(self, error: AccountError) -> None:
        """Name an account that is not let in once, and ask nothing more for it; the others go on."""
        if not any(isinstance(known, AccountError) and known.account == error.account for known in self.failures):
            self.failures.append(error)
        for future, sent in self.in_flight.items():
            if sent.request.handle == error.account:
                future.cancel()

    def _narrow(self, request: Request, error: RefusedError, *, depth: int) -> None:
        """Set aside the Tweets that made the API refuse a request, and ask again for the others."""
        culprits = tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id in error.tweet_ids)
        if len(request.tweet_ids) == 1:
            culprits = request.tweet_ids
        if not culprits:
            self._halve(request, error, depth=depth)
            return
        refused = replace(request, tweet_ids=culprits)
        if error.status == requests.codes.forbidden and not self._is_let_in(request.handle):
            self.forbidden[request.handle].append((refused, error))
        else:
            self._set_aside(refused, error)
        innocent = tuple(tweet_id for tweet_id in request.tweet_ids if tweet_id not in culprits)
        if innocent:
            self._submit(_Sent(replace(request, tweet_ids=innocent), depth))

    def _halve(self, request: Request, error: RefusedError, *, depth: int) -> None:
        """Ask for the first half of Tweets of which some are known to be refused; for the last one, alone.

        Of an account in doubt, one forbidden request of each depth is followed and the others are held back: its
        first to be refused, then of each two halves the one that is refused first.
        """
        if error.status == requests.codes.forbidden and not self._is_let_in(request.handle):
            if depth <= self.followed.get(request.handle, -1):
                self.held[request.handle].append((request, error))
                return
            self.followed[request.handle] = depth
        middle = len(request.tweet_ids) // 2
        if middle:
            first, second = (replace(request, tweet_ids=ids) for ids in _cut(request.tweet_ids, middle))
            self._submit(_Sent(first, depth + 1, other=second, refusal=error))
        else:
            self._submit(_Sent(request, depth + 1))

    def _trust(self, handle: str) -> None:
        """Take what an account is forbidden as the Tweets' own matter, since it was served one."""
        for refused, error in self.forbidden.pop(handle, []):
            self._set_aside(refused, error)
        for request, error in self.held.pop(handle, []):
            self._halve(request, error, depth=0)

    def _is_let_in(self, handle: str) -> bool:
        """Tell whether an account was served a Tweet, now or before this pull was gone on with.

        What landed before is looked at as far as it takes, and once. The bearer token is nobody's, so what it is
        forbidden is always the Tweets' matter.
        """
        before = self.landed_before[handle]
        while handle and handle not in self.let_in and before:
            landed = before.pop()
            if _serves(flatten(landed.body(), landed.request)):
                self.let_in.add(handle)
                self._trust(handle)
        return not handle or handle in self.let_in

    def _name_wrong_tokens(self) -> None:
        """Fail each account that was served nothing and forbidden something: its tokens are of another handle.

        Nothing is asked for it any more, in the windows that follow neither. One with requests that were not
        answered has failed for another reason, and stays in doubt.
        """
        for handle in sorted({*self.forbidden, *self.held} - self.unanswered):
            _, error = [*self.forbidden[handle], *self.held[handle]][0]
            said = shown("; ".join(error.texts))
            message = (
                f"account {handle}: the API forbids its Tweets and serves none ({said}): are its tokens another "
                f"handle's? engagement check tells, engagement authorize {handle} gets new ones"
            )
            failure = AccountError(message, account=handle, status=error.status, texts=error.texts)
            self.client.leave_out(failure)
            self.failures.append(failure)

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
