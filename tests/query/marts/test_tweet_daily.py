"""tweet_daily: a Tweet's day, wide, and whether it is whole."""

from datetime import timedelta

import pytest
import traps
from traps import BEFORE, DELETED, FIRST, GONE, LAST, LATE, LEFT_OUT, OLD, REVOKED, TYPES, YOUNG, midnight, posted_at

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

RATES = {
    "engagement_rate": ("engagements", "impressions"),
    "public_engagement_rate": ("public_engagements", "impressions"),
    "url_click_rate": ("url_clicks", "impressions"),
    "video_view_rate": ("video_views", "impressions"),
    "media_engagement_rate": ("media_engagements", "media_views"),
}


@pytest.fixture(scope="module")
def days(trapped):
    return {(row["tweet_id"], row["day"]): row for row in traps.rows(trapped, "from tweet_daily")}


@pytest.fixture(scope="module")
def hours(trapped):
    return traps.hours_of(trapped)


def of_day(hours, tweet_id, name, day):
    return [n for moment, n in hours[tweet_id, name].items() if moment.date() == day]


def test_each_day_that_was_asked_for_has_a_row_from_the_day_of_posting_on(days):
    asked = {
        (tweet_id, FIRST + timedelta(days=number))
        for tweet_id in (OLD, LATE, BEFORE, YOUNG, GONE)
        for number in range((LAST - FIRST).days + 1)
        if FIRST + timedelta(days=number) >= posted_at(tweet_id).date() and (tweet_id != GONE or number < 59)
    }
    assert {*days} == asked


def test_each_metric_is_the_sum_of_its_hours_and_null_where_there_are_none(days, hours):
    for (tweet_id, day), row in days.items():
        for name in HISTORICAL.types:
            counts = of_day(hours, tweet_id, name, day)
            assert row[name] == (sum(counts) if counts else None)


def test_hours_that_end_before_the_tweet_was_posted_are_not_expected(days, hours):
    for (tweet_id, day), row in days.items():
        expected = 24 - posted_at(tweet_id).hour if posted_at(tweet_id).date() == day else 24
        measured = len(of_day(hours, tweet_id, "impressions", day))
        assert (row["hours_expected"], row["hours_measured"]) == (expected, measured)
    assert days[LATE, posted_at(LATE).date()]["hours_expected"] == 1


def test_a_day_is_complete_if_every_hour_is_there_and_the_answer_came_after_its_end(days, hours):
    for (tweet_id, day), row in days.items():
        counts = [of_day(hours, tweet_id, name, day) for name in TYPES]
        all_there = {len(found) for found in counts} == {row["hours_expected"]}
        over = row["pulled_at"] is not None and row["pulled_at"] >= midnight(day + timedelta(days=1))
        assert row["complete"] == (all_there and over and (tweet_id, day) != (OLD, LEFT_OUT))
        assert (row["reason"] is None) == row["complete"]


@pytest.mark.parametrize(
    ("tweet_id", "day", "reason"),
    [
        (OLD, REVOKED, f"account refused: {traps.SAID}"),
        (OLD, LEFT_OUT, "left out: url_clicks"),
        (OLD, LAST, "pulled before the day was over"),
        (GONE, DELETED, "unavailable"),
    ],
)
def test_the_reason_says_what_is_wrong_with_a_day(days, tweet_id, day, reason):
    assert days[tweet_id, day]["reason"] == reason


def test_a_day_without_an_answer_is_null_and_lowers_no_mean(trapped, days):
    assert (days[OLD, REVOKED]["impressions"], days[OLD, REVOKED]["types"]) == (None, 0)
    (mean,) = traps.rows(trapped, f"select avg(impressions) as of_days from tweet_daily where tweet_id = {OLD}")
    known = [row["impressions"] for (tweet_id, day), row in days.items() if tweet_id == OLD and day != REVOKED]
    assert mean["of_days"] == sum(known) / len(known)


def test_a_rate_is_null_without_a_denominator_and_may_be_above_one(days):
    above = set()
    for row in days.values():
        found = []
        for rate, (part, whole) in RATES.items():
            known = row[part] is not None and row[whole] is not None and row[whole] > 0
            assert row[rate] == (row[part] / row[whole] if known else None)
            found += [row[rate]] if known else []
        assert row["over_100_percent"] == (max(found) > 1 if found else None)
        above.add(row["over_100_percent"])
    assert above == {True, False, None}


def test_a_rate_over_several_days_is_not_the_mean_of_their_rates(trapped):
    sql = """
        select avg(engagement_rate) as misleading, sum(engagements) / sum(impressions) as rate
        from tweet_daily where complete
    """
    (row,) = traps.rows(trapped, sql)
    assert row["rate"] != pytest.approx(row["misleading"])


def test_ages_count_from_the_day_of_posting(days):
    for (tweet_id, day), row in days.items():
        assert row["age"] == (day - posted_at(tweet_id).date()).days


def test_it_has_a_column_for_each_type_of_historical(tmp_path):
    with catalog.connect(Lake(tmp_path)) as connection:
        assert {*HISTORICAL.types} <= {*connection.view("tweet_daily").columns}
