"""A line of JSON for each request that was sent: what the contract bills, and what an operator asks about.

In: Exchanges. Out: requests/MONTH.jsonl in the lake. Lines are only ever appended, each in one write, so whoever
reads meanwhile sees whole lines.
"""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.core.spend import Limits, Used
from engagement_pipeline.core.tables import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.model import Exchange
    from engagement_pipeline.lake.layout import Lake

OK = 200
ANSWERED = {OK, 400, 403}  # by status: the API looked at the Tweets, so it counts as a query
OF_HANDLES = {each.name for each in ENDPOINTS.values() if each.source == HISTORICAL.source}  # its contract counts them
NONE = Limits()
LAST_LINES = 1000  # of a file, among which is its newest request: threads append a little out of order


def write(lake: Lake, exchange: Exchange, *, limits: Limits = NONE, unnamed: Container[int] = ()) -> None:
    """Append one line, which notes the limits of now; safe to call from several threads and processes.

    Of the Posts that came on a page, those in `unnamed` are counted and not named.
    """
    request = exchange.request
    line = {
        "asked_at": exchange.asked_at.isoformat(),
        "endpoint": request.endpoint.name,
        "handle": request.handle or None,
        "tweet_ids": [str(tweet) for tweet in request.tweet_ids or exchange.posts if tweet not in unnamed],
        "first_day": str(request.window.first) if request.window else None,
        "last_day": str(request.window.last) if request.window else None,
        "status": exchange.status or None,
        "tries": exchange.tries,
        "bytes": exchange.size,
        "seconds": round(exchange.seconds, 3),
        "error": redacted(exchange.error) or None,
        "posts": len({*exchange.posts}),
        **asdict(limits),
    }
    lake.storage.append_line(_month(lake, exchange.asked_at), orjson.dumps(line))


def used(lakes: Iterable[Lake], day: date) -> Used:
    """Return what the logs of these lakes say that the UTC month of `day` has used."""
    requests = answered = unnamed = 0
    queried: set[str] = set()
    posts: dict[date, set[int]] = defaultdict(set)
    for line in (_parsed(line) for lake in lakes for line in lake.storage.lines(_month(lake, day))):
        requests += _number(line, "tries") if line else 0
        if line.get("status") in ANSWERED:
            answered += 1
            if line.get("handle") and line.get("endpoint") in OF_HANDLES:
                queried.add(line["handle"])
        if number := _number(line, "posts"):
            with suppress(KeyError, ValueError, TypeError):
                named = set(map(int, line["tweet_ids"]))
                posts[datetime.fromisoformat(line["asked_at"]).astimezone(UTC).date()] |= named
                unnamed += number - len(named)
    return Used(
        requests=requests,
        answered=answered,
        handles=frozenset(queried),
        posts={day: frozenset(read) for day, read in posts.items()},
        unnamed=unnamed,
    )


def _number(line: Mapping[str, Any], name: str) -> int:
    """Return a number of a line; 0 if it has none."""
    number = line.get(name)
    return number if isinstance(number, int) else 0


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
