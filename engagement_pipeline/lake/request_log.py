"""A line of JSON for each request that was sent: what the contract bills, and what an operator asks about.

In: Exchanges. Out: requests/MONTH.jsonl in the lake. Lines are only ever appended, each in one write, so whoever
reads meanwhile sees whole lines.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline.core.errors import LakeError

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.model import Exchange
    from engagement_pipeline.lake.layout import Lake

ANSWERED = {200, 400, 403}  # by status: the API looked at the Tweets, so it counts as a query


def write(lake: Lake, exchange: Exchange) -> None:
    """Append one line; safe to call from several threads and processes."""
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
    }
    path = _month(lake, exchange.asked_at)
    try:
        path.parent.mkdir(exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back at closing; else a line that is being written looks torn
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"
            content = b"\n" * bool(torn) + orjson.dumps(line) + b"\n"
            if os.write(file, content) < len(content):  # the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
    except OSError as error:
        raise LakeError(f"{path} cannot be written: {error.strerror}; what landed before is kept") from error


def handles(lake: Lake, day: date) -> frozenset[str]:
    """Return the handles that were queried in the UTC month of `day`."""
    path = _month(lake, day)
    if not path.exists():
        return frozenset()
    with path.open("rb") as lines:
        found = {line["handle"] for line in map(_parsed, lines) if line.get("status") in ANSWERED}
    return frozenset(found - {None})


def _month(lake: Lake, day: date) -> Path:
    return lake.requests / f"{day:%Y-%m}.jsonl"


def _parsed(line: bytes) -> dict[str, Any]:
    """Return a line's fields, none of one that a power cut left torn."""
    try:
        fields: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return fields
