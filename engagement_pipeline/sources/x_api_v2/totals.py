"""A response of /2/tweets/analytics with a sum for the whole window -> rows of sums.

In: a body as received, and the request that it answers. Out: an Arrow table with one row for each sum that the API
gave, sorted by its key; and why there is none of some Posts. Pure.

    {"data": [{"id": POST, METRIC: sum or null}], "errors": [Problem objects]}

Or the sums stand in a series of one bucket, as hours do. Null is no sum. An unknown key is news, and not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.rows import type_column
from engagement_pipeline.core.tables import TYPE_NAMES, WINDOW_TOTALS
from engagement_pipeline.sources import audit
from engagement_pipeline.sources.x_api_v2.flatten import (
    DATA,
    OF_POSTS,
    brief,
    count_of,
    flat,
    listed,
    number_of,
    parsed,
)
from engagement_pipeline.sources.x_api_v2.request import SERIES, in_v2, largest_answer, most_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engagement_pipeline.core.model import Flat, Request

SUMS = pa.schema([field for field in WINDOW_TOTALS.schema if field.name != "observed_at"])


def read(body: bytes, request: Request) -> Flat:
    """Flatten one body. Raises ResponseError with the path of what breaks the contract."""
    audit.check(body, address="x_api_url", largest=largest_answer(request), most_values=most_values(request))
    root = parsed(body)
    metrics = {in_v2(name): TYPE_NAMES.index(name) for name in request.types}
    sums: dict[int, dict[int, int]] = {}
    for number, post in enumerate(listed(root.get("data"), DATA)):
        at = f"{DATA}[{number}]"
        tweet = number_of(post, request, OF_POSTS, at)
        if tweet in sums:
            raise ResponseError("stands there twice", path=f"{at}.id")
        sums[tweet] = _sums(post, metrics, at)
    return flat(root, request, OF_POSTS, _rows(sums, request))


def _sums(post: dict[str, Any], metrics: Mapping[str, int], path: str) -> dict[int, int]:
    """Return the sums of a Post by the places of their types in TYPE_NAMES."""
    found: dict[int, int] = {}
    for place, told in _told(post, path):
        for name in told.keys() & metrics.keys():
            total = count_of(told[name], f"{place}.{name}")
            known = found.get(metrics[name])
            if total is not None and known not in (None, total):
                raise ResponseError(f"is told as {known} and as {total}", path=f"{place}.{name}")
            if total is not None:
                found[metrics[name]] = total
    return found


def _told(post: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where sums of a Post stand, and the values there: beside its ID, and in the bucket of its series."""
    yield path, {name: value for name, value in post.items() if name not in {OF_POSTS.key, SERIES}}
    buckets = listed(post.get(SERIES), f"{path}.{SERIES}")
    if len(buckets) > 1:
        raise ResponseError(f"has {len(buckets)} buckets, and a total has one", path=f"{path}.{SERIES}")
    for bucket in buckets:
        at = f"{path}.{SERIES}[0]"
        if not isinstance(bucket, dict) or not isinstance(bucket.get("metrics") or {}, dict):
            raise ResponseError(f"must be an object with metrics, not {brief(bucket)}", path=at)
        yield f"{at}.metrics", bucket.get("metrics") or {}


def _rows(sums: Mapping[int, Mapping[int, int]], request: Request) -> pa.Table:
    """Return the sums of all Posts as rows of WINDOW_TOTALS."""
    assert request.window
    found = [(tweet, *each) for tweet, of_tweet in sorted(sums.items()) for each in sorted(of_tweet.items())]
    tweets, types, totals = zip(*found, strict=True) if found else ((), (), ())
    columns = [
        pa.array(tweets, pa.int64()),
        type_column(pa.array(types, pa.int8()).to_numpy()),
        pa.repeat(pa.scalar(request.window.first, pa.date32()), len(found)),
        pa.array(totals, pa.int64()),
    ]
    return pa.Table.from_arrays(columns, schema=SUMS)
