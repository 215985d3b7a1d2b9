"""The Tweets that are forgotten: what keeps them away, without their IDs.

In: IDs that are to go, and later, that they have gone. Out: forgotten.json, and whether a Tweet is in it.

    {"key": KEY, "tweets": {HASH: WHEN}, "going": [ID]}

While a Tweet is being removed, its ID is `going`, so that whatever stops the removal, the next one goes on. Then its
hash alone stays: BLAKE2b of the ID with a key of this lake. Nobody reads an ID from it. Who has an ID and the file can
tell that it was forgotten, since that is what the file is for. The lakes of all sources have one file, in the outer
one. So a source that is asked for the first time does not bring a Tweet back.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from engagement_pipeline.core.errors import LakeError, raise_not_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from engagement_pipeline.lake.layout import Lake

REASON = "forgotten, and never asked for again"  # why a plan leaves Tweets out
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The Tweets of a lake that are forgotten: by hash, when; and those that are still `going`."""

    key: bytes = field(repr=False)
    tweets: Mapping[str, str] = field(default_factory=dict)
    going: frozenset[int] = frozenset()

    def hash_of(self, tweet_id: int) -> str:
        """Return what stands for a Tweet in the file."""
        return blake2b(str(tweet_id).encode(), key=self.key, digest_size=DIGEST_BYTES).hexdigest()

    def among(self, tweets: Iterable[int]) -> set[int]:
        """Return those of some Tweets that are forgotten."""
        if not self.tweets and not self.going:
            return set()
        return {tweet_id for tweet_id in tweets if tweet_id in self.going or self.hash_of(tweet_id) in self.tweets}

    def begun(self, tweets: Iterable[int]) -> Self:
        """Return it with more Tweets that are going."""
        return replace(self, going=self.going.union(tweets))

    def finished(self, now: datetime) -> Self:
        """Return it with nothing going: all that was is forgotten. One that was before keeps its time."""
        gone = {self.hash_of(tweet_id): now.isoformat() for tweet_id in sorted(self.going)}
        return replace(self, tweets={**gone, **self.tweets}, going=frozenset())


def load(lake: Lake) -> Forgotten:
    """Return the forgotten Tweets, none where there is no file; LakeError where it is damaged."""
    try:
        fields = json.loads(lake.storage.read(lake.forgotten))
        return Forgotten(
            key=bytes.fromhex(fields["key"]),
            tweets=dict(fields["tweets"]),
            going=frozenset(map(int, fields["going"])),
        )
    except (FileNotFoundError, NotADirectoryError):  # there may be no lake yet
        return Forgotten(key=secrets.token_bytes(DIGEST_BYTES))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise_not_given(error, lake.forgotten)
        raise LakeError(
            f"{lake.forgotten} is damaged, so nobody knows which Tweets must not come back: put it back from a backup "
            "of the lake; without one, give it another name and forget these Tweets again"
        ) from None


def save(lake: Lake, known: Forgotten) -> None:
    """Write the file whole or not at all."""
    fields = {"key": known.key.hex(), "tweets": known.tweets, "going": sorted(known.going)}
    lake.storage.write_whole(lake.forgotten, json.dumps(fields, indent=1).encode())
