"""A response -> tidy rows that pass the audit.

In: a body as received, and the request that it answers. Out: an Arrow table with one row for each count that the
API gave, sorted by its key; and the Tweets that it could not serve. Pure.

    {"by_tweet_type_day_hour": {TWEET: {TYPE: {DAY: {HOUR: "count"}}}},   the rows; /totals has none of these
     "by_tweet_type": {TWEET: {TYPE: "sum"}}, "by_type": {TYPE: "sum"},   the API's own sums; of /totals, the rows
     "start": …, "end": …, "errors": […], "unavailable_tweet_ids": […], …}

The rows must sum to the API's own sums exactly. Whatever the contract does not allow raises a ResponseError that names
the path. An unknown value never becomes a null or a zero, and a missing count stays missing.

parse_fast.py reads the counts. If it does not know the way in which they are written, parse_reference.py reads them.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.measured import first_hour, hours_of, since_posted
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.model import Flat
from engagement_pipeline.core.redaction import masked
from engagement_pipeline.core.rows import engagements_table, type_column
from engagement_pipeline.core.shape import news_of
from engagement_pipeline.core.tables import EPOCH, PARTIAL, TYPE_NAMES
from engagement_pipeline.sources import audit
from engagement_pipeline.sources.engagement import parse_fast, parse_reference
from engagement_pipeline.sources.engagement.parse_reference import Asked, Cells, Sums
from engagement_pipeline.sources.engagement.request import (
    CELLS,
    TWEET_SUMS,
    TYPE_SUMS,
    largest_answer,
    most_values,
)
from engagement_pipeline.sources.engagement.shape import shape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from engagement_pipeline.core.model import Request

LIFETIME = pa.schema([field for field in TOTALS.table.schema if field.name != "observed_at"])
RECENT_HOURS = 28  # of /28hr; it is widened to whole hours, so it has 29 unless it is asked on the hour
UNAVAILABLE = "unavailable_tweet_ids"
UNSUPPORTED = {  # Tweets too old for these types: their zeros are not measured
    "unsupported_for_video_views_tweet_ids": ("video_views",),
    "unsupported_for_impressions_engagements_tweet_ids": ("impressions", "engagements"),
}
OF_TYPES = re.compile(r"for tweets older than .* not supported", re.IGNORECASE | re.DOTALL)  # goes with these lists


def read(body: bytes, request: Request) -> Flat:
    """Flatten one body and audit it. Raises ResponseError with the path of what breaks the contract."""
    audit.check(body, address="api_url", largest=largest_answer(request), most_values=most_values(request))
    asked = _asked(request)
    scanned = None if request.endpoint == TOTALS else parse_fast.cells(body, asked)
    root = scanned[1] if scanned else parse_reference.parsed(body)
    stated = _stated(root)
    if request.endpoint == TOTALS:
        rows = _lifetimes(stated, asked)
    else:
        cells = scanned[0] if scanned else parse_reference.cells(root, asked)
        _compare(TWEET_SUMS, stated, cells.sums)
        if not scanned:  # a scanned count has 15 digits at most, so the sum of a day fits 64 bits
            _check_days(cells)
        rows = engagements_table(cells.tweets, cells.types, cells.days, cells.hours, cells.counts)
        if request.endpoint == RECENT:
            rows = _marked(root, rows)
        else:
            _check_echo(root, request)
    _compare(TYPE_SUMS, _stated_by_type(root), _by_type(stated))
    unavailable = _listed(root, UNAVAILABLE, asked)
    _check_unavailable(unavailable, rows)
    for key, unsupported in UNSUPPORTED.items():
        rows = _without_zeros(rows, _listed(root, key, asked), unsupported)
    rows, early = _since_posted(_measured(rows, request), request)
    negative = int(np.count_nonzero(rows["count"].to_numpy() < 0))
    return Flat(
        rows,
        unavailable,
        _said(root),
        negative,
        scanned=scanned is not None or request.endpoint == TOTALS or not len(rows),
        early=early,
        news=news_of(root, shape(request, counts=_is_odd(scanned, root, stated, asked)), handle=request.handle),
    )


def _is_odd(scanned: object, root: Mapping[str, Any], stated: Sums, asked: Asked) -> bool:
    """Tell whether the counts may stand in a way that is not documented: nothing that the fast parser took does.

    It reads no sums. One of zero may be of a type that nobody asked for, and still add up.
    """
    return not scanned or not {*root[TYPE_SUMS], *(name for _, name in stated)} <= asked.types.keys()


def _check_unavailable(tweets: Collection[int], rows: pa.Table) -> None:
    if tweets and pc.any(pc.is_in(rows["tweet_id"], pa.array(tweets, pa.int64()))).as_py():
        raise ResponseError("names a Tweet, though the response holds its counts", path=f"$.{UNAVAILABLE}")


def _asked(request: Request) -> Asked:
    """Return the Tweets, types and days that the answer to a request may hold; /28hr may hold any day."""
    days: Mapping[str, int] = _AnyDay()
    if request.window:
        days = {str(day): (day - EPOCH).days for day in request.window.days()}
    return Asked(
        tweets={str(tweet_id): tweet_id for tweet_id in request.tweet_ids},
        types={name: TYPE_NAMES.index(name) for name in request.types},
        days=days,
    )


def _lifetimes(stated: Sums, asked: Asked) -> pa.Table:
    """Return the rows of /totals, which are its sums by Tweet and type."""
    rows = sorted(
        (
            parse_reference.known(tweet, asked.tweets, f"$.{TWEET_SUMS}.{tweet}"),
            parse_reference.known(name, asked.types, f"$.{TWEET_SUMS}.{tweet}.{name}"),
            count,
        )
        for (tweet, name), count in stated.items()
    )
    ids, codes, counts = np.array(rows, np.int64).reshape(-1, 3).T
    return pa.Table.from_arrays([pa.array(ids), type_column(codes.astype(np.int8)), pa.array(counts)], schema=LIFETIME)


class _AnyDay(dict[str, int]):
    """The number of each day since 1970, by its text as the API writes it. Raises KeyError for any other text."""

    def __missing__(self, text: str) -> int:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise KeyError(text) from None
        if day.isoformat() != text:
            raise KeyError(text)
        self[text] = (day - EPOCH).days
        return self[text]


def _marked(root: dict[str, Any], rows: pa.Table) -> pa.Table:
    """Mark the first and the last hour of /28hr as partial, if the period was widened to whole hours.

    The period is the one that the API names, else that of the rows. Rows outside it raise ResponseError, and so does a
    longer period.
    """
    hours = hours_of(rows)
    found = (int(hours.min()), int(hours.max()) + 1) if len(hours) else (0, 0)
    first, last = _echoed(root, "start"), _echoed(root, "end")
    start = floor(first.timestamp() / 3600) if first else found[0]
    end = ceil(last.timestamp() / 3600) if last else found[1]
    if len(hours) and not start <= found[0] < found[1] <= end:
        raise ResponseError("holds hours outside of its start and end", path=f"$.{CELLS}")
    if end - start > RECENT_HOURS + 1:
        raise ResponseError(f"spans {end - start} hours, more than 28 widened to whole hours", path=f"$.{CELLS}")
    snapped = end - start > RECENT_HOURS
    partial = ((hours == start) | (hours == end - 1)) & snapped
    return rows.append_column(PARTIAL.field, pa.array(partial))


def _check_echo(root: dict[str, Any], request: Request) -> None:
    """Raise ResponseError if the API says that it used another period than the request's."""
    assert request.window
    for key, day in (("start", request.window.first), ("end", request.window.end)):
        echo = _echoed(root, key)
        if echo and echo != datetime.combine(day, time(), tzinfo=UTC):
            raise ResponseError(f"is {echo.isoformat()}, though {day} was asked for", path=f"$.{key}")


def _echoed(root: dict[str, Any], key: str) -> datetime | None:
    """Return the start or end that the API says it used, None if it says nothing."""
    text = root.get(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ResponseError(f"must be a time, not {parse_reference.shown(text)}", path=f"$.{key}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _said(root: dict[str, Any]) -> str:
    """Return what the API says of Tweets that it cannot serve, masked. It is for people, so any shape is taken.

    Texts about types are left out: the Tweets that they name have been served.
    """
    errors = root.get("errors") or []
    texts = map(str, errors if isinstance(errors, list) else [errors])
    return masked("; ".join(text for text in texts if not OF_TYPES.search(text)))


def _without_zeros(rows: pa.Table, tweets: frozenset[int], types: Iterable[str]) -> pa.Table:
    """Drop zeros of these Tweets and types. A count above zero stays, whatever the API says about its support."""
    if not tweets:
        return rows
    unmeasured = pc.and_(
        pc.is_in(rows["tweet_id"], pa.array(tweets, pa.int64())),
        pc.is_in(rows["engagement_type"].cast(pa.string()), pa.array(types)),
    )
    return rows.filter(pc.invert(pc.and_(unmeasured, pc.equal(rows["count"], 0))))


def _measured(rows: pa.Table, request: Request) -> pa.Table:
    """Drop the zeros of /historical from before the first day of their type. A count above zero stays."""
    if not request.window:
        return rows
    for metric in METRICS:
        if metric.since and metric.name in request.types and request.window.first < metric.since:
            early = pc.and_(
                pc.equal(rows["engagement_type"].cast(pa.string()), metric.name), pc.less(rows["day"], metric.since)
            )
            rows = rows.filter(pc.invert(pc.and_(early, pc.equal(rows["count"], 0))))
    return rows


def _since_posted(rows: pa.Table, request: Request) -> tuple[pa.Table, int]:
    """Drop the zeros of hours before their Tweet was posted; return with how many other counts such hours have."""
    if request.endpoint == TOTALS or not len(rows):
        return rows, 0
    first = first_hour(request.window.first) if request.window else int(hours_of(rows).min())
    return since_posted(rows, request.tweet_ids, first=first)


def _stated(root: dict[str, Any]) -> Sums:
    """Return the API's own sums by Tweet and type."""
    return Counter(
        {
            (tweet, name): parse_reference.count(value, f"$.{TWEET_SUMS}.{tweet}.{name}")
            for tweet, by_type in parse_reference.items(root, TWEET_SUMS, "$")
            for name, value in parse_reference.as_object(by_type, f"$.{TWEET_SUMS}.{tweet}").items()
        }
    )


def _stated_by_type(root: dict[str, Any]) -> Sums:
    return Counter(
        {
            (name,): parse_reference.count(value, f"$.{TYPE_SUMS}.{name}")
            for name, value in parse_reference.items(root, TYPE_SUMS, "$")
        }
    )


def _by_type(sums: Sums) -> Sums:
    by_type: Sums = Counter()
    for (_, name), total in sums.items():
        by_type[name,] += total
    return by_type


def _compare(grouping: str, stated: Sums, summed: Sums) -> None:
    """Raise ResponseError if the API's sum and ours differ; a key that only one of them has is zero in the other."""
    for key in {**stated, **summed}:
        if stated[key] != summed[key]:
            raise ResponseError(
                f"does not add up: the API says {stated[key]}, its parts sum to {summed[key]}",
                path=".".join(("$", grouping, *key)),
            )


def _check_days(cells: Cells) -> None:
    """Raise ResponseError if the sum of a day needs more than 64 bits, because no table of sums could hold it."""
    if (
        not len(cells.counts)
        or max(int(cells.counts.max()), -int(cells.counts.min())) <= parse_reference.MAX_COUNT // 24
    ):
        return
    sums: Counter[tuple[int, int, int]] = Counter()
    keys = zip(cells.tweets.tolist(), cells.types.tolist(), cells.days.tolist(), strict=True)
    for key, number in zip(keys, cells.counts.tolist(), strict=True):
        sums[key] += number
    for (tweet, name, day), total in sums.items():
        if not parse_reference.MIN_COUNT <= total <= parse_reference.MAX_COUNT:
            raise ResponseError(
                f"adds up to {total}, which needs more than 64 bits",
                path=f"$.{CELLS}.{tweet}.{TYPE_NAMES[name]}.{EPOCH + timedelta(days=day)}",
            )


def _listed(root: dict[str, Any], key: str, asked: Asked) -> frozenset[int]:
    """Return the Tweets in one of the API's lists; it may write them as strings or numbers."""
    values = root.get(key) or []
    if not isinstance(values, list):
        raise ResponseError(f"must be a list, not {parse_reference.shown(values)}", path=f"$.{key}")
    return frozenset(
        parse_reference.known(str(value), asked.tweets, f"$.{key}[{place}]") for place, value in enumerate(values)
    )
