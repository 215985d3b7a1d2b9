"""A /historical response -> tidy rows that add up.

In: a body as received, and what was asked. Out: an Arrow table with one row for each Tweet, engagement type,
day and hour that the API answered, sorted by these four; and the Tweets that it could not serve. Pure.

    {"by_tweet_type_day_hour": {TWEET: {TYPE: {DAY: {HOUR: "count"}}}},   the rows
     "by_tweet_type": {TWEET: {TYPE: "sum"}}, "by_type": {TYPE: "sum"},   the API's own sums of them
     "start": …, "end": …, "errors": […], "unavailable_tweet_ids": […], …}

The rows must sum to both groupings exactly, and whatever the contract does not allow is a ResponseError that
names its path: nothing unknown becomes a null or a zero, and what is not there stays missing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from engagement_pipeline.client import CELLS, TWEET_SUMS, TYPE_SUMS
from engagement_pipeline.errors import ResponseError
from engagement_pipeline.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engagement_pipeline.plan import Window

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
UNAVAILABLE = "unavailable_tweet_ids"
UNSUPPORTED_VIDEO = "unsupported_for_video_views_tweet_ids"
HOURS = {f"{hour:02d}": hour for hour in range(24)}
INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)  # 64 bits need no more digits
MANY_INTEGERS = re.compile(r"-?\d{1,19}(?:,-?\d{1,19})*", re.ASCII)
SHOWN_CHARACTERS = 60  # of a value in an error message
MIN_COUNT, MAX_COUNT = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Flat:
    """One response, flattened.

    `rows` has SCHEMA, sorted by tweet_id, engagement_type, day and hour. `unavailable` are the Tweets that the
    API says it cannot serve; `unsupported_video` those too old for video_views, whose zeros are not in `rows`.
    """

    rows: pa.Table
    unavailable: frozenset[int]
    unsupported_video: frozenset[int]


def flatten(body: bytes, *, tweet_ids: Collection[int], types: Collection[str], window: Window) -> Flat:
    """Flatten one body, audited; raises ResponseError naming the path of what is not as the contract says."""
    root = _object(_parsed(body), "$")
    asked_tweets = {str(tweet_id): tweet_id for tweet_id in tweet_ids}
    asked_types = {name: TYPE_NAMES.index(name) for name in types}
    asked_days = {day.isoformat(): number for number, day in enumerate(window.days())}

    tweet_column: list[int] = []
    type_column: list[int] = []
    day_column: list[int] = []
    lengths: list[int] = []
    hour_column: list[int] = []
    count_column: list[int] = []
    sums: Counter[tuple[str, str]] = Counter()
    for tweet, by_type in _items(root, CELLS, "$"):
        at_tweet = f"$.{CELLS}.{tweet}"
        tweet_id = _asked(tweet, asked_tweets, at_tweet)
        for name, by_day in _object(by_type, at_tweet).items():
            at_type = f"{at_tweet}.{name}"
            code = _asked(name, asked_types, at_type)
            for day, by_hour in _object(by_day, at_type).items():
                at_day = f"{at_type}.{day}"
                number = _asked(day, asked_days, at_day)
                counts = _counts(_object(by_hour, at_day), at_day)
                hour_column += _hours(by_hour, at_day)
                count_column += counts
                tweet_column.append(tweet_id)
                type_column.append(code)
                day_column.append(number)
                lengths.append(len(counts))
                sums[tweet, name] += sum(counts)
    _audit(root, sums)
    unavailable = _listed(root, UNAVAILABLE, asked_tweets)
    unsupported = _listed(root, UNSUPPORTED_VIDEO, asked_tweets)
    if not unavailable.isdisjoint(tweet_column):
        raise ResponseError("names a Tweet that the response holds counts of", path=f"$.{UNAVAILABLE}")

    tweets, codes, days = (
        np.repeat(np.array(column, np.int64), lengths) for column in (tweet_column, type_column, day_column)
    )
    hours, counts_array = np.array(hour_column, np.int64), np.array(count_column, np.int64)
    if unsupported:  # their zeros are not measured
        kept = ~(np.isin(tweets, list(unsupported)) & (codes == TYPE_NAMES.index("video_views")))
        tweets, codes, days, hours, counts_array = (
            column[kept] for column in (tweets, codes, days, hours, counts_array)
        )
    order = np.lexsort((hours, days, codes, tweets))
    first = np.datetime64(window.first, "D").astype(np.int32)
    arrays = [
        pa.array(tweets[order]),
        pa.DictionaryArray.from_arrays(pa.array(codes[order].astype(np.int8)), pa.array(TYPE_NAMES)),
        pa.array((days[order] + first).astype(np.int32)).cast(pa.date32()),
        pa.array(hours[order].astype(np.uint8)),
        pa.array(counts_array[order]),
    ]
    return Flat(pa.Table.from_arrays(arrays, schema=SCHEMA), unavailable, unsupported)


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


def _audit(root: dict[str, Any], sums: Counter[tuple[str, str]]) -> None:
    """Hold the rows' sums against the API's own, by Tweet and type and by type."""
    by_type: Counter[tuple[str, ...]] = Counter()
    for (_, name), total in sums.items():
        by_type[(name,)] += total
    stated: Counter[tuple[str, ...]] = Counter()
    for tweet, of_tweet in _items(root, TWEET_SUMS, "$"):
        path = f"$.{TWEET_SUMS}.{tweet}"
        for name, value in _object(of_tweet, path).items():
            stated[tweet, name] = _count(value, f"{path}.{name}")
    _compare(TWEET_SUMS, stated, Counter[tuple[str, ...]](sums))
    stated = Counter({(name,): _count(value, f"$.{TYPE_SUMS}.{name}") for name, value in _items(root, TYPE_SUMS, "$")})
    _compare(TYPE_SUMS, stated, by_type)


def _compare(grouping: str, stated: Counter[tuple[str, ...]], summed: Counter[tuple[str, ...]]) -> None:
    """Raise where the API's sum and ours differ; what only one of them has counts as zero in the other."""
    for key in {**stated, **summed}:
        if stated[key] != summed[key]:
            raise ResponseError(
                f"does not add up: the API says {stated[key]}, its hours sum to {summed[key]}",
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
