"""tweet_lifetime: a Tweet's sums, whether they are whole, and the answer of /totals beside them."""

from datetime import timedelta

import pytest
import traps
from traps import BEFORE, GONE, LAST, LATE, NEVER_ASKED, OLD, OTHERS, OWNERS, YOUNG, midnight, posted_at

from engagement_pipeline.core.endpoints import HISTORICAL

TOTALS_AT = midnight(traps.REVOKED) - timedelta(days=1) + timedelta(hours=4)  # of GONE


@pytest.fixture(scope="module")
def tweets(trapped):
    return {row["tweet_id"]: row for row in traps.rows(trapped, "from tweet_lifetime")}


def test_each_tweet_of_the_roster_has_a_row_and_no_sum_where_it_has_no_day(tweets):
    assert {tweet_id: row["handle"] for tweet_id, row in tweets.items()} == OWNERS
    for tweet_id in (NEVER_ASKED, OTHERS):
        row = tweets[tweet_id]
        assert (row["first_day"], row["days"], row["whole"], row["impressions"]) == (None, 0, None, None)


def test_each_sum_is_that_of_the_tweet_s_hours(trapped, tweets):
    hours = traps.hours_of(trapped)
    for tweet_id, row in tweets.items():
        for name in HISTORICAL.types:
            counts = hours.get((tweet_id, name))
            assert row[name] == (sum(counts.values()) if counts else None)


def test_it_is_whole_if_each_day_is_complete_from_the_posting_to_the_last(trapped, tweets):
    complete = {(r["tweet_id"], r["day"]) for r in traps.rows(trapped, "from tweet_daily where complete")}
    for tweet_id in (OLD, LATE, BEFORE, YOUNG, GONE):
        row, day, whole = tweets[tweet_id], posted_at(tweet_id).date(), True
        while day <= row["last_day"]:
            whole, day = whole and (tweet_id, day) in complete, day + timedelta(days=1)
        assert row["whole"] == whole
        assert row["days_complete"] == len([day for found, day in complete if found == tweet_id])
    assert tweets[GONE]["whole"]
    assert not tweets[BEFORE]["whole"]


def test_the_totals_are_those_of_the_newest_answer_with_its_own_time(tweets):
    columns = ("totals_at", "total_favorites", "total_quote_tweets", "total_impressions")
    found = {tweet_id: tuple(tweets[tweet_id][name] for name in columns) for tweet_id in (OLD, GONE, OTHERS, YOUNG)}
    newest = midnight(LAST) + timedelta(hours=4)
    assert found == {
        OLD: (newest, 9_100, 9_100, None),
        GONE: (TOTALS_AT, 2_000, 2_000, None),
        OTHERS: (newest, 40, 40, None),
        YOUNG: (None, None, None, None),
    }


def test_the_gap_is_to_the_sum_of_the_days_before_the_totals_were_asked_for(trapped, tweets):
    hours = traps.hours_of(trapped)[GONE, "favorites"]
    before = sum(n for moment, n in hours.items() if moment < midnight(TOTALS_AT.date()))
    assert tweets[GONE]["gap_favorites"] == 2_000 - before != 2_000 - tweets[GONE]["favorites"]
    assert tweets[GONE]["gap_hours"] == 4


def test_there_is_no_gap_where_a_day_before_is_not_complete(tweets):
    assert tweets[OLD]["gap_favorites"] is None


def test_totals_do_not_fan_out_as_they_would_joined_to_days(trapped, tweets):
    joined = (
        f"select sum(t.count) as n from totals t join daily using (tweet_id, engagement_type) where tweet_id = {OLD}"
    )
    assert traps.rows(trapped, joined)[0]["n"] > 100 * tweets[OLD]["total_favorites"]
    (row,) = traps.rows(trapped, f"select sum(total_favorites) as n from tweet_lifetime where tweet_id = {OLD}")
    assert row["n"] == tweets[OLD]["total_favorites"]
