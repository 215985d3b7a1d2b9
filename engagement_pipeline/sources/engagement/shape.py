"""What the documents of the Engagement API say that an answer may hold, and its headers.

In: a request. Out: the Shape of its answer, be it a 200 or a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engagement_pipeline.core.shape import ANY, LIST, OBJECT, STRING, WHOLE, Shape
from engagement_pipeline.sources import windows
from engagement_pipeline.sources.engagement.request import CELLS, TWEET_SUMS, TYPE_SUMS

if TYPE_CHECKING:
    from engagement_pipeline.core.model import Request

HEADERS = frozenset(
    f"x-per-{period}-{what}" for period in ("minute", "second") for what in ("limit", "remaining", "reset")
)
WORDS = re.compile(
    r"(?:\d+ )?Tweet ID\(s\) are unavailable.*"
    r"|.* for tweets older than .* not supported.*"
    r"|Forbidden to access (?:tweets|metrics)\b.*"
    r"|Your account could not be authenticated\b.*"
    r"|Your application id is not authorized\b.*"
    r"|This request requires gzip compression\b.*"
    rf"|.*(?:{windows.TOO_LONG.pattern}|{windows.TOO_OLD.pattern}).*",  # no document, but the program reads these words
    re.IGNORECASE | re.DOTALL,
)
SAID = Shape((STRING,), texts=WORDS)
ERROR = Shape((STRING, OBJECT), texts=WORDS, keys={"message": SAID, "code": Shape((WHOLE,))})  # objects: of other hosts
TWEETS = Shape((LIST,), items=Shape((STRING, WHOLE)))
COUNT = Shape((STRING, WHOLE))
BESIDE_THE_COUNTS = {
    "start": Shape((STRING,)),
    "end": Shape((STRING,)),
    "errors": Shape((LIST,), items=ERROR),
    "unavailable_tweet_ids": TWEETS,
    "unsupported_for_impressions_engagements_tweet_ids": TWEETS,
    "unsupported_for_video_views_tweet_ids": TWEETS,
}
AROUND_THE_COUNTS = Shape((OBJECT,), keys=dict.fromkeys((CELLS, TWEET_SUMS, TYPE_SUMS), ANY) | BESIDE_THE_COUNTS)


def shape(request: Request, *, counts: bool = True) -> Shape:
    """Return what an answer to a request may hold: the types that it asks for, and no others.

    Without `counts`, anything may stand in the groupings: who read them has found nothing odd there.
    """
    if not counts:
        return AROUND_THE_COUNTS
    hours = Shape((OBJECT,), others=Shape((OBJECT,), others=COUNT))
    of_types = Shape((OBJECT,), keys=dict.fromkeys(request.types, COUNT))
    hourly = Shape((OBJECT,), keys=dict.fromkeys(request.types, hours))
    groupings = {
        CELLS: Shape((OBJECT,), others=hourly),
        TWEET_SUMS: Shape((OBJECT,), others=of_types),
        TYPE_SUMS: of_types,
    }
    return Shape((OBJECT,), keys=groupings | BESIDE_THE_COUNTS)
