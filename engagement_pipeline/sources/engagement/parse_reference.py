"""The reference parser: it walks the JSON objects one by one, and each of its errors names the path.

In: bytes, and what the request asked for. Out: objects, counts and Cells. parse_fast.py must give the same results.
Whatever parse_fast.py does not recognise is decided here, and all errors are worded here.

    body -> parsed -> root -> cells -> Cells
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources.engagement.request import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Ints = npt.NDArray[np.int64]
HOURS = {f"{hour:02d}": hour for hour in range(24)}
INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)  # 64 bits need no more digits
MIN_COUNT, MAX_COUNT = -(2**63), 2**63 - 1
SHOWN_CHARACTERS = 60  # of a value in an error message
Sums = Counter[tuple[str, ...]]  # by Tweet and type, or by type alone


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body may hold. The keys are texts as in the body; the values are IDs, codes, and days since 1970."""

    tweets: Mapping[str, int]
    types: Mapping[str, int]
    days: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cells:
    """The counts of a body: arrays of one length, sorted by Tweet, type, day and hour; and their sums.

    `tweets` are IDs, `types` codes and `days` numbers since 1970, all as in Asked. The keys of `sums` are the texts of
    Tweet and type.
    """

    tweets: Ints
    types: npt.NDArray[np.int8]
    days: npt.NDArray[np.int32]
    hours: npt.NDArray[np.uint8]
    counts: Ints
    sums: Sums

    @property
    def columns(self) -> tuple[npt.NDArray[np.integer[Any]], ...]:
        """The arrays, in the order of the key and the count."""
        return self.tweets, self.types, self.days, self.hours, self.counts


class _Object(dict[str, Any]):
    """A JSON object that remembers a key that it holds twice, since nobody can know which of the two values counts."""

    twice: str | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> _Object:
        made = cls(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            made.twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return made


def parsed(body: bytes) -> dict[str, Any]:
    """Return a body's root. Raises ResponseError if the body is not a JSON object."""
    try:
        if b"\\u" in body:
            orjson.loads(body)  # refuses half of a surrogate pair, which json lets pass and no file can hold
        root = json.loads(body.decode(), object_pairs_hook=_Object.of, parse_constant=_no_json)
        return as_object(root, "$")
    except ValueError as error:  # of JSON, of UTF-8, of a number with thousands of digits
        raise ResponseError(f"is not JSON: {error}", path="$") from None
    except RecursionError:
        raise ResponseError("is not JSON that can be read: it is nested too deep", path="$") from None


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def cells(root: dict[str, Any], asked: Asked) -> Cells:
    """Return the counts by Tweet, type, day and hour. Raises ResponseError with the path of what was not asked for."""
    rows: list[tuple[int, int, int, int, int]] = []
    sums: Sums = Counter()
    for tweet, by_type in items(root, CELLS, "$"):
        at_tweet = f"$.{CELLS}.{tweet}"
        tweet_id = known(tweet, asked.tweets, at_tweet)
        for name, by_day in as_object(by_type, at_tweet).items():
            at_type = f"{at_tweet}.{name}"
            code = known(name, asked.types, at_type)
            for day, by_hour in as_object(by_day, at_type).items():
                at_day = f"{at_type}.{day}"
                number = known(day, asked.days, at_day)
                for hour, value in as_object(by_hour, at_day).items():
                    at_hour = f"{at_day}.{hour}"
                    if hour not in HOURS:
                        raise ResponseError("is not an hour from 00 to 23", path=at_hour)
                    found = count(value, at_hour)
                    sums[tweet, name] += found
                    rows.append((tweet_id, code, number, HOURS[hour], found))
    columns = np.array(sorted(rows), np.int64).reshape(-1, 5).T
    return Cells(
        columns[0],
        columns[1].astype(np.int8),
        columns[2].astype(np.int32),
        columns[3].astype(np.uint8),
        columns[4],
        sums,
    )


def as_object(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 - JSON holds anything
    """Return a value of the body as an object. Raises ResponseError if it is none, or holds a key twice."""
    if not isinstance(value, dict):
        raise ResponseError(f"must be an object, not {shown(value)}", path=path)
    if isinstance(value, _Object) and value.twice is not None:
        raise ResponseError("stands there twice", path=f"{path}.{value.twice}")
    return value


def items(parent: dict[str, Any], key: str, path: str) -> Iterable[tuple[str, Any]]:
    """Return the entries of an object. Raises ResponseError if it is missing."""
    if key not in parent:
        raise ResponseError("is missing, though it was asked for", path=f"{path}.{key}")
    return as_object(parent[key], f"{path}.{key}").items()


def known(key: str, asked: Mapping[str, int], path: str) -> int:
    """Return what a key stands for. Raises ResponseError if nobody asked for it."""
    try:
        return asked[key]
    except KeyError:
        raise ResponseError("was not asked for", path=path) from None


def count(value: Any, path: str) -> int:  # noqa: ANN401 - JSON holds anything
    """Return a count, written as a text or a number. Raises ResponseError if it is no 64-bit integer."""
    number = value if type(value) is int else None
    if isinstance(value, str) and INTEGER.fullmatch(value):
        number = int(value)
    if number is None:
        raise ResponseError(f"must be a whole number, not {shown(value)}", path=path)
    if not MIN_COUNT <= number <= MAX_COUNT:
        raise ResponseError(f"{shown(number)} needs more than 64 bits", path=path)
    return number


def shown(value: Any) -> str:  # noqa: ANN401 - JSON holds anything
    """Return a value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
