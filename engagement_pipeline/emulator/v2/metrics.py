"""The counts that X API v2 shows: those of the world under other names, and the differences that dials plant.

In: metrics, Tweets, a window of whole hours, the dials. Out: int64 counts by hour. All is a pure function of them and
of the world, so a test can ask for the number that a client must find.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from engagement_pipeline.emulator.chance import hash64, mix
from engagement_pipeline.emulator.dials import Integer, Number, Share, Whole, some_of
from engagement_pipeline.emulator.world import World

Counts = NDArray[np.int64]

# Each metric of /2/tweets/analytics, and the type of the world that it counts.
TYPES: Mapping[str, str] = {
    "app_install_attempts": "app_install_attempts",
    "app_opens": "app_opens",
    "bookmarks": "bookmarks",
    "detail_expands": "detail_expands",
    "email_tweet": "email_tweet",
    "engagements": "engagements",
    "follows": "user_follows",
    "hashtag_clicks": "hashtag_clicks",
    "impressions": "impressions",
    "likes": "favorites",
    "media_views": "media_views",
    "permalink_clicks": "permalink_clicks",
    "quote_tweets": "quote_tweets",
    "replies": "replies",
    "retweets": "retweets",
    "shares": "shares",
    "unfollows": "unfollows",
    "unlikes": "unlikes",
    "url_clicks": "url_clicks",
    "user_profile_clicks": "user_profile_clicks",
}

# Each metric of /2/media/analytics is a fraction of the video's views; watch_time_ms is 6.5 s a view.
OF_VIDEO_VIEWS: Mapping[str, tuple[int, int]] = {
    "cta_url_clicks": (1, 200),
    "cta_watch_clicks": (1, 100),
    "play_from_tap": (1, 10),
    "playback25": (3, 5),
    "playback50": (2, 5),
    "playback75": (3, 10),
    "playback_complete": (1, 5),
    "playback_start": (5, 4),
    "video_views": (1, 1),
    "watch_time_ms": (6_500, 1),
}


@dataclass(frozen=True)
class Differences:
    """The dials that plant differences from the Engagement API."""

    differing_metrics: Annotated[tuple[str, ...], some_of(*TYPES)] = ("impressions",)
    young_percent: Number = 0  # so much higher are hours younger than `young_hours`
    young_hours: Whole = 24
    differing_share: Share = 0  # this share of all counts differs by `differing_by`
    differing_by: Integer = 1


@dataclass(frozen=True)
class Hours:
    """Whole UTC hours from `start` on."""

    start: datetime
    number: int

    @property
    def since_1970(self) -> Counts:
        """Return the hours as numbers."""
        first = int(self.start.timestamp()) // 3600
        return np.arange(first, first + self.number, dtype=np.int64)


def of_tweets(
    world: World, tweet_ids: Sequence[int], metrics: Sequence[str], hours: Hours, differences: Differences
) -> Counts:
    """Return the counts that the API shows now, shape [tweet, metric, hour]."""
    types = [TYPES[name] for name in metrics]
    shown = _until_now(world.shown(tweet_ids, types, hours.start, hours.number), hours, world.now())
    columns = [column for column, name in enumerate(metrics) if name in differences.differing_metrics]
    if columns and tweet_ids:
        cells = _hashes(world.seed, tweet_ids, [metrics[column] for column in columns], hours)
        shown[:, columns] = _differing(shown[:, columns], cells, hours, world.now(), differences)
    return shown


def of_media(world: World, tweet_ids: Sequence[int], metrics: Sequence[str], hours: Hours) -> Counts:
    """Return the counts of the video of each Tweet, shape [tweet, metric, hour]; a picture has none."""
    views = _until_now(world.shown(tweet_ids, ["video_views"], hours.start, hours.number), hours, world.now())
    ratios = np.array([OF_VIDEO_VIEWS[name] for name in metrics], dtype=np.int64).reshape(1, -1, 1, 2)
    counts: Counts = views[:, [0] * len(metrics)] * ratios[..., 0] // ratios[..., 1]
    return counts


def _until_now(counts: Counts, hours: Hours, now: datetime) -> Counts:
    """Show of the hour that has begun what has happened until now, as /28hr does."""
    ended = (hours.start + timedelta(hours=hours.number) - now).total_seconds()
    if hours.number and ended > 0:
        counts[:, :, -1] = counts[:, :, -1] * int(3600 - ended) // 3600
    return counts


def _hashes(seed: int, tweet_ids: Sequence[int], metrics: Sequence[str], hours: Hours) -> NDArray[np.uint64]:
    """Return a hash of each cell, [tweet, metric, hour]; another one than that of the counts."""
    tweets = np.array([hash64(seed, tweet_id, "v2") for tweet_id in tweet_ids], dtype=np.uint64)
    names = np.array([hash64(name, "v2") for name in metrics], dtype=np.uint64)
    series = mix(tweets[:, None] ^ names[None, :])
    return mix(series[:, :, None] + mix(hours.since_1970.astype(np.uint64))[None, None, :])


def _differing(
    counts: Counts, cells: NDArray[np.uint64], hours: Hours, now: datetime, differences: Differences
) -> Counts:
    """Return counts with what the dials add. A part of a count is rounded by chance, so small counts differ too."""
    young = int(now.timestamp()) // 3600 - hours.since_1970 < differences.young_hours
    factor = np.where(young, 1 + differences.young_percent / 100, 1.0)
    threshold = (cells >> np.uint64(40)) / 16777216.0
    scaled = np.where(factor == 1, counts, np.floor(counts * factor + threshold)).astype(np.int64)
    chosen = (cells & np.uint64(0xFFFFFF)) / 16777216.0 < differences.differing_share
    changed: Counts = np.maximum(scaled + np.where(chosen, differences.differing_by, 0), 0)
    return changed
