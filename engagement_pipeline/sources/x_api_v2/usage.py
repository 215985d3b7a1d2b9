"""X API v2: how many Posts the vendor says that the app's project has read. A client can ask it, as it asks a Source.

In: a UTC day. Out: the request, for which the app's bearer token is needed; then what the vendor counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from engagement_pipeline.core.endpoints import Endpoint
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import HttpRequest, Request, Terms
from engagement_pipeline.core.shape import ANY, LIST, NULL, OBJECT, STRING, WHOLE, Shape
from engagement_pipeline.core.tables import REQUESTS
from engagement_pipeline.sources.x_api_v2 import rate
from engagement_pipeline.sources.x_api_v2.problems import error_of
from engagement_pipeline.sources.x_api_v2.shape import HEADERS, OF_A_PROBLEM, PROBLEM
from engagement_pipeline.sources.x_api_v2.timeline import rate_of

if TYPE_CHECKING:
    from datetime import date

__all__ = [
    "HEADERS",
    "TERMS",
    "error_of",
    "http_request",
    "largest_answer",
    "most_values",
    "posts_read",
    "rate_of",
    "read",
    "shape",
    "usage",
]

SOURCE = "x_api_v2_usage"
TERMS = Terms(address="x_api_url", rate="", seconds=rate.WINDOW, per_account=True, in_flight=1)  # a single request
LARGEST = 2**20  # bytes: 31 days of numbers, for the project and for each of its apps
MOST_VALUES = 2**16
FIELDS = ("daily_project_usage", "project_usage", "project_cap", "cap_reset_day")
COUNT = Shape((WHOLE, STRING))
DAYS = Shape((LIST, NULL), items=Shape((OBJECT,), keys={"date": Shape((STRING,)), "usage": COUNT}))
DATA = Shape(
    (OBJECT,),
    keys={
        "daily_project_usage": Shape((OBJECT, NULL), keys={"project_id": ANY, "usage": DAYS}),
        **dict.fromkeys(("project_usage", "project_cap", "cap_reset_day"), COUNT),
    },
)
ANSWER = Shape((OBJECT,), keys={"data": DATA, **OF_A_PROBLEM, "errors": Shape((LIST,), items=PROBLEM)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many Posts the vendor counts: of a UTC month, and of the vendor's own month, which begins on `reset_day`.

    `cap` is the most that the plan allows in that month.
    """

    this_month: int
    vendors_month: int
    cap: int
    reset_day: int


def usage(day: date) -> Request:
    """Ask for the days of a UTC month up to a day."""
    query = {"days": str(day.day), "usage.fields": ",".join(FIELDS)}
    endpoint = Endpoint(
        name="usage",
        source=SOURCE,
        path=f"/2/usage/tweets?{urlencode(query)}",
        table=REQUESTS,
        types=(),
        max_tweets=0,
    )
    return Request(endpoint=endpoint, handle="", tweet_ids=(), types=(), window=None)


def http_request(request: Request) -> HttpRequest:
    """Write a request: its path has all of it."""
    return HttpRequest(method="GET", path=request.endpoint.path)


def largest_answer(_: Request) -> int:
    """Return the most bytes that an answer can have."""
    return LARGEST


def most_values(_: Request) -> int:
    """Return the most JSON values that an answer can have."""
    return MOST_VALUES


def shape(_: Request) -> Shape:
    """Return what an answer may hold."""
    return ANSWER


def posts_read(_request: Request, _body: bytes) -> tuple[int, ...]:
    """Return nothing: it reads no Post."""
    return ()


def read(body: bytes, day: date) -> Usage:
    """Read the counts, which may be text. Raises ResponseError if they are not there."""
    try:
        data: dict[str, Any] = orjson.loads(body)["data"]
        days = (data.get("daily_project_usage") or {}).get("usage") or []
        return Usage(
            this_month=sum(int(each["usage"]) for each in days if str(each["date"]).startswith(f"{day:%Y-%m}-")),
            vendors_month=int(data["project_usage"]),
            cap=int(data["project_cap"]),
            reset_day=int(data["cap_reset_day"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResponseError(f"it tells no usage ({type(error).__name__}: {error})", path="data") from None
