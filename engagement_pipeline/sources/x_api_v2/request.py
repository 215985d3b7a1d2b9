"""A planned request -> the HTTP request that X API v2 takes, and how large its answer can be.

In: a Request. Out: a GET with its query; and the most bytes and values that an answer can have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from engagement_pipeline.core.model import LARGEST_BODY, HttpRequest

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.model import Request

SERIES = "timestamped_metrics"
RENAMED = {"favorites": "likes", "user_follows": "follows"}  # types of the tables: their names in v2

# The largest possible answer. A full one, for 100 Posts, 28 days and 20 metrics, has 1,344,000 counts. Each takes its
# name and a digit, 20 bytes on average, and each hour some 80 bytes around its counts: 32 MB in all. With ROOM, all
# counts may have 20 digits. A body of a landed file has LARGEST_BODY at most, so that is the end.
BESIDE_A_COUNT = len('"":0,')
BUCKET_BYTES = len('{"timestamp":"2026-01-01T00:00:00.000Z","metrics":{}},')
ROOM = 2
POST_BYTES = 2_000  # for each Post, its ID and a Problem object
BESIDE = 2**16  # bytes or values, for everything else in the root
POST_VALUES = 100  # of a Post and its Problem object


def in_v2(engagement_type: str) -> str:
    """Return the name that X API v2 has for a type."""
    return RENAMED.get(engagement_type, engagement_type)


def http_request(request: Request) -> HttpRequest:
    """Write a request: hours from the midnight that begins the window to the one that ends it."""
    query = {
        "ids": ",".join(map(str, request.tweet_ids)),
        **window_of(request),
        "analytics.fields": ",".join(["id", SERIES, *map(in_v2, request.types)]),
    }
    return HttpRequest(method="GET", path=f"{request.endpoint.path}?{urlencode(query)}")


def window_of(request: Request) -> dict[str, str]:
    """Return the part of a query that says of which hours the counts are to be."""
    assert request.window
    return {
        "start_time": f"{request.window.first}T00:00:00Z",
        "end_time": f"{request.window.end}T00:00:00Z",
        "granularity": "total" if request.endpoint.summed else "hourly",
    }


def hours_in(request: Request) -> int:
    """Return the number of hours that a request asks for; a sum takes the room of one."""
    assert request.window
    return 1 if request.endpoint.summed else 24 * (request.window.end - request.window.first).days


def largest_answer(request: Request) -> int:
    """Return the most bytes that an answer to a request can have."""
    of_an_hour = BUCKET_BYTES + sum(BESIDE_A_COUNT + len(in_v2(name)) for name in request.types)
    posts = len(request.tweet_ids) * (hours_in(request) * of_an_hour + POST_BYTES)
    return min(LARGEST_BODY, ROOM * (posts + BESIDE))


def posts_read(request: Request, _body: bytes) -> tuple[int, ...]:
    """Return the Posts that were asked for; those that an answer does not serve may count less, which nobody says."""
    return request.tweet_ids


def most_values(request: Request) -> int:
    """Return the most JSON values that an answer to a request can hold: counts, texts, lists and objects."""
    of_an_hour = ROOM * len(request.types) + 6  # a metric that is new may stand beside each
    return len(request.tweet_ids) * (hours_in(request) * of_an_hour + POST_VALUES) + BESIDE


def place(tweet_id: int, engagement_type: str, day: date, hour: int) -> tuple[str, ...]:
    """Return the keys that lead to a count of a UTC hour in the JSON of an answer, from the root."""
    return ("data", f"id={tweet_id}", SERIES, f"timestamp={day}T{hour:02}:00:00Z", "metrics", in_v2(engagement_type))
