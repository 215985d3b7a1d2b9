"""Counts of the emulated world: a pure function of (seed, Tweet, engagement type, UTC hour).

In: a seed, Tweet IDs, types, hours. Out: int64 counts. There is no state and no random generator. A cell computed alone
equals the same cell of an array, whatever was asked before. So all windows, sums and repeats agree.

The popularity of Tweets has a heavy tail. A Tweet gets most of its counts on its first day, follows the hours of the
day, and keeps a faint tail for ever. All steps to a count are exact in IEEE arithmetic (no exp, no pow). So machines
agree to the last bit.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engagement_pipeline.emulator.chance import hash64, mix, share

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
HOUR_MS = 3_600_000

# The expected count of each type for one impression. `engagements` is a quantity of its own, not the sum of the others.
RATES = {
    "impressions": 1.0,
    "engagements": 0.045,
    "favorites": 0.008,
    "retweets": 0.0016,
    "replies": 0.0012,
    "quote_tweets": 0.0004,
    "video_views": 0.18,
    "media_views": 0.25,
    "media_engagements": 0.012,
    "url_clicks": 0.006,
    "hashtag_clicks": 0.0008,
    "detail_expands": 0.015,
    "permalink_clicks": 0.001,
    "app_install_attempts": 0.00005,
    "app_opens": 0.0001,
    "email_tweet": 0.00003,
    "user_follows": 0.0003,
    "user_profile_clicks": 0.004,
    "bookmarks": 0.002,
    "shares": 0.0009,
    "unfollows": 0.00005,
    "unlikes": 0.0002,
}

# /historical has these three only from 2015-09-15 on, and zeros before; /totals counts the whole life.
LATE_TYPES = frozenset({"favorites", "retweets", "replies"})
LATE_TYPES_FIRST_HOUR = int(datetime(2015, 9, 15, tzinfo=UTC).timestamp()) // 3600

VIDEO_SHARE = 0.3

# Audience by UTC hour, mean 1: quiet while the Americas sleep, high in their afternoon.
DAY_RHYTHM = np.array([22, 18, 14, 10, 7, 6, 7, 9, 13, 17, 21, 25, 29, 33, 36, 38, 39, 40, 39, 37, 35, 32, 29, 26])
DAY_RHYTHM = DAY_RHYTHM / DAY_RHYTHM.mean()

# From this age on, all counts of a day fall in one hour: the hour of the day in which the Tweet was posted. Most cells
# are zero at the vendor too, and ten years of a Tweet become a sum of 4,400 cells instead of 87,600.
QUIET_HOURS = 30 * 24


def created_ms(tweet_id: int) -> int:
    """Return the time at which a Snowflake ID was made, in milliseconds since 1970."""
    return (tweet_id >> 22) + SNOWFLAKE_EPOCH_MS


def has_video(seed: int, tweet_id: int) -> bool:
    """Tell whether the Tweet has a video; without one, its `video_views` are zero."""
    return share(seed, tweet_id, "video") < VIDEO_SHARE


def counts(seed: int, tweet_ids: Sequence[int], types: Sequence[str], hours: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the settled counts of whole hours in a time series, shape [tweet, type, hour].

    They are those of `happened`, without the three types that have no hourly counts before 2015-09-15.
    """
    found = happened(seed, tweet_ids, types, hours)
    late = [index for index, name in enumerate(types) if name in LATE_TYPES]
    before = np.flatnonzero(hours < LATE_TYPES_FIRST_HOUR)
    found[:, np.array(late, dtype=np.int64)[:, None], before] = 0
    return found


def happened(seed: int, tweet_ids: Sequence[int], types: Sequence[str], hours: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the settled counts of whole hours, shape [tweet, type, hour].

    `hours` are hours since 1970, in any order. An hour can have counts if it ends after the Tweet's creation. Raises
    KeyError for an unknown type.
    """
    expected = _expected_impressions(seed, tweet_ids, hours)[:, None, :] * _rates(seed, tweet_ids, types)[:, :, None]
    noise = _noise(seed, tweet_ids, types, hours)
    jitter = 0.5 + (noise & np.uint64(0xFFFF)) / 65536.0
    threshold = (noise >> np.uint64(40)) / 16777216.0
    # Rounded by chance, not to the nearest: of a hundred hours that expect 0.01, one shows a 1.
    found: NDArray[np.int64] = np.floor(expected * jitter + threshold).astype(np.int64)
    return found


def living_hours(tweet_id: int, before: int) -> NDArray[np.int64]:
    """Return the hours since 1970 in which the Tweet can have a count, up to `before` (excluded)."""
    created = created_ms(tweet_id) // HOUR_MS
    busy = np.arange(created, min(created + QUIET_HOURS, before), dtype=np.int64)
    return np.concatenate([busy, np.arange(created + QUIET_HOURS, before, 24, dtype=np.int64)])


def _expected_impressions(seed: int, tweet_ids: Sequence[int], hours: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return expected impressions, [tweet, hour]: popularity x decay with age x hour of the day."""
    created = np.array([created_ms(tweet_id) // HOUR_MS for tweet_id in tweet_ids], dtype=np.int64)
    ages = hours[None, :] - created[:, None]
    quiet = ages >= QUIET_HOURS
    alive = (ages >= 0) & (~quiet | (ages % 24 == 0))
    age = np.maximum(ages, 0).astype(np.float64)
    burst = 0.2 / ((1.0 + age / 4.0) * (1.0 + age / 4.0))
    tail = 0.00005 / (1.0 + age / 400.0)
    decay = np.where(alive, (burst + tail) * np.where(quiet, 24.0, 1.0), 0.0)
    expected: NDArray[np.float64] = _popularity(seed, tweet_ids)[:, None] * decay * DAY_RHYTHM[hours % 24]
    return expected


def _popularity(seed: int, tweet_ids: Sequence[int]) -> NDArray[np.float64]:
    """Return the scale of each Tweet's impressions: half are under 3,600, and one in 10,000 exceeds 250,000."""
    ranks = np.array([1.0 - share(seed, tweet_id, "popularity") for tweet_id in tweet_ids])
    scale: NDArray[np.float64] = 2500.0 / np.sqrt(ranks)
    return scale


def _rates(seed: int, tweet_ids: Sequence[int], types: Sequence[str]) -> NDArray[np.float64]:
    """Return each Tweet's rate of each type for one impression, [tweet, type]."""
    rates = np.tile(np.array([RATES[name] for name in types], dtype=np.float64), (len(tweet_ids), 1))
    silent = np.array([not has_video(seed, tweet_id) for tweet_id in tweet_ids], dtype=np.bool_)
    of_video = np.array([name == "video_views" for name in types], dtype=np.bool_)
    rates[silent[:, None] & of_video[None, :]] = 0.0
    return rates


def _noise(seed: int, tweet_ids: Sequence[int], types: Sequence[str], hours: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a hash of each cell, [tweet, type, hour]."""
    tweets = np.array([hash64(seed, tweet_id) for tweet_id in tweet_ids], dtype=np.uint64)
    names = np.array([hash64(name) for name in types], dtype=np.uint64)
    series = mix(tweets[:, None] ^ names[None, :])
    return mix(series[:, :, None] + mix(hours.astype(np.uint64))[None, None, :])
