"""A response of /2/tweets/analytics, or of another endpoint with answers of its form -> tidy rows.

In: a body as received, and the request that it answers. Out: an Arrow table with one row for each count that the
API gave, sorted by its key; and why there is none of some Posts. Pure.

    {"data": [{"id": POST, "timestamped_metrics": [{"timestamp": HOUR, "metrics": {METRIC: count or null}}]}],
     "errors": [Problem objects]}

Null is no count, so it is no row. An unknown key is news, and no reason to stop: it is reported, and the body stays in
raw. Whatever else the description does not allow raises a ResponseError that names the path.

The hours are many. While they are read, nobody asks what is news in them, only whether they hold anything odd.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow.compute as pc

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.measured import HOURS, first_hour, since_posted
from engagement_pipeline.core.model import Flat
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.core.rows import engagements_table
from engagement_pipeline.core.shape import news_of
from engagement_pipeline.core.tables import MISSING, TYPE_NAMES, UNAVAILABLE
from engagement_pipeline.sources import audit
from engagement_pipeline.sources.x_api_v2.problems import OF_A_FIELD, problems_of
from engagement_pipeline.sources.x_api_v2.request import (
    SERIES,
    hours_in,
    in_v2,
    largest_answer,
    most_values,
)
from engagement_pipeline.sources.x_api_v2.shape import shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from engagement_pipeline.core.model import NotServed, Request
    from engagement_pipeline.core.shape import Shape

Ints = npt.NDArray[np.int64]
DATA = "$.data"
BUCKET_KEYS = {"timestamp", "metrics"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
DIGITS = re.compile(r"[0-9]{1,19}")  # 64 bits need no more
MOST = (2**63 - 1) // HOURS  # the sum of a day has 64 bits too
SHOWN_CHARACTERS = 60  # of a value in an error message


class Series(NamedTuple):
    """The counts of one Post: hours since 1970, places in TYPE_NAMES and counts, sorted by type and hour."""

    hours: Ints
    types: Ints
    counts: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an endpoint names what it counts: the key under which its name stands, and how the number is read from it.

    `shape` is what its answers may hold.
    """

    key: str
    number: Callable[[str], int | None]
    shape: Callable[..., Shape] = shape


def _post_id(text: str) -> int | None:
    return int(text) if DIGITS.fullmatch(text) else None


OF_POSTS = Form(key="id", number=_post_id)


def read(body: bytes, request: Request, form: Form = OF_POSTS) -> Flat:
    """Flatten one body. Raises ResponseError with the path of what breaks the contract."""
    audit.check(body, address="x_api_url", largest=largest_answer(request), most_values=most_values(request))
    root = parsed(body)
    metrics = {in_v2(name): TYPE_NAMES.index(name) for name in request.types}
    odd: set[str] = set()
    hours = _hours(request)
    series: dict[int, Series] = {}
    for number, post in enumerate(listed(root.get("data"), DATA)):
        tweet, at = number_of(post, request, form, f"{DATA}[{number}]"), f"{DATA}[{number}].{SERIES}"
        if tweet in series:
            raise ResponseError("stands there twice", path=f"{DATA}[{number}].{form.key}")
        buckets = _buckets(post.get(SERIES), hours, at, odd)
        series[tweet] = _series(buckets, metrics, at, odd)
    rows, early = since_posted(_rows(series), request.tweet_ids, first=min(hours.values()))
    return flat(root, request, form, rows, early=early, odd=bool(odd))


def flat(
    root: dict[str, Any], request: Request, form: Form, rows: pa.Table, *, early: int = 0, odd: bool = True
) -> Flat:
    """Return the rows of an answer with what it says beside them; unless `odd`, nothing in its hours can be news."""
    reasons, said = _reasons(root, request, form, rows)
    return Flat(
        rows,
        frozenset(tweet for tweet, reason in reasons.items() if reason.outcome == UNAVAILABLE),
        said,
        negative=0,
        scanned=True,
        early=early,
        reasons=reasons,
        news=news_of(root, form.shape(request, counts=odd), handle=request.handle),
    )


def parsed(body: bytes) -> dict[str, Any]:
    """Return the root of a body in which no key stands twice, with `data` or `errors`."""
    try:
        root = orjson.loads(body)
        if body.count(b'":') + body.count(b'" :') > _members(root):  # or a text looks like a key, or a key is news
            json.loads(body, object_pairs_hook=_once)
    except ValueError as error:
        raise ResponseError(f"is not JSON: {error}", path="$") from None
    except RecursionError:
        raise ResponseError("is not JSON that can be read: it is nested too deep", path="$") from None
    if not isinstance(root, dict):
        raise ResponseError(f"must be an object, not {brief(root)}", path="$")
    if "data" not in root and "errors" not in root:
        raise ResponseError("has neither data nor errors: is a proxy in the way?", path="$")
    return root


def _members(root: Any) -> int:  # noqa: ANN401 - JSON holds anything
    """Count the keys of all objects, as far as they stand where the description has them."""
    if not isinstance(root, dict):
        return 0
    number = len(root)
    for objects in (root.get("data"), root.get("errors")):
        for each in objects if isinstance(objects, list) else ():
            if isinstance(each, dict):
                number += len(each) + _in_buckets(each.get(SERIES))
    return number


def _in_buckets(buckets: Any) -> int:  # noqa: ANN401
    """Count the keys of the buckets of a Post, and of their metrics."""
    number = 0
    for bucket in buckets if isinstance(buckets, list) else ():
        if isinstance(bucket, dict):
            metrics = bucket.get("metrics")
            number += len(bucket) + (len(metrics) if isinstance(metrics, dict) else 0)
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises ResponseError if it has a key twice, as nobody can know which of the two counts."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ResponseError("stands there twice", path=f"$..{twice}")
    return made


def listed(value: Any, path: str) -> Sequence[Any]:  # noqa: ANN401
    """Return a list, an empty one for null."""
    if value is not None and not isinstance(value, list):
        raise ResponseError(f"must be a list, not {brief(value)}", path=path)
    return value or []


def number_of(post: Any, request: Request, form: Form, path: str) -> int:  # noqa: ANN401
    """Return the ID of a Post, or the number of media, which was asked for."""
    if not isinstance(post, dict):
        raise ResponseError(f"must be an object, not {brief(post)}", path=path)
    name = post.get(form.key)
    number = form.number(str(name))
    if number is None or number not in request.tweet_ids:
        raise ResponseError(f"{brief(name)} was not asked for", path=f"{path}.{form.key}")
    return number


def _hours(request: Request) -> dict[str, int]:
    """Return the hours since 1970 that a request asks for, by their text as the API writes it."""
    assert request.window
    first = first_hour(request.window.first)
    days = {day: f"{request.window.first + timedelta(days=day)}" for day in range(hours_in(request) // HOURS)}
    return {f"{days[n // HOURS]}T{n % HOURS:02}:00:00Z": first + n for n in range(hours_in(request))}


def _buckets(
    found: Any,  # noqa: ANN401
    hours: Mapping[str, int],
    path: str,
    odd: set[str],
) -> list[tuple[int, dict[str, Any], int]]:
    """Return the hours of a Post in order: each since 1970, its metrics, and the place where it stands.

    One without a timestamp or without metrics says nothing. Unknown keys are added to `odd`.
    """
    buckets = []
    for number, bucket in enumerate(listed(found, path)):
        at = f"{path}[{number}]"
        if not isinstance(bucket, dict):
            raise ResponseError(f"must be an object, not {brief(bucket)}", path=at)
        if bucket.keys() != BUCKET_KEYS:
            odd |= bucket.keys() - BUCKET_KEYS
        moment, metrics = bucket.get("timestamp"), bucket.get("metrics")
        if metrics is not None and not isinstance(metrics, dict):
            raise ResponseError(f"must be an object, not {brief(metrics)}", path=f"{at}.metrics")
        if moment is not None and metrics:
            buckets.append((_hour(moment, hours, f"{at}.timestamp"), metrics, number))
    buckets.sort(key=lambda bucket: bucket[0])
    for (hour, _, _), (following, _, number) in pairwise(buckets):
        if hour == following:
            raise ResponseError("is of an hour that stands there twice", path=f"{path}[{number}].timestamp")
    return buckets


def _hour(moment: Any, hours: Mapping[str, int], path: str) -> int:  # noqa: ANN401
    """Return the hour that a bucket is of. Raises ResponseError unless it is a whole one that was asked for."""
    known = hours.get(moment) if isinstance(moment, str) else None
    if known is not None:
        return known
    try:
        read = datetime.fromisoformat(moment) if isinstance(moment, str) and MOMENT.fullmatch(moment) else None
    except ValueError:  # 30 February
        read = None
    if read is None:
        raise ResponseError(f"must be a time such as 2026-01-01T00:00:00Z, not {brief(moment)}", path=path)
    seconds = read.timestamp()
    if seconds % 3600:
        raise ResponseError(f"{brief(moment)} is not on the hour, so nobody knows which hour it is", path=path)
    if int(seconds // 3600) not in hours.values():
        raise ResponseError(f"{brief(moment)} was not asked for", path=path)
    return int(seconds // 3600)


def _series(
    buckets: Sequence[tuple[int, dict[str, Any], int]], metrics: Mapping[str, int], path: str, odd: set[str]
) -> Series:
    """Return the counts of a Post; names that nobody asked for, or with counts as text, are added to `odd`."""
    for _, found, _ in buckets:
        if found.keys() != metrics.keys():
            odd |= found.keys() - metrics.keys()
    at_hours = np.array([hour for hour, _, _ in buckets], np.int64)
    hours, types, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for name, code in sorted(metrics.items(), key=lambda metric: metric[1]):
        column: list[Any] = [found.get(name) for _, found, _ in buckets]
        if {*map(type, column)} - {int} or not 0 <= min(column, default=0) <= max(column, default=0) <= MOST:
            odd |= {name} if any(isinstance(value, str) for value in column) else set()
            places = [f"{path}[{number}].metrics.{name}" for _, _, number in buckets]
            column = [count_of(value, at) for value, at in zip(column, places, strict=True)]
        there = (
            slice(None) if None not in column else [place for place, count in enumerate(column) if count is not None]
        )
        hours.append(at_hours[there])
        counts.append(np.array([count for count in column if count is not None], np.int64))
        types.append(np.full(len(counts[-1]), code, np.int64))
    return Series(np.concatenate(hours), np.concatenate(types), np.concatenate(counts))


def count_of(value: Any, path: str) -> int | None:  # noqa: ANN401
    """Return a count, written as a number or as text of digits; None for null. Raises ResponseError for all else."""
    number = int(value) if isinstance(value, str) and DIGITS.fullmatch(value) else value
    if number is None:
        return None
    if type(number) is not int:
        raise ResponseError(f"must be a whole number, not {brief(value)}", path=path)
    if number < 0:
        raise ResponseError(f"{number} is below zero, and v2 counts what was undone apart", path=path)
    if number > MOST:
        raise ResponseError(f"{brief(number)} is too large: the sum of its day needs more than 64 bits", path=path)
    return number


def _rows(series: Mapping[int, Series]) -> pa.Table:
    """Return the counts of all Posts as rows of ENGAGEMENTS."""
    nothing = np.empty(0, np.int64)
    tweets, hours, types, counts = [nothing], [nothing], [nothing], [nothing]
    for tweet, found in sorted(series.items()):
        tweets.append(np.full(len(found.counts), tweet, np.int64))
        hours.append(found.hours)
        types.append(found.types)
        counts.append(found.counts)
    at = np.concatenate(hours)
    return engagements_table(
        np.concatenate(tweets),
        np.concatenate(types).astype(np.int8),
        (at // HOURS).astype(np.int32),
        (at % HOURS).astype(np.uint8),
        np.concatenate(counts),
    )


def _reasons(root: dict[str, Any], request: Request, form: Form, rows: pa.Table) -> tuple[dict[int, NotServed], str]:
    """Return why there is no count of some Posts, and all that the answer says of errors.

    Raises ResponseError if it says that a Post is not served and counts it.
    """
    found = problems_of(root)
    counted = {*pc.unique(rows["tweet_id"]).to_pylist()}
    reasons: dict[int, NotServed] = {}
    of_all = next((problem.reason for problem in found if form.number(problem.resource) is None), None)
    if of_all:
        reasons = dict.fromkeys({*request.tweet_ids} - counted, of_all)
    for number, problem in enumerate(found):
        tweet = form.number(problem.resource)
        if tweet and tweet not in request.tweet_ids:
            raise ResponseError(f"names {tweet}, which was not asked for", path=f"$.errors[{number}]")
        if tweet in counted and problem.reason.outcome != MISSING and problem.kind not in OF_A_FIELD:
            raise ResponseError(f"names {tweet}, though the response holds its counts", path=f"$.errors[{number}]")
        if tweet and tweet not in counted:
            reasons[tweet] = problem.reason
    return reasons, shown("; ".join(dict.fromkeys(problem.text for problem in found)))


def brief(value: Any) -> str:  # noqa: ANN401
    """Return a value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
