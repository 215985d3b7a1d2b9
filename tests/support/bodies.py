"""Bodies rendered from a table of counts, and pulls that hold them: of /historical, or of the source of the lake.

Nothing here asks the emulator: what the pipeline must read is said by the contract alone.
"""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import v2_body

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Plan, Request, Response, Window
from engagement_pipeline.lake import raw
from engagement_pipeline.sources.engagement.request import CELLS, TWEET_SUMS, TYPE_SUMS

NEVER_STALE = timedelta(days=10**6)  # an open pull of any age is taken up
ALWAYS_STALE = -NEVER_STALE  # none is
WINDOW = Window(date(2026, 1, 1), date(2026, 1, 2))
TYPES = ("impressions", "url_clicks")


def at(hour, minute=0):
    """Return a moment of the day on which the pulls of these tests were made."""
    return datetime(2026, 2, 1, hour, minute, tzinfo=UTC)


def tree(cells):
    """Return {(tweet, type, day, hour): count} as the API nests it."""
    nested = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for (tweet, name, day, hour), count in cells.items():
        nested[str(tweet)][name][str(day)][f"{hour:02}"] = count
    return nested


def parts(cells, *, write=str, **root):
    """Return a body with the API's own sums as Python objects; `root` are further root keys."""
    by_tweet, by_type = defaultdict(lambda: defaultdict(int)), defaultdict(int)
    for (tweet, name, _, _), count in cells.items():
        by_tweet[str(tweet)][name] += count
        by_type[name] += count
    return {
        CELLS: tree({key: write(count) for key, count in cells.items()}),
        TWEET_SUMS: {tweet: {name: write(n) for name, n in sums.items()} for tweet, sums in by_tweet.items()},
        TYPE_SUMS: {name: write(n) for name, n in by_type.items()},
        **root,
    }


def body(cells, **root):
    """Return a body as the API sends it."""
    return json.dumps(parts(cells, **root)).encode()


def full(tweets, count, *, types=TYPES, window=WINDOW, hours=(0, 23)):
    """Return cells of whole Tweets: `count` everywhere."""
    return {(t, name, day, hour): count for t in tweets for name in types for day in window.days() for hour in hours}


def land(pull, cells, *, tweets=None, handle="ann", asked_at=None, refusal="", tokens="", unanswered="", **root):
    """Land one response that holds `cells`, asked for `tweets` (by default those in it); return its path."""
    asked = tuple(sorted(tweets or {cell[0] for cell in cells}))
    request = Request(endpoint=pull.endpoint, handle=handle, tweet_ids=asked, window=pull.window, types=pull.types)
    response = Response(body=body_of(pull.endpoint, cells, **root), asked_at=asked_at or pull.started_at)
    path = pull.land(request, response, refusal=refusal, tokens=tokens, unanswered=unanswered)
    return path if refusal else pull.accept(path)


def body_of(endpoint, cells, **root):
    """Return a body as the API of an endpoint of hours sends it; v2 says of unavailable Tweets alone."""
    if endpoint is HISTORICAL:
        return body(cells, **root)
    unavailable = root.pop("unavailable_tweet_ids", ())
    assert not root
    return v2_body.body(cells, errors=v2_body.not_found(*unavailable), endpoint=endpoint)


def begin(lake, now, *, window=WINDOW, types=TYPES):
    """Begin a pull of its own in a lake, of the hours of its source."""
    lake.home.open()
    lake.open()
    return raw.begin(lake, nothing(window, types, endpoint=lake.hourly), now=now, resume=ALWAYS_STALE)


def nothing(window=WINDOW, types=TYPES, *, endpoint=HISTORICAL):
    """Return a plan without a request."""
    return Plan(endpoint=endpoint, window=window, types=types, requests=())


def pulled(lake, cells, now, *, window=WINDOW, types=TYPES, **further):
    """Make a finished pull of one response; return it."""
    pull = begin(lake, now, window=window, types=types)
    land(pull, cells, **further)
    return pull.marked(finished=True)


def totals(counts):
    """Return a body of /totals of {(tweet, type): count}."""
    by_tweet, by_type = defaultdict(dict), defaultdict(int)
    for (tweet, name), count in counts.items():
        by_tweet[str(tweet)][name] = str(count)
        by_type[name] += count
    return {TWEET_SUMS: by_tweet, TYPE_SUMS: {name: str(count) for name, count in by_type.items()}}


def observed(lake, endpoint, content, now, *, tweets, handle="ann", **root):
    """Make a finished pull of one response of an endpoint without days; return it."""
    lake.open()
    plan = Plan(endpoint=endpoint, window=None, types=endpoint.types, requests=())
    pull = raw.begin(lake, plan, now=now, resume=ALWAYS_STALE)
    request = Request(endpoint=endpoint, handle=handle, tweet_ids=tuple(tweets), types=plan.types, window=None)
    pull.accept(pull.land(request, Response(body=json.dumps(content | root).encode(), asked_at=now)))
    return pull.marked(finished=True)


def revisions(lake):
    """Make three pulls that overlap in Tweets and days; return what the tables must hold."""
    third = Window(WINDOW.last, date(2026, 1, 3))
    made = [
        (full([1, 2], 10), at(1), WINDOW),
        (full([2, 3], 20, hours=(0, 5)), at(2), WINDOW),
        (full([1, 3], 30, window=third), at(3), third),
    ]
    for cells, now, window in made:
        pulled(lake, cells, now, window=window)
    truth = {}
    for cells, _, _ in made:
        truth |= cells
    return truth
