"""Where one count comes from: the response that gave it, its place in the body, and what it was before.

In: a lake, and a Tweet, engagement type, UTC day and hour. Out: an Explanation. Nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import orjson

from engagement_pipeline import sources
from engagement_pipeline.core.endpoints import ENDPOINTS, HOURLY
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.model import posted_at
from engagement_pipeline.core.tweet_ids import is_tweet_id
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import damaged
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake


PRUNED = "the response that gave it is not in the lake any more: prune removes old ones, as keep_raw_days says"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The key of one row of engagements: a Tweet, what was counted, and the UTC hour."""

    tweet_id: int
    engagement_type: str
    day: date
    hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The response that gave a count, the keys that lead to it in the body, and the text that stands there."""

    landed: Landed
    place: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A count that was stored before, or None if there was none; and when the request was sent that changed it."""

    count: int | None
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a lake knows of a cell.

    `count` is None if it has no row; `why` then says why not, or why no response is known. `origin` is the response
    that gave the count, None if none in the lake did. `earlier` are the counts before, the oldest first.
    """

    cell: Cell
    count: int | None
    why: str
    origin: Origin | None
    earlier: tuple[Earlier, ...]


def explain(lake: Lake, cell: Cell) -> Explanation:
    """Tell where the count of an hour that is shown comes from, or why there is none.

    Raises InputError if there is no lake, or no such type or hour. Raises LakeError if a file is damaged.
    """
    if not any(cell.engagement_type in endpoint.types for endpoint in HOURLY.values()):
        raise InputError(f"no endpoint tells hours of {cell.engagement_type!r}: the view metrics lists the types")
    if not is_tweet_id(cell.tweet_id):
        raise InputError(f"{cell.tweet_id} is no Tweet ID: the largest has 19 digits")
    if not 0 <= cell.hour < 24:  # noqa: PLR2004 - the hours of a day
        raise InputError(f"{cell.hour} is not an hour of the day: choose from 0 to 23")
    lake = _showing(lake, cell)
    stored = _rows(lake, f'select "count" from engagements where {_is(cell)}')
    if not stored:
        return Explanation(cell=cell, count=None, why=_why(lake, cell), origin=None, earlier=_earlier(lake, cell))
    count = stored[0]["count"]
    origin = _origin(lake, cell, count)
    why = "" if origin else PRUNED
    return Explanation(cell=cell, count=count, why=why, origin=origin, earlier=_earlier(lake, cell))


def _showing(lake: Lake, cell: Cell) -> Lake:
    """Return the lake of the source that a cell is shown of; the outer one if none gave it."""
    serving = [each for each in lake.of_tweets if cell.engagement_type in each.hourly.types]
    if len(serving) < 2:  # noqa: PLR2004 - of two sources
        return (*serving, lake)[0]
    of_day = f"tweet_id = {cell.tweet_id} and day = date {quoted(cell.day)} and table_name = 'engagements'"
    shown = _rows(lake, f"select endpoint from coverage where {of_day}")
    return lake.of(ENDPOINTS[shown[0]["endpoint"]].source) if shown else lake


def _is(cell: Cell) -> str:
    """Return the condition that chooses a cell in SQL."""
    kind = f"engagement_type = {quoted(cell.engagement_type)}"
    return f"tweet_id = {cell.tweet_id} and {kind} and day = date {quoted(cell.day)} and hour = {cell.hour}"


def _rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = catalog.query(lake, sql).to_pylist()
    return rows


def _answers(lake: Lake, cell: Cell) -> Iterator[Landed]:
    """Yield the responses in the lake that answer for a cell's Tweet and day, the newest first."""
    answers = [
        landed
        for pull in raw.all_pulls(lake, lake.hourly)
        if cell.day in pull.days()
        for landed in pull.landed()
        if cell.tweet_id in landed.request.tweet_ids and not landed.refusal
    ]
    yield from sorted(answers, key=lambda landed: landed.asked_at, reverse=True)


def _found(landed: Landed, cell: Cell) -> Origin | None:
    """Return where a cell's count stands in a response, None if it has none."""
    place = sources.source_of(landed.request.endpoint).place(cell.tweet_id, cell.engagement_type, cell.day, cell.hour)
    try:
        value = orjson.loads(landed.body())
        for key in place:
            value = _at(value, key)
    except orjson.JSONDecodeError as error:
        raise damaged(landed.path, str(error)) from None
    except (KeyError, TypeError, StopIteration):
        return None
    return Origin(landed=landed, place=place, text=str(value))


def _at(value: Any, key: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return what stands under a key; one such as `id=1` is of the object in a list that has this value.

    A `*` in the value stands for whatever is there.
    """
    if isinstance(value, list):
        name, _, wanted = key.partition("=")
        return next(each for each in value if fnmatchcase(str(each.get(name)), wanted))
    return value[key]


def _origin(lake: Lake, cell: Cell, count: int) -> Origin | None:
    """Return the newest response that has a cell with this count.

    Nearly always it is the newest answer. One that leaves a count out keeps the older, which an older answer gave.
    """
    found = (_found(landed, cell) for landed in _answers(lake, cell))
    return next((origin for origin in found if origin and origin.text == str(count)), None)


def _why(lake: Lake, cell: Cell) -> str:
    """Return why a cell has no row."""
    posted, end = posted_at(cell.tweet_id), datetime.combine(cell.day, time(cell.hour), UTC) + timedelta(hours=1)
    if posted and end <= posted:
        return f"the Tweet was posted at {posted:%Y-%m-%d %H:%M} UTC, after that hour"
    of_day = f"tweet_id = {cell.tweet_id} and day = date {quoted(cell.day)} and endpoint = {quoted(lake.hourly)}"
    asked = _rows(lake, f"select outcome, text, rows from coverage where {of_day}")
    if not asked:
        return f"the Tweet was never asked for on {cell.day}: pull the day"
    outcome, text, rows = asked[0].values()
    if rows:
        return "the answers for the Tweet's day gave other counts, and none of this type and hour"
    return f"the newest request for the Tweet's day: {outcome}{f', {text}' if text else ''}"


def _earlier(lake: Lake, cell: Cell) -> tuple[Earlier, ...]:
    rows = _rows(lake, f"select old, new_pulled_at from revisions where {_is(cell)} order by new_pulled_at")
    return tuple(Earlier(count=row["old"], until=row["new_pulled_at"]) for row in rows)
