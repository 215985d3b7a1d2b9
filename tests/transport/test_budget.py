"""What is left of a month, a try at a time: no limit is ever exceeded, and a new month has all of it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from scripted_api import REQUEST, Answer, asking, error

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.errors import OverBudgetError
from engagement_pipeline.core.spend import Limits, Needs, Used
from engagement_pipeline.sources.x_api_v2 import timeline
from engagement_pipeline.transport.budget import Budget

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = NOON.date()
NEXT = date(2026, 2, 1)
BUSY = error(503, "over capacity")


def budget(used=None, **limits):
    return Budget(Limits(**limits), used or Used(), day=DAY)


def analytics(*tweets):
    return replace(REQUEST, endpoint=ANALYTICS, tweet_ids=tweets)


def test_as_many_tries_leave_as_are_left():
    left = budget(Used(requests=8), requests_per_month=10)
    for _ in range(2):
        left.take(REQUEST, DAY)
    with pytest.raises(OverBudgetError, match=r"^0 of this month's 10 requests are left \(requests_per_month\): noth"):
        left.take(REQUEST, DAY)


def test_threads_take_as_many_as_are_left_and_no_more():
    left = budget(requests_per_month=100)

    def taken(_):
        try:
            left.take(REQUEST, DAY)
        except OverBudgetError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(taken, range(200))) == 100


def test_a_handle_that_was_asked_for_before_is_free():
    left = budget(Used(handles=frozenset({"ann"})), handles_per_month=1)
    left.take(REQUEST, DAY)
    left.take(replace(REQUEST, handle=""), DAY)
    left.take(replace(analytics(1), handle="bob"), DAY)
    with pytest.raises(OverBudgetError, match="handles_per_month"):
        left.take(replace(REQUEST, handle="bob"), DAY)


def test_a_post_is_read_once_a_day():
    left = budget(Used(posts={DAY: frozenset({1})}), posts_per_month=2)
    left.take(analytics(1, 2), DAY)
    left.take(analytics(1, 2), DAY)
    with pytest.raises(OverBudgetError, match="posts_per_month"):
        left.take(analytics(3), DAY)


def test_a_day_later_the_same_post_is_read_again():
    left = Budget(Limits(posts_per_month=1), Used(), day=date(2026, 1, 30))
    left.take(analytics(1), date(2026, 1, 30))
    with pytest.raises(OverBudgetError):
        left.take(analytics(1), DAY)


def test_a_page_of_a_timeline_needs_room_for_all_that_it_may_have_and_counts_what_it_has():
    left = budget(posts_per_month=150)
    page = timeline.page("ann", "1", word="post")
    left.take(page, DAY)
    left.read(range(50))
    left.take(page, DAY)
    left.read(range(40, 60))
    with pytest.raises(
        OverBudgetError, match=r"90 of this month's 150 Posts are left .*, and the next request may need 1"
    ):
        left.take(page, DAY)
    left.take(timeline.user("ann"), DAY)


def test_a_new_month_has_all_of_it():
    left = budget(Used(requests=1, handles=frozenset({"bob"})), requests_per_month=1, handles_per_month=1)
    left.take(REQUEST, NEXT)
    with pytest.raises(OverBudgetError, match="wait until 2026-03-01"):
        left.take(REQUEST, NEXT)


def test_what_is_needed_is_checked_before_anything_leaves():
    left = budget(Used(requests=8), requests_per_month=10)
    left.check([REQUEST, REQUEST], what="this pull")
    with pytest.raises(OverBudgetError, match=r"^this pull needs 3 requests, and 2 of this month's 10 are left"):
        left.check([REQUEST] * 3, what="this pull")
    with pytest.raises(OverBudgetError, match=r"^this sync needs 5 requests"):
        left.check_needs(Needs(requests=5), what="this sync")


def test_retries_stop_where_the_month_is_used_up_and_the_log_says_so():
    with (
        asking(BUSY, BUSY, Answer(), budget=budget(requests_per_month=2), tries=6, now=lambda: NOON) as (
            api,
            client,
            clock,
        ),
        pytest.raises(OverBudgetError),
    ):
        client.ask(REQUEST)
    assert len(api.received) == 2
    (exchange,) = clock.exchanges
    assert (exchange.tries, exchange.status) == (2, 503)
    assert exchange.error.startswith("0 of this month's 2 requests are left")


def test_nothing_is_sent_and_logged_where_nothing_is_left():
    used = Used(requests=1)
    with (
        asking(budget=budget(used, requests_per_month=1), now=lambda: NOON) as (api, client, clock),
        pytest.raises(OverBudgetError),
    ):
        client.ask(REQUEST)
    assert (api.received, clock.exchanges) == ([], [])
