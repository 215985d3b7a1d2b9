"""A line of JSON for each request that was sent: what the contract bills, and what an operator asks about.

In: Exchanges. Out: requests/MONTH.jsonl in the lake. Lines are only ever appended, each in one write, so whoever
reads meanwhile sees whole lines.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.core.tables import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import Exchange
    from engagement_pipeline.lake.layout import Lake

OK = 200
ANSWERED = {OK, 400, 403}  # by status: the API looked at the Tweets, so it counts as a query
LAST_LINES = 1000  # of a file, among which is its newest request: threads append a little out of order


def write(lake: Lake, exchange: Exchange, *, handles_per_month: int | None = None) -> None:
    """Append one line; safe to call from several threads and processes.

    `handles_per_month` is how many handles a month the contract allows now.
    """
    request = exchange.request
    line = {
        "asked_at": exchange.asked_at.isoformat(),
        "endpoint": request.endpoint.name,
        "handle": request.handle or None,
        "tweet_ids": [str(tweet_id) for tweet_id in request.tweet_ids],
        "first_day": str(request.window.first) if request.window else None,
        "last_day": str(request.window.last) if request.window else None,
        "status": exchange.status or None,
        "tries": exchange.tries,
        "bytes": exchange.size,
        "seconds": round(exchange.seconds, 3),
        "error": redacted(exchange.error) or None,
        "handles_per_month": handles_per_month,
    }
    lake.storage.append_line(_month(lake, exchange.asked_at), orjson.dumps(line))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a UTC month's log says: the requests, how many of them were answered, and the handles that were queried."""

    requests: int
    answered: int
    handles: frozenset[str]


def asked(lake: Lake, day: date) -> Asked:
    """Return what was asked for in the UTC month of `day`."""
    requests = answered = 0
    queried: set[str] = set()
    for line in map(_parsed, lake.storage.lines(_month(lake, day))):
        requests += bool(line)
        if line.get("status") in ANSWERED:
            answered += 1
            queried |= {line["handle"]} if line.get("handle") else set()
    return Asked(requests=requests, answered=answered, handles=frozenset(queried))


def joined(logs: Sequence[Asked]) -> Asked:
    """Return what the logs of several lakes say together."""
    return Asked(
        requests=sum(each.requests for each in logs),
        answered=sum(each.answered for each in logs),
        handles=frozenset().union(*(each.handles for each in logs)),
    )


def handles(lake: Lake, day: date) -> frozenset[str]:
    """Return the handles that were queried in the UTC month of `day`."""
    return asked(lake, day).handles


def newest(lake: Lake) -> datetime | None:
    """Return when the newest request was sent, None where none is known; of the last month, its last lines tell."""
    months = lake.storage.find(REQUESTS.glob)
    lines = deque(lake.storage.lines(months[-1]), maxlen=LAST_LINES) if months else ()
    moments = []
    for line in map(_parsed, lines):
        with suppress(KeyError, ValueError, TypeError):
            moments.append(datetime.fromisoformat(line["asked_at"]))
    return max(moments, default=None)


def answers(lake: Lake, endpoint: Endpoint, *, since: datetime) -> Iterator[tuple[datetime, Request]]:
    """Yield the requests to an endpoint that were answered with a 200 since a moment, each with when it was sent."""
    months = [path for path in lake.storage.find(REQUESTS.glob) if path.stem >= f"{since:%Y-%m}"]
    for line in (_parsed(line) for path in months for line in lake.storage.lines(path)):
        with suppress(KeyError, ValueError, TypeError):
            asked_at = datetime.fromisoformat(line["asked_at"])
            if line["status"] == OK and line["endpoint"] == endpoint.name and asked_at >= since:
                window = Window(*map(date.fromisoformat, (line["first_day"], line["last_day"])))
                tweets = tuple(map(int, line["tweet_ids"]))
                handle = line["handle"] or ""
                yield asked_at, Request(endpoint=endpoint, handle=handle, tweet_ids=tweets, types=(), window=window)


def _month(lake: Lake, day: date) -> Path:
    return lake.requests / f"{day:%Y-%m}.jsonl"


def _parsed(line: bytes) -> dict[str, Any]:
    """Return a line's fields, none of one that a power cut left torn."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) and isinstance(fields.get("handle"), str | None) else {}
