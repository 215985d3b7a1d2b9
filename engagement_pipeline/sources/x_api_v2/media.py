"""X API v2: GET /2/media/analytics, the hours of up to 100 media. A Source, as that of Posts.

In: a planned request, in which the number of a media key stands for a Tweet, and `keys` has the key. Out: the query
that is sent; the rows of an answer, in which that number stands for a Tweet too; a body that does not hold some media.

    {"data": [{"media_key": KEY, "timestamped_metrics": [{"timestamp": HOUR, "metrics": {METRIC: count or null}}]}],
     "errors": [Problem objects]}
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from engagement_pipeline.core.media_keys import number_of
from engagement_pipeline.core.model import HttpRequest, Terms
from engagement_pipeline.sources.x_api_v2 import flatten, problems
from engagement_pipeline.sources.x_api_v2.rate import WINDOW, rate_of
from engagement_pipeline.sources.x_api_v2.request import SERIES, largest_answer, most_values, window_of
from engagement_pipeline.sources.x_api_v2.shape import COUNT_OR_TEXT, HEADERS
from engagement_pipeline.sources.x_api_v2.shape import shape as shape_of

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.erased import Erased
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
    rate="x_requests_per_15_minutes",  # the vendor's tables have none for it, so ours is that of Posts
    seconds=WINDOW,
    per_account=True,
    in_flight=8,
    oauth2=True,
)
KEY = "media_key"
shape = partial(shape_of, key=KEY, count=COUNT_OR_TEXT)
OF_MEDIA = flatten.Form(key=KEY, number=number_of, shape=shape)
error_of = partial(problems.error_of, instead="set media to false")


def http_request(request: Request) -> HttpRequest:
    """Write a request: hours from the midnight that begins the window to the one that ends it."""
    query = {
        "media_keys": ",".join(request.keys[number] for number in request.tweet_ids),
        **window_of(request),
        "media_analytics.fields": ",".join([KEY, SERIES, *request.types]),
    }
    return HttpRequest(method="GET", path=f"{request.endpoint.path}?{urlencode(query)}")


def posts_read(_request: Request, _body: bytes) -> tuple[int, ...]:
    """Return no Post: what is read are media."""
    return ()


def read(body: bytes, request: Request) -> Flat:
    """Flatten one body. Raises ResponseError with the path of what breaks the contract."""
    return flatten.read(body, request, OF_MEDIA)


def without(body: bytes, erased: Erased) -> bytes:
    """Return the body without these media. Raises ValueError where it is not JSON."""
    try:
        root = json.loads(body)
        if isinstance(root, dict):
            for name in ("data", "errors"):
                if isinstance(root.get(name), list):
                    root[name] = [each for each in root[name] if not _is_of(each, erased)]
        return json.dumps(erased.without(root), separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _is_of(member: Any, erased: Erased) -> bool:  # noqa: ANN401 - JSON holds anything
    """Tell whether an object is of one of the media."""
    named = (member.get(name) for name in (KEY, "resource_id", "value")) if isinstance(member, dict) else ()
    return any(number_of(str(key)) in erased.ids for key in named)


def place(number: int, metric: str, day: date, hour: int) -> tuple[str, ...]:
    """Return the keys that lead to a count of a UTC hour in the JSON of an answer, from the root."""
    return ("data", f"{KEY}=*_{number}", SERIES, f"timestamp={day}T{hour:02}:00:00Z", "metrics", metric)
