"""A planned request -> the HTTP request that the API takes.

In: a Request. Out: method, path, headers and a JSON body with the groupings that we ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.model import HttpRequest

if TYPE_CHECKING:
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


def http_request(request: Request) -> HttpRequest:
    """Write a request; the groupings beside the cells are the API's own sums, by which its answer is audited."""
    body: dict[str, Any] = {
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "engagement_types": list(request.types),
        "groupings": SUMS if request.endpoint == TOTALS else CELLS_AND_SUMS,
    }
    if request.window:
        body |= {"start": request.window.first.isoformat(), "end": request.window.end.isoformat()}
    headers = {"Content-Type": "application/json"}
    return HttpRequest(method="POST", path=request.endpoint.path, headers=headers, body=orjson.dumps(body))
