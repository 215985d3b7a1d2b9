"""The media of Tweets that are to be forgotten: their counts go too.

In: the outer lake, and Tweets. Out: the numbers of the media that they show and no other Tweet of the lake does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.media_keys import numbers_in
from engagement_pipeline.lake.parquet import opened

if TYPE_CHECKING:
    from collections.abc import Collection

    from engagement_pipeline.lake.layout import Lake

TWEET_ID, MEDIA_KEYS = "tweet_id", "media_keys"  # the second is there once the roster names media


def of_tweets_alone(home: Lake, tweets: Collection[int]) -> frozenset[int]:
    """Return the numbers; none where the lake's list of Tweets cannot be read, which the removal itself tells."""
    theirs: set[int] = set()
    others: set[int] = set()
    with suppress(LakeError):
        for tweet, keys in _listed(home):
            (theirs if tweet in tweets else others).update(numbers_in(keys))
    return frozenset(theirs - others)


def _listed(home: Lake) -> list[tuple[int, str]]:
    """Return each Tweet of the lake with its media keys."""
    if not home.storage.exists(home.tweets):
        return []
    with opened(home, home.tweets) as file:
        if MEDIA_KEYS not in file.schema_arrow.names:
            return []
        rows = file.read(columns=[TWEET_ID, MEDIA_KEYS])
    return [
        (int(tweet), str(keys or ""))
        for tweet, keys in zip(*(column.to_pylist() for column in rows.columns), strict=True)
    ]
