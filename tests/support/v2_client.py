"""What the tests of the emulator of X API v2 share: signed requests for the analytics of Posts."""

import requests
from emulator_client import healthy, session

ANALYTICS = "/2/tweets/analytics"
DAY = {"start_time": "2026-03-10T00:00:00Z", "end_time": "2026-03-11T00:00:00Z"}
FIELDS = "id,timestamped_metrics,impressions,likes,url_clicks"
PROBLEM = "https://api.x.com/2/problems/"


def get(emulator, path, params=None, *, handle="harborbooks", **options):
    """Send a GET that the handle signs, and return the response."""
    with session(emulator, handle) as client:
        return client.get(emulator.url + path, params=params, timeout=60, **options)


def get_with(emulator, token, path, params=None):
    """Send a GET with a bearer token, of the app or of a user, and return the response."""
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(emulator.url + path, params=params, headers=headers, timeout=60)


def query(*tweet_ids, fields=FIELDS, **changes):
    """Return the legal parameters of a day by hours; `changes` replace some, None removes one."""
    ids = ",".join(map(str, tweet_ids or [healthy(place=30).tweet_id]))
    params = {"ids": ids, "granularity": "hourly", "analytics.fields": fields} | DAY | changes
    return {name: value for name, value in params.items() if value is not None}


def analytics(emulator, *tweet_ids, handle="harborbooks", **changes):
    """Ask for the analytics of Posts, and return the response."""
    return get(emulator, ANALYTICS, query(*tweet_ids, **changes), handle=handle)


def series(answer, metric, *, place=0):
    """Return a metric of the Post in that place, by timestamp."""
    buckets = answer.json()["data"][place]["timestamped_metrics"]
    return {bucket["timestamp"]: bucket["metrics"][metric] for bucket in buckets}
