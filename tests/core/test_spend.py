"""What a month uses, in numbers and in words: sums, limits, money, refusals and warnings."""

from datetime import date

import pytest

from engagement_pipeline.core import spend
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL
from engagement_pipeline.core.model import Request
from engagement_pipeline.core.spend import Limits, Needs, Used

DAY = date(2026, 1, 31)


def request(endpoint, handle, *tweets):
    return Request(endpoint=endpoint, handle=handle, tweet_ids=tweets, types=(), window=None)


def test_each_request_a_new_handle_and_a_post_that_was_not_read_that_day_add_to_a_month():
    used = Used(handles=frozenset({"ann"}), posts={DAY: frozenset({1}), date(2026, 1, 30): frozenset({2})})
    asked = [
        request(HISTORICAL, "ann", 1),
        request(HISTORICAL, "bob", 3),
        request(HISTORICAL, "bob", 4),
        request(HISTORICAL, "", 5),
        request(ANALYTICS, "cy", 1, 2),
        request(ANALYTICS, "cy", 2, 6),
    ]
    assert spend.needs(asked, used, day=DAY) == Needs(requests=6, handles=1, posts=2)


def test_the_lines_tell_the_sum_the_limit_and_what_is_left():
    limits = Limits(requests_per_month=1_000, handles_per_month=2)
    used = Used(requests=900, handles=frozenset({"ann"}))
    assert spend.lines(limits, used, Needs(requests=84, handles=2), what="this pull") == [
        "this month (UTC), with this pull:",
        "  requests   900 + 84 = 984 of 1,000, 16 left",
        "  handles    1 + 2 = 3 of 2, 0 left, 1 too many",
    ]


def test_posts_are_told_with_money_where_there_is_a_price():
    limits = Limits(posts_per_month=10_000, price_per_read=0.005)
    told = spend.lines(limits, Used(unnamed=3_200), Needs(posts=400), what="this pull")
    assert told[-1] == "  Posts read 3,200 + 400 = 3,600 of 10,000, 6,400 left; 18.00 at 0.005 each"


def test_posts_are_not_told_where_nobody_reads_or_limits_them():
    assert len(spend.lines(Limits(), Used(), Needs(requests=1))) == 3


@pytest.mark.parametrize(
    ("limits", "needs", "words"),
    [
        (Limits(requests_per_month=10), Needs(requests=4), "needs 4 requests, and 3 of this month's 10 are left (requ"),
        (Limits(handles_per_month=1), Needs(handles=1), "needs 1 handle, and 0 of this month's 1 are left (handles_"),
        (Limits(posts_per_month=5), Needs(posts=4), "needs 4 Posts, and 0 of this month's 5 are left (posts_per_m"),
    ],
)
def test_a_limit_that_is_crossed_is_told_with_the_ways_out(limits, needs, words):
    used = Used(requests=7, handles=frozenset({"ann"}), unnamed=8)
    told = spend.refusal(limits, used, needs, what="this pull", day=DAY)
    assert told.startswith(f"this pull {words}")
    assert "wait until 2026-02-01 (UTC), or go over it with --over-budget, in Dagster with the tag" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        (Limits(), Needs(requests=10**9, handles=9, posts=9)),
        (Limits(requests_per_month=10), Needs(requests=3)),
        (Limits(requests_per_month=5), Needs()),  # it was set lower meanwhile
        (Limits(handles_per_month=1, posts_per_month=1), Needs(requests=3)),
    ],
)
def test_what_fits_or_adds_nothing_is_not_refused(limits, needs):
    used = Used(requests=7, handles=frozenset({"ann"}), unnamed=8)
    assert spend.refusal(limits, used, needs, what="this pull", day=DAY) == ""


@pytest.mark.parametrize(("used", "warns"), [(79, False), (80, True), (120, True)])
def test_a_warning_begins_at_80_percent(used, warns):
    told = spend.warnings(Limits(requests_per_month=100), Used(requests=used), day=DAY)
    assert list(told) == ["requests_per_month"] * warns
    assert not warns or told["requests_per_month"] == (
        f"{used} % of this month's requests are used: {used} of 100 (requests_per_month), until 2026-02-01 (UTC)"
    )


def test_a_month_ends_where_the_next_begins():
    assert [spend.next_month(day) for day in (date(2026, 12, 31), date(2028, 2, 1))] == [
        date(2027, 1, 1),
        date(2028, 3, 1),
    ]
