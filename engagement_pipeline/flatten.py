"""A response -> tidy rows that add up.

In: a body as received, and the request that it answers. Out: an Arrow table with one row for each count that the
API gave, sorted by its key; and the Tweets that it could not serve. Pure.

    {"by_tweet_type_day_hour": {TWEET: {TYPE: {DAY: {HOUR: "count"}}}},   the rows; /totals has none of these
     "by_tweet_type": {TWEET: {TYPE: "sum"}}, "by_type": {TYPE: "sum"},   the API's own sums; of /totals, the rows
     "start": …, "end": …, "errors": […], "unavailable_tweet_ids": […], …}

The rows must sum to the API's own sums exactly, and whatever the contract does not allow is a ResponseError that
names its path: nothing unknown becomes a null or a zero, and what is not there stays missing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.client import CELLS, TWEET_SUMS, TYPE_SUMS
from engagement_pipeline.errors import ResponseError
from engagement_pipeline.metrics import METRICS, RECENT, TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from engagement_pipeline.plan import Request

    Ints = npt.NDArray[np.int64]

TYPE_NAMES = tuple(sorted(metric.name for metric in METRICS))  # the dictionary of engagement_type
SCHEMA = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("engagement_type", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("hour", pa.uint8(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
PARTIAL = pa.field("partial", pa.bool_(), nullable=False)  # only a part of the hour was asked for
LIFETIME = pa.schema([SCHEMA.field(name) for name in ("tweet_id", "engagement_type", "count")])
RECENT_HOURS = 28  # of /28hr; snapped outward to whole hours it has one more, unless it is asked on the hour
EPOCH = date(1970, 1, 1)
UNAVAILABLE = "unavailable_tweet_ids"
UNSUPPORTED = {  # Tweets too old for these types, whose zeros are not measured
    "unsupported_for_video_views_tweet_ids": ("video_views",),
    "unsupported_for_impressions_engagements_tweet_ids": ("impressions", "engagements"),
}
HOURS = {f"{hour:02d}": hour for hour in range(24)}
INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)  # 64 bits need no more digits
MANY_INTEGERS = re.compile(r"-?\d{1,19}(?:,-?\d{1,19})*", re.ASCII)
SHOWN_CHARACTERS = 60  # of a value in an error message
MIN_COUNT, MAX_COUNT = -(2**63), 2**63 - 1

Sums = Counter[tuple[str, ...]]  # by Tweet and type, or by type alone


@dataclass(frozen=True, slots=True)
class Flat:
    """One response, flattened.

    `rows` has SCHEMA, sorted by tweet_id, engagement_type, day and hour; of /28hr with PARTIAL behind it; of
    /totals it has LIFETIME. `unavailable` are the Tweets that the API says it cannot serve, `said` is its text.
    """

    rows: pa.Table
    unavailable: frozenset[int]
    said: str


def flatten(body: bytes, request: Request) -> Flat:
    """Flatten one body, audited; raises ResponseError naming the path of what is not as the contract says."""
    root = _object(_parsed(body), "$")
    tweets = {str(tweet_id): tweet_id for tweet_id in request.tweet_ids}
    types = {name: TYPE_NAMES.index(name) for name in request.types}
    stated = _stated(root)
    if request.endpoint == TOTALS:
        rows = _lifetimes(stated, tweets, types)
    elif request.endpoint == RECENT:
        rows = _marked(root, _cells(root, stated, tweets, types, _AnyDay()))
    else:
        assert request.window
        _check_echo(root, request)
        rows = _cells(root, stated, tweets, types, {str(day): (day - EPOCH).days for day in request.window.days()})
    _compare(TYPE_SUMS, _stated_by_type(root), _by_type(stated))
    unavailable = _listed(root, UNAVAILABLE, tweets)
    if pc.any(pc.is_in(rows["tweet_id"], pa.array(unavailable, pa.int64()))).as_py():
        raise ResponseError("names a Tweet that the response holds counts of", path=f"$.{UNAVAILABLE}")
    for key, unsupported in UNSUPPORTED.items():
        rows = _without_zeros(rows, _listed(root, key, tweets), unsupported)
    return Flat(rows, unavailable, _said(root))


def _cells(
    root: dict[str, Any], stated: Sums, tweets: dict[str, int], types: dict[str, int], days: dict[str, int]
) -> pa.Table:
    """Return the rows of the four-way grouping, held against the API's own sums."""
    tweet_column: list[int] = []
    type_column: list[int] = []
    day_column: list[int] = []
    lengths: list[int] = []
    hour_column: list[int] = []
    count_column: list[int] = []
    sums: Sums = Counter()
    for tweet, by_type in _items(root, CELLS, "$"):
        at_tweet = f"$.{CELLS}.{tweet}"
        tweet_id = _asked(tweet, tweets, at_tweet)
        for name, by_day in _object(by_type, at_tweet).items():
            at_type = f"{at_tweet}.{name}"
            code = _asked(name, types, at_type)
            for day, by_hour in _object(by_day, at_type).items():
                at_day = f"{at_type}.{day}"
                number = _asked(day, days, at_day)
                counts = _counts(_object(by_hour, at_day), at_day)
                hour_column += _hours(by_hour, at_day)
                count_column += counts
                tweet_column.append(tweet_id)
                type_column.append(code)
                day_column.append(number)
                lengths.append(len(counts))
                sums[tweet, name] += sum(counts)
    _compare(TWEET_SUMS, stated, sums)
    ids, codes, numbers = (
        np.repeat(np.array(column, np.int64), lengths) for column in (tweet_column, type_column, day_column)
    )
    hours, counts_array = np.array(hour_column, np.int64), np.array(count_column, np.int64)
    order = np.lexsort((hours, numbers, codes, ids))
    arrays = [
        pa.array(ids[order]),
        _names(codes[order]),
        pa.array(numbers[order].astype(np.int32)).cast(pa.date32()),
        pa.array(hours[order].astype(np.uint8)),
        pa.array(counts_array[order]),
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _lifetimes(stated: Sums, tweets: dict[str, int], types: dict[str, int]) -> pa.Table:
    """Return the rows of /totals: its sums by Tweet and type."""
    rows = sorted(
        (
            _asked(tweet, tweets, f"$.{TWEET_SUMS}.{tweet}"),
            _asked(name, types, f"$.{TWEET_SUMS}.{tweet}.{name}"),
            count,
        )
        for (tweet, name), count in stated.items()
    )
    ids, codes, counts = np.array(rows, np.int64).reshape(-1, 3).T
    return pa.Table.from_arrays([pa.array(ids), _names(codes), pa.array(counts)], schema=LIFETIME)


def _names(codes: Ints) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(TYPE_NAMES))


class _AnyDay(dict[str, int]):
    """Days since 1970 of any day, written as the API does; KeyError for whatever is no day."""

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
    """Mark the first and the last hour of /28hr as partial, where it was snapped outward.

    Its period is what the API echoes, else that of its rows; rows outside, or a longer period, are refused.
    """
    hours = rows["day"].cast(pa.int32()).to_numpy().astype(np.int64) * 24 + rows["hour"].to_numpy()
    found = (int(hours.min()), int(hours.max()) + 1) if len(hours) else (0, 0)
    first, last = _echoed(root, "start"), _echoed(root, "end")
    start = floor(first.timestamp() / 3600) if first else found[0]
    end = ceil(last.timestamp() / 3600) if last else found[1]
    if len(hours) and not start <= found[0] < found[1] <= end:
        raise ResponseError("holds hours outside of its start and end", path=f"$.{CELLS}")
    if end - start > RECENT_HOURS + 1:
        raise ResponseError(f"spans {end - start} hours, more than 28 and one for the snapping", path=f"$.{CELLS}")
    snapped = end - start > RECENT_HOURS
    partial = ((hours == start) | (hours == end - 1)) & snapped
    return rows.append_column(PARTIAL, pa.array(partial))


def _check_echo(root: dict[str, Any], request: Request) -> None:
    """Raise where the API says that it used another period than it was asked for."""
    assert request.window
    for key, day in (("start", request.window.first), ("end", request.window.end)):
        echo = _echoed(root, key)
        if echo and echo != datetime.combine(day, time(), tzinfo=UTC):
            raise ResponseError(f"is {echo.isoformat()}, though {day} was asked for", path=f"$.{key}")


def _echoed(root: dict[str, Any], key: str) -> datetime | None:
    """Return the start or end that the API says it used, None where it says nothing."""
    text = root.get(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ResponseError(f"must be a time, not {_shown(text)}", path=f"$.{key}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _said(root: dict[str, Any]) -> str:
    """Return the API's texts beside a partial result, of whatever shape: they are for people."""
    errors = root.get("errors") or []
    return "; ".join(map(str, errors if isinstance(errors, list) else [errors]))


def _without_zeros(rows: pa.Table, tweets: frozenset[int], types: Iterable[str]) -> pa.Table:
    """Drop zeros of these Tweets and types; a count above zero is one, whatever the API says of its support."""
    if not tweets:
        return rows
    unmeasured = pc.and_(
        pc.is_in(rows["tweet_id"], pa.array(tweets, pa.int64())),
        pc.is_in(rows["engagement_type"].cast(pa.string()), pa.array(types)),
    )
    return rows.filter(pc.invert(pc.and_(unmeasured, pc.equal(rows["count"], 0))))


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ResponseError(f"is not JSON: {error}", path="$") from None


def _object(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ResponseError(f"must be an object, not {_shown(value)}", path=path)
    return value


def _items(parent: dict[str, Any], key: str, path: str) -> Iterable[tuple[str, Any]]:
    if key not in parent:
        raise ResponseError("is missing, though it was asked for", path=f"{path}.{key}")
    return _object(parent[key], f"{path}.{key}").items()


def _asked(key: str, asked: dict[str, int], path: str) -> int:
    try:
        return asked[key]
    except KeyError:
        raise ResponseError("was not asked for", path=path) from None


def _hours(by_hour: dict[str, Any], path: str) -> list[int]:
    try:
        return [HOURS[hour] for hour in by_hour]
    except KeyError as error:
        raise ResponseError("is not an hour from 00 to 23", path=f"{path}.{error.args[0]}") from None


def _counts(by_hour: dict[str, Any], path: str) -> list[int]:
    """Return the counts of one day; the usual case, all of them short strings, is checked as one text."""
    values = by_hour.values()
    try:
        regular = MANY_INTEGERS.fullmatch(",".join(values))
    except TypeError:  # numbers among them
        regular = None
    if regular and regular.group().count(",") + 1 == len(values):  # no comma within a value
        counts = list(map(int, values))
        if min(counts) >= MIN_COUNT and max(counts) <= MAX_COUNT:
            return counts
    return [_count(value, f"{path}.{hour}") for hour, value in by_hour.items()]


def _count(value: Any, path: str) -> int:  # noqa: ANN401
    number = value if type(value) is int else None
    if isinstance(value, str) and INTEGER.fullmatch(value):
        number = int(value)
    if number is None:
        raise ResponseError(f"must be a whole number, not {_shown(value)}", path=path)
    if not MIN_COUNT <= number <= MAX_COUNT:
        raise ResponseError(f"{number} needs more than 64 bits", path=path)
    return number


def _stated(root: dict[str, Any]) -> Sums:
    """Return the API's own sums by Tweet and type."""
    return Counter(
        {
            (tweet, name): _count(value, f"$.{TWEET_SUMS}.{tweet}.{name}")
            for tweet, by_type in _items(root, TWEET_SUMS, "$")
            for name, value in _object(by_type, f"$.{TWEET_SUMS}.{tweet}").items()
        }
    )


def _stated_by_type(root: dict[str, Any]) -> Sums:
    return Counter({(name,): _count(value, f"$.{TYPE_SUMS}.{name}") for name, value in _items(root, TYPE_SUMS, "$")})


def _by_type(sums: Sums) -> Sums:
    by_type: Sums = Counter()
    for (_, name), total in sums.items():
        by_type[name,] += total
    return by_type


def _compare(grouping: str, stated: Sums, summed: Sums) -> None:
    """Raise where the API's sum and ours differ; what only one of them has counts as zero in the other."""
    for key in {**stated, **summed}:
        if stated[key] != summed[key]:
            raise ResponseError(
                f"does not add up: the API says {stated[key]}, its parts sum to {summed[key]}",
                path=".".join(("$", grouping, *key)),
            )


def _listed(root: dict[str, Any], key: str, asked: dict[str, int]) -> frozenset[int]:
    """Return the Tweets of one of the API's lists, as strings or numbers."""
    values = root.get(key) or []
    if not isinstance(values, list):
        raise ResponseError(f"must be a list, not {_shown(values)}", path=f"$.{key}")
    return frozenset(_asked(str(value), asked, f"$.{key}[{place}]") for place, value in enumerate(values))


def _shown(value: Any) -> str:  # noqa: ANN401
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
