"""X API v2: GET /2/tweets/analytics, the hours of up to 100 Posts.

    request  ──> the query that is sent
    flatten  ──> rows of hours
    totals   ──> rows of sums, where the request is for these
    problems ──> what the API says of a Post, in a 200 or instead of one
    rate     ──> what the headers say of the rate
    shape    ──> what the description says that an answer may hold
    without  ──> a body that does not hold some Posts

Beside that source, there are the source media, the hours of media; timeline, the Posts of an account; and usage.

Two names differ from those of the tables, and only this folder knows v2's: likes are favorites, follows user_follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.core.model import Terms
from engagement_pipeline.sources.x_api_v2 import flatten, totals
from engagement_pipeline.sources.x_api_v2.problems import error_of
from engagement_pipeline.sources.x_api_v2.rate import WINDOW, rate_of
from engagement_pipeline.sources.x_api_v2.request import http_request, largest_answer, most_values, place, posts_read
from engagement_pipeline.sources.x_api_v2.shape import HEADERS, shape
from engagement_pipeline.sources.x_api_v2.without import without

if TYPE_CHECKING:
    from engagement_pipeline.core.model import Flat, Request

__all__ = [
    "HEADERS",
    "TERMS",
    "error_of",
    "http_request",
    "largest_answer",
    "most_values",
    "place",
    "posts_read",
    "rate_of",
    "read",
    "shape",
    "without",
]

TERMS = Terms(
    address="x_api_url",
    rate="x_requests_per_15_minutes",
    seconds=WINDOW,
    per_account=True,
    in_flight=8,  # a full answer has 29 MB, and takes five times as much while it is read
    oauth2=True,
)


def read(body: bytes, request: Request) -> Flat:
    """Flatten one body. Raises ResponseError with the path of what breaks the contract."""
    return totals.read(body, request) if request.endpoint.summed else flatten.read(body, request)
