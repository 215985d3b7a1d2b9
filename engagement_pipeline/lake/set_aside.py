"""The Tweets that the API would not serve, remembered, so that a bad one costs no request a day for ever.

In: what the newest answers said of each Tweet. Out: set_aside.parquet, one row a Tweet, and which of them are not
to be asked for at present, or alone. A Tweet that is served again leaves the list.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from engagement_pipeline.core.model import Tweet
from engagement_pipeline.core.tables import FORBIDDEN, PROTECTED, SET_ASIDE, UNAVAILABLE
from engagement_pipeline.lake.parquet import read, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engagement_pipeline.lake.layout import Lake

REST = {  # until a Tweet is asked for again
    UNAVAILABLE: timedelta(days=30),  # deleted or suspended, which is seldom undone
    PROTECTED: timedelta(days=7),  # by the account's own setting, which may change any day
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """What the API last said of one Tweet; no `reason`: it was served."""

    tweet_id: int
    handle: str
    endpoint: str
    reason: str
    text: str | None
    asked_at: datetime
    tokens: str


def load(lake: Lake) -> dict[int, SetAside]:
    """Return the list by Tweet; empty where there is none."""
    return {row["tweet_id"]: SetAside(**row) for row in read(lake, lake.set_aside, SET_ASIDE).to_pylist()}


def merge(lake: Lake, heard: Mapping[int, SetAside], *, into: Path) -> bool:
    """Write the list as it is after newer answers; return whether there was anything to write."""
    known = load(lake)
    newer = {t: word for t, word in heard.items() if t not in known or word.asked_at > known[t].asked_at}
    changed = {t: word for t, word in (known | newer).items() if word.reason}
    if changed == known:
        return False
    rows = [asdict(changed[tweet_id]) for tweet_id in sorted(changed)]
    write(pa.Table.from_pylist(rows, schema=SET_ASIDE.schema), into, SET_ASIDE)
    return True


def resting(lake: Lake, fingerprints: Mapping[str, str], *, now: datetime) -> dict[Tweet, str]:
    """Return the Tweets that are not to be asked for at `now`, each with the reason in words.

    `fingerprints` are those of the tokens that each handle has now.
    Each is with the handle that asked for it: asked for by another, it may be served. A forbidden one rests as
    long as its account has the tokens that it was refused to; one forbidden to the bearer token is a protected one.
    """
    found = {}
    for tweet_id, word in load(lake).items():
        reason = PROTECTED if word.reason == FORBIDDEN and not word.handle else word.reason
        if reason == FORBIDDEN and fingerprints.get(word.handle) == word.tokens:
            found[Tweet(tweet_id, word.handle)] = f"forbidden to {word.handle}, asked for again once its tokens change"
        elif reason in REST and abs(now - word.asked_at) < REST[reason]:  # a clock may have been far ahead
            found[Tweet(tweet_id, word.handle)] = (
                f"{word.reason} on {word.asked_at.date()}, asked for again after {REST[reason].days} days"
            )
    return found


def unavailable(lake: Lake) -> set[int]:
    """Return the Tweets that the API last called unavailable."""
    return {tweet_id for tweet_id, word in load(lake).items() if word.reason == UNAVAILABLE}


def asked_alone(lake: Lake) -> frozenset[int]:
    """Return the Tweets that are to be asked for one by one once they are due: those last protected.

    Such a Tweet has its whole request refused and is not named, so in a batch it costs up to ten requests to find.
    One that was unavailable costs nothing there.
    """
    return frozenset(tweet_id for tweet_id, word in load(lake).items() if word.reason == PROTECTED)
