"""Request: what an answer to it can be at most."""

import json
from datetime import date

import pytest
from bodies import parts, totals

from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.model import LARGEST_BODY, Request, Window
from engagement_pipeline.sources.engagement.request import largest_answer, most_values

COMPACT = (",", ":")
MOST = -(2**63)  # the count with the longest text
WAYS = {
    "compact, of one digit": (0, {"separators": COMPACT}),
    "compact, of 19 digits and a sign": (MOST, {"separators": COMPACT}),
    "with an indent of two and five digits": (12_345, {"indent": 2}),
    "with an indent of four": (0, {"indent": 4}),
    "with tabs": (0, {"indent": "\t"}),
}


def asking(endpoint, *, tweets, days=28):
    """Return a request for all types of an endpoint."""
    window = Window(date(2026, 1, 1), date(2026, 1, days)) if endpoint == HISTORICAL else None
    ids = tuple(1890000000000000001 + number for number in range(tweets))
    return Request(endpoint=endpoint, handle="ann", tweet_ids=ids, types=endpoint.types, window=window)


def full(request, count):
    """Return the objects of an answer that holds all that was asked for, and complains of each Tweet."""
    if request.endpoint == TOTALS:
        root = totals({(tweet, name): count for tweet in request.tweet_ids for name in request.types})
    else:
        moments = [
            (day, hour)
            for day in (request.window or Window(date(2026, 1, 1), date(2026, 1, 3))).days()
            for hour in range(24)
        ]
        moments = moments if request.window else moments[23 : 23 + 29]
        root = parts(
            {(tweet, name, *at): count for tweet in request.tweet_ids for name in request.types for at in moments}
        )
    lists = ("unavailable", "unsupported_for_video_views", "unsupported_for_impressions_engagements")
    root |= {f"{name}_tweet_ids": [str(tweet) for tweet in request.tweet_ids] for name in lists}
    return root | {"errors": [f"Tweet {tweet} cannot be served: " + "it is gone, " * 8 for tweet in request.tweet_ids]}


@pytest.mark.parametrize(("count", "written"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "request_",
    [
        asking(HISTORICAL, tweets=2),
        asking(HISTORICAL, tweets=1, days=1),
        asking(RECENT, tweets=3),
        asking(TOTALS, tweets=250),
    ],
    ids=["28 days", "a day", "28 hours", "totals"],
)
def test_a_full_answer_is_within_the_bounds_however_it_is_written(request_, count, written):
    body = json.dumps(full(request_, count), **written)
    assert len(body) < largest_answer(request_)
    assert sum(body.count(mark) for mark in ",{[") < most_values(request_)


def test_the_bound_is_a_small_multiple_of_a_full_answer():
    """The largest request of all is answered with 2.8 MB where all counts have one digit."""
    bounds = [largest_answer(asking(endpoint, tweets=endpoint.max_tweets)) for endpoint in ENDPOINTS.values()]
    assert max(bounds) == largest_answer(asking(HISTORICAL, tweets=25)) == pytest.approx(4 * 2.8e6, rel=0.01)
    assert max(bounds) < LARGEST_BODY / 5


def test_fewer_tweets_types_and_days_make_a_smaller_bound():
    whole = asking(HISTORICAL, tweets=25)
    assert largest_answer(asking(HISTORICAL, tweets=5)) < largest_answer(whole) / 3
    assert largest_answer(asking(HISTORICAL, tweets=25, days=1)) < largest_answer(whole) / 8
