"""handle_daily and handle_posted: what a handle's Tweets came to, by day of activity and by day of posting."""

from collections import defaultdict
from datetime import timedelta
from statistics import median

import pytest
import traps
from traps import FIRST, LAST, LATE, NEVER_ASKED, OLD, OWNERS, REVOKED, YOUNG, posted_at

from engagement_pipeline.core.endpoints import HISTORICAL

DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
OF_A_HANDLE = {tweet_id: handle for tweet_id, handle in OWNERS.items() if handle}


@pytest.fixture(scope="module")
def days(trapped):
    return {(row["handle"], row["day"]): row for row in traps.rows(trapped, "from handle_daily")}


@pytest.fixture(scope="module")
def sums(trapped):
    """{(handle, day): {type: [a count a Tweet]}}."""
    found = defaultdict(lambda: defaultdict(list))
    for (tweet_id, name), counts in traps.hours_of(trapped).items():
        by_day = defaultdict(int)
        for moment, n in counts.items():
            by_day[moment.date()] += n
        for day, n in by_day.items():
            found[OWNERS[tweet_id], day][name].append(n)
    return found


def test_each_day_sums_the_handle_s_tweets_and_is_null_without_a_count(days, sums):
    assert {*days} == {(handle, day) for handle in ("ann", "bob") for day in DAYS}
    for key, row in days.items():
        for name in HISTORICAL.types:
            assert row[name] == (sum(sums[key][name]) if sums[key][name] else None)
        assert row["measured"] == len(sums[key]["impressions"])


def test_tweets_count_on_the_day_on_which_they_were_posted_even_if_nobody_asked_for_them(days):
    for (handle, day), row in days.items():
        born = [t for t, owner in OF_A_HANDLE.items() if owner == handle and posted_at(t).date() == day]
        assert row["posted"] == len(born)
    assert days["ann", posted_at(NEVER_ASKED).date()]["posted"] == 1


def test_it_is_complete_where_completeness_trusts_it(trapped, days):
    trusted = {(row["handle"], row["day"]): row["trusted"] for row in traps.rows(trapped, "from completeness")}
    assert {key: row["complete"] for key, row in days.items()} == trusted


def test_a_rate_is_a_sum_over_a_sum(days):
    for row in days.values():
        known = row["impressions"] is not None and row["impressions"] > 0
        assert row["engagement_rate"] == (row["engagements"] / row["impressions"] if known else None)
        assert row["video_view_rate"] is None


def over(days, handle, last, number):
    """Return the impressions of so many days, None unless each is there and complete."""
    rows = [days.get((handle, last - timedelta(days=back))) for back in range(number)]
    return sum(row["impressions"] for row in rows) if all(row and row["complete"] for row in rows) else None


def test_trailing_sums_are_by_date_and_null_unless_each_day_is_complete(days):
    for (handle, day), row in days.items():
        assert row["impressions_7_days"] == over(days, handle, day, 7)
        now, before = over(days, handle, day, 28), over(days, handle, day - timedelta(days=28), 28)
        assert row["impressions_28_days"] == now
        change = row["impressions_change"]
        assert change == (pytest.approx(now / before - 1) if now is not None and before else None)
    assert any(row["impressions_change"] is not None for row in days.values())


def test_a_day_that_an_account_lacks_is_no_fall(days):
    """Its sum is NULL, the day is not complete, and no trailing sum takes it for zero."""
    row = days["ann", REVOKED]
    assert (row["impressions"], row["complete"], row["engagement_rate"]) == (None, False, None)
    assert days["ann", REVOKED + timedelta(days=6)]["impressions_7_days"] is None


def test_a_filter_on_days_changes_no_trailing_sum(trapped, days):
    (row,) = traps.rows(trapped, "from handle_daily where handle = 'bob' and day = '2026-01-25'")
    assert row == days["bob", row["day"]]
    assert row["impressions_change"] is not None


def test_medians_are_of_the_tweets_that_are_old_enough_and_covered(trapped):
    values = defaultdict(dict)
    for row in traps.rows(trapped, "from tweet_value where engagement_type in ('impressions', 'engagements')"):
        values[row["tweet_id"]][row["engagement_type"]] = row
    posted = defaultdict(list)
    for tweet_id, handle in OF_A_HANDLE.items():
        posted[handle, posted_at(tweet_id).date()].append(tweet_id)
    found = {(row["handle"], row["day"]): row for row in traps.rows(trapped, "from handle_posted")}
    assert {key: row["posted"] for key, row in found.items()} == {key: len(ids) for key, ids in posted.items()}
    for key, row in found.items():
        for name in ("impressions", "engagements"):
            for age in ("1_day", "7_days", "28_days"):
                all_known = (values[t][name][f"after_{age}"] for t in posted[key] if t in values)
                known = [n for n in all_known if n is not None]
                assert row[f"n_{name}_{age}"] == len(known)
                assert row[f"median_{name}_{age}"] == (median(known) if known else None)


def test_a_tweet_that_is_too_young_is_posted_and_in_no_median(trapped):
    sql = "select posted, n_impressions_7_days as n, n_impressions_28_days as older from handle_posted where day = '{}'"
    for tweet_id, told in ((YOUNG, (1, 1, 0)), (LATE, (1, 1, 0)), (NEVER_ASKED, (1, 0, 0)), (OLD, (1, 1, 1))):
        (row,) = traps.rows(trapped, sql.format(posted_at(tweet_id).date()))
        assert tuple(row.values()) == told
