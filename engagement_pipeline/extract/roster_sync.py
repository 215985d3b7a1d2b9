"""Find the Tweets of each account on its timeline, and keep them in the roster.

    estimates     the handles' files -> how many Posts a sync would read, which plans with pay-per-use bill
    sync          each handle's timeline -> its file, as roster_synced.py writes it

In: settings, accounts and handles. Out: what each handle has gained, and what failed.

A timeline is read from the newest Post to the newest that is known, or as far back as it reaches. If it breaks off, the
Posts that came are kept, and the next sync reads it again from the newest: what lies behind them is not known yet.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import orjson
import requests

from engagement_pipeline.core import spend
from engagement_pipeline.core.erased import NUMBER_IN_BYTES, Erased
from engagement_pipeline.core.errors import EngagementError, InputError, RefusedError, ResponseError
from engagement_pipeline.core.model import posted_at
from engagement_pipeline.core.spend import Needs
from engagement_pipeline.extract import drift, roster_synced, turn
from engagement_pipeline.extract.roster_synced import COMPLETE, FOUND_IN, PART, TIMELINE
from engagement_pipeline.lake import forgotten, request_log
from engagement_pipeline.lake.clock import Clock
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.sources.x_api_v2 import timeline
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from engagement_pipeline.core.model import Answer, Exchange, Request
    from engagement_pipeline.core.posts import Post
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.extract.roster_synced import Merged
    from engagement_pipeline.lake.forgotten import Forgotten
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.budget import Budget

T = TypeVar("T")
READ_PRICE = 0.001  # dollars for reading a Post of one's own, on pay-per-use; the vendor's page of August 2026
REQUESTS_PER_MINUTE = 600  # while the API lets them through: a whole timeline has 33 pages
SAME_PAGE = 3  # times that a token may lead to itself: a page that comes again may be a slip
MOST_PAGES = 1_000
PACE_DAYS = 28  # before the newest known Tweet, from which the number of new ones is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How many Posts of a handle a sync reads: `likely`, and `most`. `since` is the newest known, None at first."""

    handle: str
    since: int | None
    likely: int
    most: int = timeline.REACH


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What came of a sync: the file of each handle with Posts, and the error of each handle that failed."""

    merged: tuple[Merged, ...]
    failures: Mapping[str, EngagementError]

    @property
    def failure(self) -> EngagementError | None:
        """What did not come, as one error; None if all timelines were read to their end."""
        if not self.failures:
            return None
        handles: dict[str, list[str]] = defaultdict(list)
        for handle, error in self.failures.items():
            handles[str(error)].append(handle)
        told = "; ".join(f"{', '.join(of_error)}: {error}" for error, of_error in handles.items())
        of = len(self.failures) + len(self.merged)
        return EngagementError(
            f"{len(self.failures)} of {of} timelines are not read to their end, and what came is kept: {told}"
        )


def estimates(settings: Settings, known: Accounts, handles: Sequence[str]) -> list[Estimate]:
    """Return what a sync of these handles would read, or of all accounts where none is named; it asks nothing.

    Raises InputError for a handle that is not in the accounts file, or a file that cannot be read or written.
    """
    strangers = [handle for handle in handles if handle not in known.by_handle]
    if strangers:
        raise InputError(f"{strangers[0]} is not in the accounts file: engagement authorize {strangers[0]} adds it")
    known.raise_if_none()
    now = settings.current_time()
    return [_estimate(settings.tweets, handle, now) for handle in dict.fromkeys(handles) or sorted(known.by_handle)]


def _estimate(pattern: str, handle: str, now: datetime) -> Estimate:
    found = roster_synced.known(pattern, handle)
    complete = [tweet_id for tweet_id, row in found.items() if row.get(FOUND_IN) in COMPLETE]
    since = max(complete, default=None)
    moment = posted_at(since) if since else None
    if since is None or moment is None:
        return Estimate(handle=handle, since=since, likely=timeline.REACH)
    begins = moment - timedelta(days=PACE_DAYS)
    recent = sum((posted_at(tweet_id) or begins) > begins for tweet_id in complete)
    likely = math.ceil(recent / PACE_DAYS * max(0.0, (now - moment) / timedelta(days=1)))
    return Estimate(handle=handle, since=since, likely=min(likely, timeline.REACH))


def sync(settings: Settings, known: Accounts, planned: Sequence[Estimate], *, over_budget: bool = False) -> Synced:
    """Read the timelines. What fails for one handle does not stop the next.

    Waits until no other process asks with the same accounts file. The lake is made where there is none, since the log
    of requests is there. Raises OverBudgetError before the first request if a limit of the month does not allow it.
    """
    home = Lake(settings.data)
    home.open()
    with turn.held(settings, home, what="a sync of the roster"):
        gone, clock = forgotten.load(home), Clock.of(home, machine=settings.current_time)
        budget = turn.budget(settings, home, day=clock().date(), over_budget=over_budget)
        budget.check_needs(needs(planned), what="this sync of the roster")
        with _client(settings, known, home, clock=clock, budget=budget, gone=gone) as client:
            return _sync_all(client, settings, known, planned, gone=gone)


def needs(planned: Iterable[Estimate]) -> Needs:
    """Return about how much of a month a sync uses: for each handle a request for its ID, and its pages."""
    likely = [each.likely for each in planned]
    pages = (max(1, math.ceil(posts / timeline.PAGE)) for posts in likely)
    return Needs(requests=sum(1 + number for number in pages), posts=sum(likely))


def spend_lines(settings: Settings, planned: Iterable[Estimate]) -> list[str]:
    """Return what this month has used, about what a sync adds, and what is left then; tries that fail come on top."""
    used = request_log.used(Lake(settings.data).of_each_source, settings.current_time().date())
    return spend.lines(settings.limits, used, needs(planned), what="this sync")


def _sync_all(
    client: Client, settings: Settings, known: Accounts, planned: Iterable[Estimate], *, gone: Forgotten
) -> Synced:
    merged: list[Merged] = []
    failures: dict[str, EngagementError] = {}
    for each in planned:
        try:
            merged.append(_sync_one(client, known, each, pattern=settings.tweets, gone=gone))
        except EngagementError as error:
            failures[each.handle] = error
    return Synced(merged=tuple(merged), failures=failures)


def _client(
    settings: Settings, known: Accounts, lake: Lake, *, clock: Clock, budget: Budget, gone: Forgotten
) -> Client:
    def log(exchange: Exchange) -> None:
        request_log.write(lake, exchange, limits=settings.limits, unnamed=gone.among(exchange.posts))

    def look(request: Request, answer: Answer, asked_at: datetime) -> None:
        drift.look_at_all(lake.storage, request, replace(answer, body=_without(gone, request, answer.body)), asked_at)

    return Client(
        timeline,
        known,
        api_url=settings.x_api_url,
        auth_url=settings.auth_url,
        rate_limiter=RateLimiter(REQUESTS_PER_MINUTE),
        patience=Patience(settings.patience()),
        tries=settings.tries,
        timeout_seconds=settings.timeout_seconds,
        log=log,
        look=look,
        lake_now=clock,
        budget=budget,
    )


def _without(gone: Forgotten, request: Request, body: bytes) -> bytes:
    """Return a page without the Posts that are forgotten, so that no example tells of them."""
    named = {*timeline.posts_read(request, body), *map(int, NUMBER_IN_BYTES.findall(body))}
    erased = Erased(frozenset(gone.among(named)))
    try:
        return orjson.dumps(erased.without(orjson.loads(body))) if erased.ids else body
    except orjson.JSONDecodeError:
        return b""


def _sync_one(client: Client, known: Accounts, planned: Estimate, *, pattern: str, gone: Forgotten) -> Merged:
    """Read one timeline into the handle's file; what came is kept, even if the rest does not come."""
    user_id = _user_id(client, known, planned.handle)
    posts: list[Post] = []
    found_in = PART
    try:
        for page in _pages(client, planned.handle, user_id, planned.since):
            posts += page
        found_in = TIMELINE
    finally:
        merged = roster_synced.merge(pattern, planned.handle, posts, found_in=found_in, gone=gone)
    return merged


def _user_id(client: Client, known: Accounts, handle: str) -> str:
    """Return the user ID of a handle. Raises InputError if the tokens are of another user."""
    user_id = _read(client, timeline.user(handle), timeline.read_user)
    of_token = known.by_handle[handle].user_id
    if of_token and of_token != user_id:
        raise InputError(
            f"the tokens of {handle} are of user id {of_token}, and {handle} has {user_id}: log in as {handle}, and "
            f"run engagement authorize {handle}"
        )
    return user_id


def _read(client: Client, request: Request, read: Callable[[bytes], T]) -> T:
    return read(client.ask(request).body)


def _pages(client: Client, handle: str, user_id: str, since: int | None) -> Iterator[tuple[Post, ...]]:
    """Yield the Posts of each page, the newest first. Raises ResponseError where the pages come to no end."""
    used: Counter[str] = Counter()
    token, word = "", timeline.WORDS[0]
    for _ in range(MOST_PAGES):
        try:
            request = timeline.page(handle, user_id, word=word, since=since, token=token)
            page = _read(client, request, timeline.read_page)
        except RefusedError as error:
            if word == timeline.WORDS[-1] or not _is_of_spelling(error, word):
                raise
            word = timeline.WORDS[-1]
            continue
        yield page.posts
        token = page.next_token
        used[token] += 1
        if not token:
            return
        if used[token] > SAME_PAGE:
            break
    raise ResponseError(
        f"the timeline of {handle} repeats a page without an end: the Posts that came are kept; sync again later",
        path="meta.next_token",
    )


def _is_of_spelling(error: RefusedError, word: str) -> bool:
    """Tell whether the API refuses the word that it is asked with."""
    return error.status == requests.codes.bad_request and any(
        name in " ".join(error.texts) for name in (f"{word}.fields", f"referenced_{word}s")
    )
