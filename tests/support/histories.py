"""Lakes with a past, for what must leave them as they are: rebuilding and pruning."""

import shutil
from datetime import date, timedelta

from bodies import TYPES, WINDOW, at, begin, full, land, observed, parts, pulled, totals

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.publish.publisher import publish_pulls

FIRST, SECOND = WINDOW.days()
THIRD = date(2026, 1, 3)
LATER = Window(SECOND, THIRD)
TODAY = at(0).date()
IMPRESSIONS = TYPES[:1]


def live(lake):
    """Pull and publish windows that overlap, fewer types, gaps, refusals, Tweets that come and go, and the present."""
    pulled(lake, full([1, 2, 3], 10), at(1), tweets=[1, 2, 3, 9], unavailable_tweet_ids=["9"])
    publish_pulls(lake)
    pulled(lake, full([2], 20, types=IMPRESSIONS), at(2), types=IMPRESSIONS)
    publish_pulls(lake)
    pull = begin(lake, at(3), window=LATER)
    land(pull, full([1], 30, window=LATER, hours=(0, 5)))
    land(pull, {}, tweets=[2], refusal="403: Forbidden to access tweets: 2")
    publish_pulls(lake)
    land(pull, full([3], 31, window=Window(THIRD, THIRD)), tweets=[3], asked_at=at(4))
    pull.marked(finished=True)
    publish_pulls(lake)
    pulled(lake, {}, at(5), tweets=[3], unavailable_tweet_ids=["3"])
    publish_pulls(lake)
    if TOTALS in lake.endpoints:
        observe_present(lake)


def observe_present(lake):
    """Observe lifetimes twice on a day and once on the next, and the last hours on both sides of midnight."""
    for hour, lifetimes in ((1, {(1, "favorites"): 5, (2, "favorites"): 6}), (2, {(1, "favorites"): 7})):
        observed(lake, TOTALS, totals(lifetimes), at(hour), tweets=[1, 2])
        publish_pulls(lake)
    observed(lake, TOTALS, totals({(1, "favorites"): 8}), at(1) + timedelta(days=1), tweets=[1])
    for tweet, now in ((1, at(22)), (2, at(23)), (2, at(23) + timedelta(hours=2))):
        observed(lake, RECENT, parts(full([tweet], now.hour, window=Window(TODAY, TODAY))), now, tweets=[tweet])
        publish_pulls(lake)


def delete(lake, *names):
    """Remove files or folders of a lake."""
    for name in names:
        path = lake.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def forget(lake, pull):
    """Take away the responses of a pull."""
    shutil.rmtree(lake.raw / pull.path.relative_to(lake.raw))
