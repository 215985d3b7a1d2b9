"""Whether each Tweet that a lake knows still has the owner that it had: as tokens, in the metadata of tweets.parquet.

In: a lake, and its Tweets before and after a change. Out: those after it, with tokens.

    Tweets are added                      one more token
    a known Tweet has another owner       a new token alone

So what was summed by owner under a token holds as long as the token is there, but for Tweets that were not known then.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake.parquet import opened

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

KEY = b"owners"
MOST = 1000  # tokens; what was summed under an older one is summed anew
TOKEN_BYTES = 6
ID, FACTS = "tweet_id", {"handle": pa.string(), "posted_at": pa.timestamp("us", "UTC")}


def told(lake: Lake, before: pa.Table | None, after: pa.Table) -> pa.Table:
    """Return the Tweets after a change, with the tokens that follow from the lake's; None is no Tweets before."""
    known = _noted(lake) if before is not None and _has_grown(before, after) else ()
    if not known or before is None or len(after) > len(before):
        known = (*known, secrets.token_hex(TOKEN_BYTES))
    return after.replace_schema_metadata({**(after.schema.metadata or {}), KEY: " ".join(known[-MOST:])})


def tokens(lake: Lake) -> tuple[str, ...]:
    """Return the tokens of the lake's Tweets, the newest last; of a file without, or without a file, its stamp."""
    name = lake.tweets.name
    return _noted(lake) or (lake.home.storage.stamps(name).get(name, "no file"),)


def _noted(lake: Lake) -> tuple[str, ...]:
    """Return the tokens in tweets.parquet; none where it has none, or cannot be read."""
    with suppress(LakeError):
        if lake.storage.exists(lake.tweets):
            with opened(lake, lake.tweets) as file:
                return tuple((file.metadata.metadata or {}).get(KEY, b"").decode().split())
    return ()


def _has_grown(before: pa.Table, after: pa.Table) -> bool:
    """Tell whether each Tweet before is there after, and has the same owner and time."""
    places = pc.index_in(before[ID].cast(pa.int64()), after[ID].cast(pa.int64()))
    if places.null_count or not FACTS.keys() <= {*before.column_names}:
        return False
    same = after.take(places)
    # Whichever way a file has them: a column of nulls alone has no type.
    return all(before[name].cast(kind, safe=False).equals(same[name].cast(kind)) for name, kind in FACTS.items())
