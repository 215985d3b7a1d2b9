"""Pulls that hold bodies of /2/tweets/analytics and /2/media/analytics, and the roster of media."""

import pyarrow as pa
import pyarrow.parquet as pq
from bodies import ALWAYS_STALE, WINDOW, at
from v2_body import body, key_of

from engagement_pipeline.core.endpoints import ANALYTICS, MEDIA
from engagement_pipeline.core.model import Plan, Request, Response
from engagement_pipeline.lake import raw
from engagement_pipeline.publish.publisher import publish_pulls


def pulled(home, cells, now, *, tweets=None, window=WINDOW, errors=(), endpoint=ANALYTICS):
    """Make a finished pull of one response in the lake of a source within a lake, and publish it; return that lake."""
    home.open()
    lake = home.of(endpoint.source)
    lake.open()
    types = tuple(sorted({key[1] for key in cells})) or endpoint.types
    pull = raw.begin(
        lake, Plan(endpoint=endpoint, window=window, types=types, requests=()), now=now, resume=ALWAYS_STALE
    )
    ids = tuple(sorted(tweets or {key[0] for key in cells}))
    keys = {number: key_of(number) for number in ids} if endpoint is MEDIA else {}
    request = Request(endpoint=endpoint, handle="ann", tweet_ids=ids, types=types, window=window, keys=keys)
    answer = Response(body=body(cells, errors=errors, endpoint=endpoint), asked_at=now)
    pull.accept(pull.land(request, answer, tokens="of ann"))
    pull.marked(finished=True)
    publish_pulls(lake)
    return lake


def follow(lake, keys, *, columns=("media_keys",)):
    """Write the Tweets of a lake with the media keys of each, in whatever form; its text is its ID."""
    known = {"handle": ["ann"] * len(keys), "followed": [True] * len(keys), "text": [*map(str, keys)]}
    posted = pa.array([at(1)] * len(keys), pa.timestamp("us", "UTC"))
    further = {name: [*keys.values()] for name in columns}
    pq.write_table(pa.table({"tweet_id": [*keys], "posted_at": posted} | known | further), lake.tweets)
