"""One folder a vendor API. Only this room knows what differs between APIs.

In: a Request. Out: the HTTP request, the size and the rows of its answer, the meaning of a refusal, and what the
headers say about the rate. Also what of an answer is not documented.
May import: core.

A further API is a sibling of these, with what Source names, and an entry in SOURCES.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import orjson

from engagement_pipeline.core import shape
from engagement_pipeline.core.endpoints import TIMELINE
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources import audit, engagement, x_api_v2
from engagement_pipeline.sources.x_api_v2 import media, timeline, usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.core.errors import ApiError
    from engagement_pipeline.core.model import Answer, Flat, HttpRequest, Rate, Request, Terms
    from engagement_pipeline.core.shape import News, Shape


class Asking(Protocol):
    """What a client must know to ask: how a request is written, and what an answer may hold or says if it is no 200."""

    TERMS: Terms
    HEADERS: frozenset[str]
    """The headers about a rate, or about the API itself, that are documented; in lower case."""

    def http_request(self, request: Request) -> HttpRequest:
        """Write a request as the API takes it, without its signature."""

    def largest_answer(self, request: Request) -> int:
        """Return the most bytes that the body of a 200 has, LARGEST_BODY at most; a larger one is not read on."""

    def most_values(self, request: Request) -> int:
        """Return the most JSON values that the body of a 200 has."""

    def shape(self, request: Request) -> Shape:
        """Return what an answer to a request may hold, as the documents say; be it a 200 or a refusal."""

    def posts_read(self, request: Request, body: bytes) -> tuple[int, ...]:
        """Return the Posts of a 200 that the vendor counts as read; none of a body that cannot be read."""

    def error_of(self, answer: Answer, *, handle: str, asked_at: datetime) -> ApiError:
        """Return the error that says what an answer other than 200 means, and whether a retry can help."""

    def rate_of(self, headers: Mapping[str, str], *, asked_at: datetime, seconds: float, spent: bool) -> Rate:
        """Read what the headers say about the rate. `spent` is true if the answer is a 429."""


class Source(Asking, Protocol):
    """What this project must know about a vendor API. A module with all of this is a Source."""

    def read(self, body: bytes, request: Request) -> Flat:
        """Read the rows of a body and audit them. Raises ResponseError if the body breaks the contract."""

    def without(self, body: bytes, erased: Erased) -> bytes:
        """Return a body as it were if some Tweets had not been asked for. Raises ValueError where it is not JSON."""

    def place(self, tweet_id: int, engagement_type: str, day: date, hour: int) -> tuple[str, ...]:
        """Return the keys that lead to a count of a UTC hour in the JSON of a body, from the root.

        A key such as `id=1890000000000000001` stands for the object in a list that has this value, where `*` stands for
        any text.
        """


SOURCES: dict[str, Source] = {"engagement": engagement, "x_api_v2": x_api_v2, "x_api_v2_media": media}
ONLY_ASKED: dict[str, Asking] = {TIMELINE: timeline, usage.SOURCE: usage}  # no lake keeps the answers of these


def read(body: bytes, request: Request) -> Flat:
    """Read the rows of the answer to a request and audit them. Raises ResponseError if it breaks the contract."""
    return source_of(request.endpoint).read(body, request)


def news_of(body: bytes, request: Request) -> tuple[News, ...]:
    """Return what is not documented of a body that nobody reads as the answer of a Source.

    Nothing where it is not JSON, or larger than any answer: such a body is of somebody else.
    """
    source = asked(request.endpoint)
    largest, most_values = source.largest_answer(request), source.most_values(request)
    try:
        audit.check(body, address=source.TERMS.address, largest=largest, most_values=most_values)
        root = orjson.loads(body)
    except (ResponseError, orjson.JSONDecodeError):
        return ()
    return shape.news_of(root, source.shape(request), handle=request.handle)


def source_of(endpoint: Endpoint) -> Source:
    """Return the source of an endpoint with answers that a lake keeps."""
    return SOURCES[endpoint.source]


def asked(endpoint: Endpoint) -> Asking:
    """Return what is known of the answers of any endpoint."""
    return ONLY_ASKED.get(endpoint.source) or source_of(endpoint)
