"""The media of the roster: what /media is asked for.

In: a Roster, in which a sync or an import has put the media keys. Out: for each key, what a plan takes for a Tweet.
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.core.media_keys import is_photo, numbers_in
from engagement_pipeline.core.model import Tweet

if TYPE_CHECKING:
    from engagement_pipeline.extract.roster import Roster

COLUMN = "media_keys"
CURE = "engagement roster sync finds the media keys of your Tweets"


def of_roster(followed: Roster) -> tuple[Tweet, ...]:
    """Return the media of owned Tweets, sorted by number, without photos, which nobody plays.

    Media that several Tweets show are asked for once, by the handle of the oldest one.
    """
    if COLUMN not in followed.table.column_names:
        return ()
    found: dict[int, Tweet] = {}
    for tweet, keys in zip(followed.tweets, followed.table[COLUMN].to_pylist(), strict=True):
        for number, key in numbers_in(str(keys or "")).items() if tweet.handle else ():
            if not is_photo(key):
                found.setdefault(number, Tweet(number, tweet.handle, key))
    return tuple(sorted(found.values()))
