"""monthly_spend: what a month has used of what contracts count, and what is left."""

from datetime import UTC, date, datetime

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS, TOTALS
from engagement_pipeline.core.model import Exchange, Request
from engagement_pipeline.core.spend import Limits
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.sources.x_api_v2 import timeline

LAST = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
LIMITS = Limits(requests_per_month=10, handles_per_month=1, posts_per_month=100, price_per_read=0.5)


@pytest.fixture
def home(tmp_path):
    home = Lake(tmp_path / "lake")
    home.open()
    home.of(ANALYTICS.source).open()
    return home


def log(lake, request, *, at=LAST, status=200, tries=1, posts=(), limits=LIMITS):
    request_log.write(
        lake,
        Exchange(request=request, asked_at=at, status=status, tries=tries, size=9, seconds=1.0, posts=posts),
        limits=limits,
    )


def asked(endpoint, handle, *tweets):
    return Request(endpoint=endpoint, handle=handle, tweet_ids=tweets, types=(), window=None)


def months(home):
    return {row["month"]: row for row in catalog.query(home, "from monthly_spend").to_pylist()}


def test_a_month_has_the_tries_of_both_sources_its_handles_its_posts_and_its_cost(home):
    log(home, asked(TOTALS, "ann", 1), tries=3)
    log(home, asked(TOTALS, "bob", 1), status=401)
    log(home, asked(TOTALS, "", 1))
    log(home, timeline.page("cy", "1", word="post"), posts=(1, 2))
    log(home.of(ANALYTICS.source), asked(ANALYTICS, "cy", 2, 3), posts=(2, 3))
    log(home.of(ANALYTICS.source), asked(ANALYTICS, "cy", 2), posts=(2,), at=LAST.replace(day=30))
    (row,) = months(home).values()
    assert row == {
        "month": date(2026, 1, 1),
        "requests": 8,
        "requests_per_month": 10,
        "requests_left": 2,
        "handles": 1,
        "handles_per_month": 1,
        "handles_left": 0,
        "posts_read": 4,
        "posts_per_month": 100,
        "posts_left": 96,
        "price_per_read": 0.5,
        "cost": 2.0,
    }


def test_the_view_and_the_guard_count_the_same(home):
    log(home, asked(TOTALS, "ann", 1), tries=3, status=503)
    log(home, timeline.user("ann"))
    log(home, timeline.page("ann", "1", word="post"), posts=(1, 2, 2))
    request_log.write(
        home,
        Exchange(
            request=timeline.page("ann", "1", word="post"),
            asked_at=LAST,
            status=200,
            tries=1,
            size=9,
            seconds=1.0,
            posts=(1, 5),
        ),
        unnamed={5},
    )
    row = months(home)[date(2026, 1, 1)]
    used = request_log.used(home.of_each_source, LAST.date())
    assert (row["requests"], row["handles"], row["posts_read"]) == (
        used.requests,
        len(used.handles),
        used.posts_read,
    )


def test_a_limit_is_the_one_that_was_last_set_in_the_month(home):
    log(home, asked(TOTALS, "ann", 1), limits=Limits())
    log(home, asked(TOTALS, "ann", 1), at=datetime(2026, 2, 1, tzinfo=UTC), limits=Limits(requests_per_month=5))
    log(home, asked(TOTALS, "ann", 1), at=datetime(2026, 2, 2, tzinfo=UTC), tries=7)
    told = {month: (row["requests_per_month"], row["requests_left"]) for month, row in months(home).items()}
    assert told == {date(2026, 1, 1): (None, None), date(2026, 2, 1): (10, 2)}
