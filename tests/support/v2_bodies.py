"""Bodies of /2/tweets/analytics rendered from a table of counts, and pulls that hold them."""

import json
from collections import defaultdict

from bodies import ALWAYS_STALE, WINDOW

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.model import Plan, Request, Response
from engagement_pipeline.lake import raw
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.sources.x_api_v2.request import in_v2


def body(cells, *, errors=()):
    """Return {(tweet, type, day, hour): count} as the API writes it, with objects under `errors`."""
    posts = defaultdict(lambda: defaultdict(dict))
    for (tweet, name, day, hour), count in cells.items():
        posts[str(tweet)][f"{day}T{hour:02}:00:00Z"][in_v2(name)] = count
    data = [
        {
            "id": tweet,
            "timestamped_metrics": [{"timestamp": at, "metrics": metrics} for at, metrics in sorted(hours.items())],
        }
        for tweet, hours in sorted(posts.items())
    ]
    return json.dumps({"data": data, "errors": list(errors)}).encode()


def pulled(home, cells, now, *, tweets=None, window=WINDOW, errors=()):
    """Make a finished pull of one response in the lake of X API v2 within a lake, and publish it; return that lake."""
    home.open()
    lake = home.of(ANALYTICS.source)
    lake.open()
    types = tuple(sorted({key[1] for key in cells})) or ANALYTICS.types
    pull = raw.begin(
        lake, Plan(endpoint=ANALYTICS, window=window, types=types, requests=()), now=now, resume=ALWAYS_STALE
    )
    ids = tuple(sorted(tweets or {key[0] for key in cells}))
    request = Request(endpoint=ANALYTICS, handle="ann", tweet_ids=ids, types=types, window=window)
    pull.accept(pull.land(request, Response(body=body(cells, errors=errors), asked_at=now), tokens="of ann"))
    pull.marked(finished=True)
    publish_pulls(lake)
    return lake
