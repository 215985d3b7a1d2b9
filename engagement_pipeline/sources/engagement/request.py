"""A planned request -> the JSON body that the API takes.

In: a Request. Out: the body, with the groupings that we ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.endpoints import TOTALS

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


def request_body(request: Request) -> dict[str, Any]:
    """Return the JSON body of a request; the groupings beside the cells are the API's own sums."""
    body: dict[str, Any] = {
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "engagement_types": list(request.types),
        "groupings": SUMS if request.endpoint == TOTALS else CELLS_AND_SUMS,
    }
    if request.window:
        body |= {"start": request.window.first.isoformat(), "end": request.window.end.isoformat()}
    return body
