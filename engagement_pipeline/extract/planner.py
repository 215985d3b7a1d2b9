"""Roster and days -> the fewest requests that cover them.

In: Tweets, an endpoint and, if it takes days, a range of UTC days. Out: Plans of requests, each signed by one account
and within the vendor's limits. A plan also has the Tweets that no request names, with the reason. Pure: no clock, no
network, no files.

No plan needs fewer requests: for each account and window, the number of its Tweets divided by the limit, rounded up.
A Tweet that may make the API refuse a whole request is asked for alone, in a request of its own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import MAX_DAYS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.model import Plan, Request, Tweet, Window, posted_at
from engagement_pipeline.core.setting_values import OLDEST_DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from engagement_pipeline.core.endpoints import Endpoint

NOT_POSTED = "not posted before the window ends"
OF_OTHERS = "of others, which /totals alone serves"
NOT_PUBLIC = "of others, and none of the setting types is public"


def windows(
    first: date,
    last: date,
    *,
    last_whole_day: date,
    oldest_day: date = OLDEST_DAY,
    most: int = MAX_DAYS,
    cut: date | None = None,
) -> tuple[Window, ...]:
    """Cut a range of UTC days into windows of at most 28, or of `most`; one begins with the day `cut` if it is inside.

    Raises InputError if `first` is after `last` or before the API's first day, or if `last` is not over yet.
    """
    for day in (first, last):
        if day < oldest_day:
            raise InputError(f"{day} is before {oldest_day}, where the API's data begin: start there or later")
        if day > last_whole_day:
            raise InputError(f"{day} is not over yet: {last_whole_day} is the last whole UTC day, end there")
    if first > last:
        raise InputError(f"the first day, {first}, is after the last, {last}: swap them")
    inside = [cut] if cut and first < cut <= last else []
    ends = [*(day - timedelta(days=1) for day in inside), last]
    return tuple(
        Window(begin + timedelta(days=start), min(end, begin + timedelta(days=start + most - 1)))
        for begin, end in zip([first, *inside], ends, strict=True)
        for start in range(0, (end - begin).days + 1, most)
    )


def plan(
    tweets: Iterable[Tweet],
    endpoint: Endpoint,
    *,
    types: Collection[str],
    window: Window | None = None,
    resting: Mapping[Tweet, str] | None = None,
    alone: Collection[int] = (),
) -> Plan:
    """Batch the Tweets that `endpoint` can serve.

    These Tweets are left out: those posted after `window`, those of others if the endpoint serves only owned ones, and
    those in `resting`, with the reason given there. Each Tweet in `alone` gets a request of its own. Raises InputError
    if the endpoint serves none of `types`.
    """
    served = tuple(name for name in endpoint.types if name in types)
    public = tuple(name for name in endpoint.public_types if name in types)
    if not served:
        raise InputError(f"none of the setting types is served by /{endpoint}: add some of {', '.join(endpoint.types)}")
    reasons = {
        tweet: _unasked(tweet, endpoint, window=window, public=public) or (resting or {}).get(tweet)
        for tweet in sorted(tweets)
    }
    asked = [tweet for tweet, reason in reasons.items() if not reason]
    return Plan(
        endpoint=endpoint,
        window=window,
        types=served,
        requests=tuple(
            _request(batch, endpoint, window=window, types=served if batch[0].handle else public)
            for batch in _batches(asked, endpoint.max_tweets, alone)
        ),
        left_out={tweet.tweet_id: reason for tweet, reason in reasons.items() if reason},
        alone=frozenset(tweet.tweet_id for tweet in asked if tweet.tweet_id in alone),
    )


def rest(planned: Plan, tweets: Iterable[Tweet]) -> Plan:
    """Return a plan that asks for some of its Tweets alone."""
    return plan(tweets, planned.endpoint, types=planned.types, window=planned.window, alone=planned.alone)


def without(planned: Plan, gone: Collection[int]) -> Plan:
    """Return a plan that does not ask for some Tweets."""
    return replace(planned, requests=_without(planned.requests, gone), kept_back=_without(planned.kept_back, gone))


def kept_back(planned: Plan, reason: str, *, answered: Collection[int]) -> Plan:
    """Return a plan that asks for nothing, for a reason; its Tweets but those `answered` are kept back."""
    left_out = {tweet.tweet_id: reason for tweet in planned.tweets}
    return replace(
        planned,
        requests=(),
        left_out={**planned.left_out, **left_out},
        alone=frozenset(),
        kept_back=_without(planned.requests, answered),
    )


def _without(requests: Iterable[Request], gone: Collection[int]) -> tuple[Request, ...]:
    """Return requests without some Tweets, and without those that would name none."""
    fewer = (
        replace(request, tweet_ids=tuple(tweet for tweet in request.tweet_ids if tweet not in gone))
        for request in requests
    )
    return tuple(request for request in fewer if request.tweet_ids)


def _batches(tweets: Iterable[Tweet], most: int, alone: Collection[int]) -> Iterator[Sequence[Tweet]]:
    """Cut each account's Tweets into batches: full ones, one with the rest, and those with a single Tweet."""
    by_handle: dict[str, list[Tweet]] = defaultdict(list)
    for tweet in tweets:
        by_handle[tweet.handle].append(tweet)
    for _, owned in sorted(by_handle.items()):
        together = [tweet for tweet in owned if tweet.tweet_id not in alone]
        for start in range(0, len(together), most):
            yield together[start : start + most]
        for tweet in owned:
            if tweet.tweet_id in alone:
                yield [tweet]


def _request(tweets: Sequence[Tweet], endpoint: Endpoint, *, window: Window | None, types: tuple[str, ...]) -> Request:
    """Return the request for Tweets of one account."""
    return Request(
        endpoint=endpoint,
        handle=tweets[0].handle,
        tweet_ids=tuple(tweet.tweet_id for tweet in tweets),
        types=types,
        window=window,
        keys={tweet.tweet_id: tweet.key for tweet in tweets if tweet.key},
    )


def _unasked(tweet: Tweet, endpoint: Endpoint, *, window: Window | None, public: tuple[str, ...]) -> str | None:
    """Return why the endpoint is not asked for a Tweet, None if it is."""
    if not tweet.handle and not endpoint.public_types:
        return OF_OTHERS
    if not tweet.handle and not public:
        return NOT_PUBLIC
    posted = posted_at(tweet.tweet_id)
    if window and posted and posted >= datetime.combine(window.end, time(), tzinfo=UTC):
        return NOT_POSTED
    return None
