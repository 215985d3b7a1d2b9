"""What the emulator's tests share: a fixed day, a signing session, a small legal body."""

from datetime import UTC, datetime
from functools import cache

import requests
from requests_oauthlib import OAuth1Session

from engagement_pipeline.emulator import Tweet, World

NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
FOUR_WAY = ["tweet.id", "engagement.type", "engagement.day", "engagement.hour"]
PUBLIC = ["favorites", "retweets", "replies", "quote_tweets", "video_views"]
SERIES = [
    *["impressions", "engagements", "favorites", "retweets", "replies", "video_views", "media_views"],
    *["media_engagements", "url_clicks", "hashtag_clicks", "detail_expands", "permalink_clicks"],
    *["app_install_attempts", "app_opens", "email_tweet", "user_follows", "user_profile_clicks"],
]
NO_WINDOW = {"start": None, "end": None}


@cache
def tweets(handle, state="ok"):
    """Return the handle's Tweets of the roster at NOW, newest first."""
    found = [tweet for tweet in World(now=NOW).tweets() if (tweet.handle, tweet.state) == (handle, state)]
    return tuple(reversed(found))


def healthy(handle="harborbooks", *, place=50) -> Tweet:
    """Return a healthy Tweet that is some days old."""
    return tweets(handle)[place]


def foreign(*, place=5, state="ok") -> Tweet:
    """Return a Tweet of the author who gave the app no tokens, newest first."""
    return [tweet for tweet in reversed(World(now=NOW).foreign_tweets()) if tweet.state == state][place]


def session(emulator, handle="harborbooks", **changes):
    """Return a session that signs as the handle; `changes` replace its credentials."""
    token = emulator.credentials.tokens[handle]
    keys = {
        "client_key": emulator.credentials.consumer_key,
        "client_secret": emulator.credentials.consumer_secret,
        "resource_owner_key": token.key,
        "resource_owner_secret": token.secret,
    }
    return OAuth1Session(**(keys | changes))


def body(*tweet_ids, **changes):
    """Return a legal /historical body of one day; `changes` replace its fields, None removes one."""
    fields = {
        "tweet_ids": [str(tweet_id) for tweet_id in tweet_ids] or [str(healthy().tweet_id)],
        "engagement_types": ["impressions", "url_clicks"],
        "groupings": {"sums": {"group_by": ["tweet.id", "engagement.type"]}},
        "start": "2026-03-10",
        "end": "2026-03-11",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def by(*names, count=1):
    """Return so many groupings g0, g1 … by these names."""
    return {f"g{number}": {"group_by": list(names)} for number in range(count)}


def ask(emulator, fields, *, endpoint="historical", handle="harborbooks", **options):
    """Post a signed body and return the response."""
    with session(emulator, handle) as client:
        return client.post(f"{emulator.url}/insights/engagement/{endpoint}", json=fields, timeout=60, **options)


def ask_as_consumer(emulator, fields, *, endpoint="totals"):
    """Post a body that the app alone signs, without a token of a handle, and return the response."""
    with session(emulator, resource_owner_key=None, resource_owner_secret=None) as client:
        return client.post(f"{emulator.url}/insights/engagement/{endpoint}", json=fields, timeout=10)


def ask_with_bearer(emulator, fields, *, endpoint="totals", token=None):
    """Post a body with the app's bearer token, or another, and return the response."""
    headers = {"Authorization": f"Bearer {token or emulator.credentials.bearer_token}"}
    return requests.post(f"{emulator.url}/insights/engagement/{endpoint}", headers=headers, json=fields, timeout=60)
