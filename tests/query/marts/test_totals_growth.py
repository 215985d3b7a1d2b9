"""totals_growth: what /totals grew by from one observation to the next."""

import traps
from traps import GONE, OLD, OTHERS


def test_each_observation_is_compared_with_the_one_before(trapped):
    found = traps.rows(trapped, "from totals_growth where engagement_type = 'favorites' order by observed_on")
    by_tweet = {tweet_id: [row for row in found if row["tweet_id"] == tweet_id] for tweet_id in (OLD, GONE, OTHERS)}
    assert [(row["count"], row["previous"], row["growth"]) for row in by_tweet[OLD]] == [
        (9_000, None, None),
        (9_030, 9_000, 30),
        (9_100, 9_030, 70),
    ]
    for row in found:
        if row["previous_at"]:
            days = (row["observed_at"] - row["previous_at"]).total_seconds() / 86_400
            assert row["growth_per_day"] == row["growth"] / days


def test_tweets_of_others_are_there_without_a_handle_and_a_fall_is_below_zero(trapped):
    found = traps.rows(trapped, f"from totals_growth where tweet_id = {OTHERS} and engagement_type = 'favorites'")
    assert sorted(row["growth"] for row in found if row["previous"]) == [-7, -3]
    assert {row["handle"] for row in found} == {None}


def test_a_filter_on_days_leaves_the_growth_as_it_is(trapped):
    sql = f"from totals_growth where tweet_id = {OLD} and engagement_type = 'favorites' and observed_on > '2026-01-05'"
    assert sorted(row["growth"] for row in traps.rows(trapped, sql)) == [30, 70]
