"""Bodies of /2/tweets/analytics and /2/media/analytics rendered from a table of counts, and pulls that hold them."""

import json
from collections import defaultdict

import pyarrow as pa
import pyarrow.parquet as pq
from bodies import ALWAYS_STALE, WINDOW, at

from engagement_pipeline.core.endpoints import ANALYTICS, MEDIA
from engagement_pipeline.core.model import Plan, Request, Response
from engagement_pipeline.lake import raw
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.sources.x_api_v2.request import in_v2


def key_of(number):
    """Return the media key of a video."""
    return f"7_{number}"


def body(cells, *, errors=(), endpoint=ANALYTICS):
    """Return {(tweet, type, day, hour): count} as the API writes it, with objects under `errors`."""
    of_media = endpoint is MEDIA
    posts = defaultdict(lambda: defaultdict(dict))
    for (tweet, name, day, hour), count in cells.items():
        posts[key_of(tweet) if of_media else str(tweet)][f"{day}T{hour:02}:00:00Z"][in_v2(name)] = count
    data = [
        {
            "media_key" if of_media else "id": tweet,
            "timestamped_metrics": [{"timestamp": at, "metrics": metrics} for at, metrics in sorted(hours.items())],
        }
        for tweet, hours in sorted(posts.items())
    ]
    return json.dumps({"data": data, "errors": list(errors)}).encode()


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
