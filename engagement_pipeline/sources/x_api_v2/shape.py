"""What the description of X API v2 says that an answer of its analytics may hold, and its headers.

In: a request. Out: the Shape of its answer, be it a 200 or a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engagement_pipeline.core.shape import ANY, LIST, NULL, OBJECT, STRING, WHOLE, Shape
from engagement_pipeline.sources import windows
from engagement_pipeline.sources.x_api_v2.request import SERIES, in_v2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engagement_pipeline.core.model import Request

OF_A_DAY = (f"x-{who}-limit-24hour" for who in ("app", "user"))  # answers that people have published have these
HEADERS = frozenset(
    {f"{name}-{what}" for name in ("x-rate-limit", *OF_A_DAY) for what in ("limit", "remaining", "reset")}
    | {"api-version"}
)
KINDS = (
    "client-disconnected",
    "client-forbidden",
    "conflict",
    "disallowed-resource",
    "field-hydration-failure",
    "field-unauthorized",
    "internal-error",
    "invalid-request",
    "not-authorized-for-field",
    "not-authorized-for-resource",
    "oauth1-permissions",
    "rate-limit-exceeded",
    "resource-not-found",
    "resource-unavailable",
    "unsupported-authentication",
    "usage-capped",
)
KIND = re.compile(rf"about:blank|(?:\S*/)?(?:{'|'.join(KINDS)})/?")
# A Problem is known by its type, and its words are for people. Of an error without one, the program reads the words.
WORDS = re.compile(
    rf"rate limit exceeded\.?|.*(?:{windows.TOO_LONG.pattern}|{windows.TOO_OLD.pattern}).*", re.IGNORECASE | re.DOTALL
)
COUNT = Shape((WHOLE, NULL))
COUNT_OR_TEXT = Shape((WHOLE, STRING, NULL))  # as the description has those of media
TEXT = Shape((STRING,))
OF_A_PROBLEM: Mapping[str, Shape] = {
    "type": Shape((STRING,), texts=KIND),
    "message": Shape((STRING,), texts=WORDS),
    "code": Shape((WHOLE,)),
    "status": Shape((WHOLE,)),
    **dict.fromkeys(("title", "detail", "resource_type", "resource_id", "parameter", "section", "field"), TEXT),
    **dict.fromkeys(("reason", "registration_url", "required_enrollment", "period", "scope"), TEXT),
    **dict.fromkeys(("value", "parameters", "client_id", "account_id", "product_name"), ANY),
}
PROBLEM = Shape((OBJECT,), keys=OF_A_PROBLEM)
BESIDE_THE_DATA = {**OF_A_PROBLEM, "errors": Shape((LIST,), items=PROBLEM), "meta": ANY, "includes": ANY}


def shape(request: Request, *, counts: bool = True, key: str = "id", count: Shape = COUNT) -> Shape:
    """Return what an answer to a request may hold: the metrics that it asks for, and no others.

    Without `counts`, anything may stand in the hours of a Post: who read them has found nothing odd there. `key` is
    that of the name of what is counted.
    """
    metrics = {in_v2(name): count for name in request.types}
    hour = Shape((OBJECT,), keys={"timestamp": Shape((STRING, NULL)), "metrics": Shape((OBJECT, NULL), keys=metrics)})
    hours = Shape((LIST, NULL), items=hour) if counts else ANY
    post = Shape((OBJECT,), keys={key: TEXT, SERIES: hours, **metrics})
    return Shape((OBJECT,), keys={"data": Shape((LIST,), items=post), **BESIDE_THE_DATA})
