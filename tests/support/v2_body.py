"""Bodies of /2/tweets/analytics and /2/media/analytics rendered from a table of counts."""

import json
from collections import defaultdict

from engagement_pipeline.core.endpoints import ANALYTICS, MEDIA
from engagement_pipeline.sources.x_api_v2.request import in_v2

NOT_FOUND = "https://api.x.com/2/problems/resource-not-found"


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


def not_found(*tweets):
    """Return the objects under `errors` that say that there are no such Posts."""
    return [{"type": NOT_FOUND, "resource_id": str(tweet)} for tweet in tweets]
