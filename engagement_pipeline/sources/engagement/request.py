"""A planned request -> the HTTP request that the API takes, and how large its answer can be.

In: a Request. Out: method, path, headers and a JSON body with our groupings; and the most bytes and values that an
answer can have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.model import HttpRequest

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.model import Request

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

# The largest possible answer. A full one of /historical, for 25 Tweets, 17 types and 28 days, has 285,600 counts. With
# the days around them, each takes a little more than COUNT_BYTES, so the answer has 2.8 MB. ROOM lets all counts have
# 20 digits and a sign (3.1 times as many bytes), or an indent of four spaces (3.6 times). That makes 10.8 MB.
COUNT_BYTES = len('"00":"0",')  # most counts have one digit
ROOM = 4
TWEET_BYTES = 1_000  # for each Tweet, in the four lists and in the texts beside the counts; 200 are usual
BESIDE = 2**16  # bytes or values, for everything else in the root: the period, texts, unknown keys
RECENT_DAYS = 3  # the most days that 28 hours can touch, once widened to whole hours


def largest_answer(request: Request) -> int:
    """Return the most bytes that an answer to a request can have."""
    return ROOM * (COUNT_BYTES * _full(request) + TWEET_BYTES * len(request.tweet_ids) + BESIDE)


def posts_read(_request: Request, _body: bytes) -> tuple[int, ...]:
    """Return nothing: the Engagement API counts handles, and no reads of Posts."""
    return ()


def most_values(request: Request) -> int:
    """Return the most JSON values that an answer to a request can hold: counts, texts, lists and objects."""
    return _full(request) + BESIDE


def _full(request: Request) -> int:
    """Return the number of counts, sums and objects if each Tweet has each type, day and hour."""
    days = {RECENT: RECENT_DAYS, TOTALS: 0}.get(request.endpoint, 0)
    if request.window:
        days = (request.window.end - request.window.first).days
    of_a_type = days * (1 + 24) + 2  # each day with its hours, the object around them, and the sum
    return len(request.tweet_ids) * (len(request.types) * of_a_type + 2) + len(request.types)


def http_request(request: Request) -> HttpRequest:
    """Write a request. The groupings beside the cells give the API's own sums, for the audit of its answer."""
    body: dict[str, Any] = {
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "engagement_types": list(request.types),
        "groupings": SUMS if request.endpoint == TOTALS else CELLS_AND_SUMS,
    }
    if request.window:
        body |= {"start": request.window.first.isoformat(), "end": request.window.end.isoformat()}
    headers = {"Content-Type": "application/json"}
    return HttpRequest(method="POST", path=request.endpoint.path, headers=headers, body=orjson.dumps(body))


def place(tweet_id: int, engagement_type: str, day: date, hour: int) -> tuple[str, ...]:
    """Return the keys that lead to a count of a UTC hour in the JSON of an answer, from the root."""
    return (CELLS, str(tweet_id), engagement_type, str(day), f"{hour:02}")
