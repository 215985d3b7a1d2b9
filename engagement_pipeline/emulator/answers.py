"""Makes the JSON of a 200: which of the requested Tweets can be served, and their counts by grouping.

In: `Asked`, the caller's author id, the world. Out: the body's bytes, or a `Refusal` for the whole request. A full
response holds 285,600 counts, so this builds no dict. The keys of a grouping become one text with a %d for each count.
A flat array of the counts then fills it in one step.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engagement_pipeline.emulator import refusals, rules
from engagement_pipeline.emulator.rules import Asked, Window
from engagement_pipeline.emulator.world import OLD_DAYS, RECENT_DAYS, Tweet, World

Grid = NDArray[np.int64]


@dataclass(frozen=True)
class Sorted:
    """The requested Tweets, served or unavailable; IDs in the order of the request."""

    served: tuple[Tweet, ...]
    unavailable: tuple[int, ...]


def sort_tweets(
    asked: Asked,
    world: World,
    *,
    author_id: int | None,
    vanished: Collection[int] = (),
    spelling: refusals.ForbiddenSpelling = "author",
) -> Sorted:
    """Sort the requested Tweets. `author_id` is the caller's; None is the app alone, which owns no Tweets.

    IDs that nobody posted, deleted Tweets and those in `vanished` are unavailable. Raises Refusal: 403 for metrics that
    the app alone may not read, 403 if a user asks for the Tweet of somebody else, 400 if a Tweet is protected.
    """
    private = [name for name in asked.types if name not in rules.PUBLIC_TYPES]
    if author_id is None and private:
        raise refusals.forbidden_metrics(private)
    served: list[Tweet] = []
    unavailable: list[int] = []
    unowned: dict[int, list[int]] = {}
    for tweet_id in asked.tweet_ids:
        tweet = world.tweet(tweet_id)
        if tweet is None or tweet.state == "deleted" or tweet_id in vanished:
            unavailable.append(tweet_id)
            continue
        served.append(tweet)
        if author_id not in (None, tweet.author_id):
            unowned.setdefault(tweet.author_id, []).append(tweet_id)
    if unowned:
        raise refusals.forbidden_tweets(unowned, spelling)
    if any(tweet.state == "protected" for tweet in served):
        raise refusals.protected()
    return Sorted(tuple(served), tuple(unavailable))


def answer(asked: Asked, tweets: Sorted, world: World) -> bytes:
    """Return the JSON body of the 200."""
    parts: dict[str, Any] = {}
    if asked.window:
        parts |= {"start": rules.wire_time(asked.window.start), "end": rules.wire_time(asked.window.end)}
    lists, errors, unsupported = _lists(asked, tweets)
    parts |= lists
    if errors:
        parts["errors"] = errors
    ids = [tweet.tweet_id for tweet in tweets.served]
    counts = _counts(asked, ids, world)
    for row, column in unsupported:
        counts[row, column] = 0
    table = _Table.of(ids, asked.types, asked.window, counts)
    for name, group_by in asked.groupings.items():
        parts[name] = orjson.Fragment(table.grouped(group_by))
    return orjson.dumps(parts)


def _lists(asked: Asked, tweets: Sorted) -> tuple[dict[str, list[str]], list[str], list[tuple[int, int]]]:
    """Return the ID lists, their texts, and which places (Tweet, type) of the answer are unsupported."""
    lists: dict[str, list[str]] = {}
    errors: list[str] = []
    unsupported: list[tuple[int, int]] = []
    if tweets.unavailable:
        lists[rules.UNAVAILABLE] = [str(tweet_id) for tweet_id in tweets.unavailable]
        errors.append(f"{len(tweets.unavailable)} Tweet ID(s) are unavailable")
    limits: list[tuple[str, tuple[str, ...], str, int]] = [
        (rules.UNSUPPORTED_VIDEO_VIEWS, ("video_views",), "Video views", OLD_DAYS)
    ]
    if asked.endpoint == "totals":
        both = ("impressions", "engagements")
        limits.append((rules.UNSUPPORTED_IMPRESSIONS, both, "Impressions & engagements", RECENT_DAYS))
    for key, types, kind, days in limits:
        columns = [column for column, name in enumerate(asked.types) if name in types]
        rows = [row for row, tweet in enumerate(tweets.served) if asked.at - tweet.created > timedelta(days=days)]
        if columns and rows:
            lists[key] = [str(tweets.served[row].tweet_id) for row in rows]
            errors.append(f"{kind} for tweets older than {days} days ({', '.join(lists[key])}) are not supported")
            unsupported += [(row, column) for row in rows for column in columns]
    return lists, errors, unsupported


def _counts(asked: Asked, ids: Sequence[int], world: World) -> Grid:
    """Return the counts of the answer, [tweet, type, hour]; on /totals, one hour stands for a lifetime."""
    if asked.window is None:
        lifetime = world.lifetime(ids, asked.types)
        if "video_views" in asked.types:
            # /totals counts the video wherever it was reposted; /historical and /28hr count it only in this Tweet.
            lifetime[:, asked.types.index("video_views")] *= 5
            lifetime[:, asked.types.index("video_views")] //= 4
        return lifetime[:, :, None]
    counts = world.shown(ids, asked.types, asked.window.start, asked.window.hours)
    if asked.endpoint == "28hr":
        # The 28 hours begin and end within an hour, so they hold only a part of the first and the last hour.
        begun = int((asked.at - rules.hour_of(asked.at)).total_seconds())
        if begun:
            counts[:, :, 0] = counts[:, :, 0] * (3600 - begun) // 3600
            counts[:, :, -1] = counts[:, :, -1] * begun // 3600
    return counts


@dataclass(frozen=True)
class _Table:
    """Counts with their keys: `grid` is [tweet, type, day, hour of the day]; `there` marks the hours that exist.

    A window that starts or ends within a day leaves out hours of that day. /totals has one day of one hour.
    """

    keys: Mapping[str, Sequence[str]]
    grid: Grid
    there: NDArray[np.bool_]

    @classmethod
    def of(cls, ids: Sequence[int], types: Sequence[str], window: Window | None, counts: Grid) -> "_Table":
        keys = {rules.TWEET: [str(tweet_id) for tweet_id in ids], rules.TYPE: types}
        if window is None:
            return cls(keys | {rules.DAY: [""], rules.HOUR: [""]}, counts[:, :, :, None], np.ones((1, 1), np.bool_))
        first = window.start.hour
        days = -(-(first + window.hours) // 24)
        there = np.zeros(days * 24, dtype=np.bool_)
        there[first : first + window.hours] = True
        grid = np.zeros((*counts.shape[:2], days * 24), dtype=np.int64)
        grid[:, :, there] = counts
        keys[rules.DAY] = [f"{window.start.date() + timedelta(days=day)}" for day in range(days)]
        keys[rules.HOUR] = [f"{hour:02}" for hour in range(24)]
        return cls(keys, grid.reshape(*counts.shape[:2], days, 24), there.reshape(days, 24))

    def grouped(self, group_by: Sequence[str]) -> bytes:
        """Return the JSON object of one grouping, nested in the order of `group_by`."""
        if not self.keys[rules.TWEET]:
            return b"{}"
        nesting = list(group_by)
        if rules.HOUR in nesting and rules.DAY not in nesting:
            nesting.insert(nesting.index(rules.HOUR), rules.DAY)
        order = [rules.NAMES.index(name) for name in nesting]
        order += [axis for axis in range(len(rules.NAMES)) if axis not in order]
        summed = tuple(range(len(nesting), len(order)))
        sums = self.grid.transpose(order).sum(axis=summed)
        there = np.broadcast_to(self.there, self.grid.shape).transpose(order).any(axis=summed)
        return (self._template(nesting, self.there) % tuple(sums[there].tolist())).encode()

    def _template(self, nesting: Sequence[str], there: NDArray[np.bool_]) -> str:
        """Return the JSON text with a %d for each count of the hours that are `there`."""
        if not nesting:
            return '"%d"'
        name, *inner = nesting
        if name in (rules.TWEET, rules.TYPE):
            below = self._template(inner, there)
            return "{" + ",".join(f'"{key}":{below}' for key in self.keys[name]) + "}"
        pairs = []
        for place, key in enumerate(self.keys[name]):
            left = np.zeros_like(there)
            here = (place, slice(None)) if name == rules.DAY else (slice(None), place)
            left[here] = there[here]
            if left.any():
                pairs.append(f'"{key}":{self._template(inner, left)}')
        return "{" + ",".join(pairs) + "}"
