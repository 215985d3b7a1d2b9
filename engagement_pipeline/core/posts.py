"""A Tweet as its author's timeline, archive or export shows it: what it says and shows, and of which kind it is.

In: the fields that a reader has found. Out: a frozen Post, and the columns that the roster has of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import TYPE_CHECKING

from engagement_pipeline.core.tweet_ids import is_tweet_id

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOST = re.compile(r"RT @\w+: ")  # how the text of a repost begins, where nothing else tells one
POST, REPLY, QUOTE = "post", "reply", "quote"  # kinds; a reply that quotes is a reply
COLUMNS = ("created_at", "kind", "lang", "text", "media_kinds", "media_keys", "links")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A Tweet and what is known of it; an empty field is not known, or the Tweet has nothing there.

    `media_kinds` are photo, video or animated_gif, each once. `media_keys` are those of the API, such as
    7_1890000000000000001. `links` are where the links lead, except those to its own media. Raises ValueError for what
    is no ID, no moment with its zone, or no text among several.
    """

    tweet_id: int
    created_at: datetime | None = None
    kind: str = ""
    lang: str = ""
    text: str = ""
    media_kinds: tuple[str, ...] = ()
    media_keys: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_tweet_id(self.tweet_id):
            raise ValueError(f"{self.tweet_id} is not the ID of a Tweet")
        moment = self.created_at
        if moment and not (moment.tzinfo and MINYEAR < moment.year < MAXYEAR):  # else it has no time in UTC
            raise ValueError(f"{moment.isoformat()} is not a moment")
        if odd := [each for each in (*self.media_kinds, *self.media_keys, *self.links) if not isinstance(each, str)]:
            raise ValueError(f"{odd[0]!r} is not text")

    def columns(self) -> dict[str, str]:
        """Return the text of each of COLUMNS; several values have a space between them."""
        created = f"{self.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if self.created_at else ""
        several = (self.media_kinds, self.media_keys, self.links)
        texts = (created, self.kind, self.lang, self.text, *map(_joined, several))
        return dict(zip(COLUMNS, texts, strict=True))


def _joined(values: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(value.replace(" ", "%20") for value in values))
