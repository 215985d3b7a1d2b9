"""The numbers of a view, against the rows of the lake, added up in Python, and against the marts."""

from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

import pytest
import traps
from traps import BEFORE, DELETED, GONE, LATE, LEFT_OUT, OLD, OTHERS, REVOKED, YOUNG

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore.choices import choices
from engagement_pipeline.explore.figures import figures
from engagement_pipeline.explore.view import view
from engagement_pipeline.lake.layout import Lake

OF_ALL = (OLD, LATE, BEFORE, YOUNG, GONE)
OFFSETS = {  # of these months
    "UTC": timedelta(0),
    "Asia/Kolkata": timedelta(hours=5, minutes=30),
    "America/New_York": timedelta(hours=-5),
}


@pytest.fixture(scope="module")
def hours(trapped):
    return traps.hours_of(trapped)


def by_local_day(hours, tweets, name, offset):
    sums = defaultdict(int)
    for tweet in tweets:
        for at, n in hours[tweet, name].items():
            sums[(at + offset).date()] += n
    return sums


@pytest.mark.parametrize("zone", OFFSETS)
def test_a_day_is_the_sum_of_the_hours_that_begin_on_it_in_the_time_zone(looked, hours, zone):
    found = looked(zone=[zone], metric=["impressions", "replies"])
    for name in ("impressions", "replies"):
        sums = by_local_day(hours, OF_ALL, name, OFFSETS[zone])
        assert {row["day"]: row[name] for row in found.days} == {row["day"]: sums.get(row["day"]) for row in found.days}
        assert found.total(name) == sum(sums[row["day"]] for row in found.days)


def test_the_days_of_a_time_zone_are_those_of_the_mart(looked, trapped):
    sql = """
        select local_day as day, sum("count")::bigint as n from local_days('Asia/Kolkata')
        where engagement_type = 'impressions' group by all
        """
    told = {row["day"]: row["n"] for row in traps.rows(trapped, sql)}
    found = looked(zone=["Asia/Kolkata"])
    assert {row["day"]: row["impressions"] for row in found.days if row["impressions"] is not None} == {
        day: n for day, n in told.items() if day <= traps.LAST
    }


def test_a_utc_day_is_complete_if_each_handle_can_be_trusted(looked, trapped):
    sql = "select day, bool_and(complete) as complete from handle_daily group by day"
    told = {row["day"]: row["complete"] for row in traps.rows(trapped, sql)}
    assert {row["day"]: row["complete"] for row in looked().days} == told
    assert not {REVOKED, LEFT_OUT} & {row["day"] for row in looked().days if row["complete"]}


def test_a_local_day_is_complete_if_both_utc_days_are_that_it_lies_in(looked):
    of_utc = {row["day"]: row["complete"] for row in looked().days}
    found = looked(zone=["Asia/Kolkata"])
    for before, after in pairwise(found.days):
        assert after["complete"] == (of_utc[before["day"]] and of_utc[after["day"]])


def test_a_day_without_a_request_is_not_complete_and_has_no_count(looked):
    found = looked(first=["2026-01-29"], last=["2026-02-02"])
    assert [(row["complete"], row["impressions"]) for row in found.days[1:]] == 4 * [(False, None)]


@pytest.mark.parametrize("zone", OFFSETS)
def test_an_hour_of_the_week_is_a_mean_over_complete_days(looked, hours, zone):
    complete = {row["day"] for row in looked().days if row["complete"]}
    seen, local = defaultdict(int), defaultdict(list)
    for tweet in OF_ALL:
        for at, n in hours[tweet, "impressions"].items():
            if at.date() in complete:
                seen[at] += n
    days = {row["day"] for row in looked(zone=[zone]).days}
    for at, n in seen.items():
        there = at + OFFSETS[zone]
        if there.date() in days:
            local[there.isoweekday(), there.hour].append(n)
    found = looked(zone=[zone]).hours
    assert {(row["weekday"], row["hour"]): (row["count"], row["hours"]) for row in found} == {
        key: (sum(counts), len(counts)) for key, counts in local.items()
    }
    assert all(row["per_hour"] == pytest.approx(row["count"] / row["hours"]) for row in found)


def test_handles_narrow_all_numbers(looked, hours):
    found = looked(handle=["bob"])
    assert found.total("impressions") == sum(sum(hours[t, "impressions"].values()) for t in (BEFORE, YOUNG, GONE))
    assert {row["handle"] for row in (*found.top, *found.trust)} == {"bob"}


def test_tweets_narrow_all_but_what_is_of_handles(looked, hours):
    found = looked(tweets=[f"{OLD} {LATE}"])
    assert found.total("impressions") == sum(sum(hours[t, "impressions"].values()) for t in (OLD, LATE))
    assert {row["tweet_id"] for row in (*found.top, *found.ages)} == {str(OLD), str(LATE)}
    lacking = {row["day"] for row in found.days if not row["complete"]}
    assert lacking == {REVOKED, LEFT_OUT, traps.LAST}
    assert found.trust == looked().trust


def test_before_a_chosen_tweet_was_posted_no_day_is_complete(looked):
    found = looked(tweets=[str(YOUNG)])
    assert {row["day"] for row in found.days if row["complete"]} == {date(2026, 1, day) for day in range(20, 29)}


def test_the_top_tweets_are_those_with_the_most_of_the_first_metric(looked, hours):
    found = looked(metric=["engagements", "impressions"])
    sums = {t: sum(hours[t, "engagements"].values()) for t in OF_ALL}
    assert [(int(row["tweet_id"]), row["engagements"]) for row in found.top] == sorted(
        sums.items(), key=lambda pair: (-pair[1], pair[0])
    )
    assert {type(row["tweet_id"]) for row in (*found.top, *found.ages)} == {str}


@pytest.mark.parametrize("last", ["2026-01-09", "2026-01-10", "2026-01-12"])
@pytest.mark.parametrize("zone", OFFSETS)
def test_a_top_tweet_s_sum_is_of_the_hours_of_the_range(looked, hours, zone, last):
    found = looked(zone=[zone], first=["2026-01-09"], last=[last], metric=["impressions", "replies"])
    chosen = {row["day"] for row in found.days}
    for name in ("impressions", "replies"):
        told = {int(row["tweet_id"]): row[name] for row in found.top}
        for tweet, total in told.items():
            days = by_local_day(hours, [tweet], name, OFFSETS[zone])
            assert total == sum(n for day, n in days.items() if day in chosen)


def test_a_top_tweet_says_how_many_of_its_days_are_not_complete(looked):
    short = {int(row["tweet_id"]): row["days_incomplete"] for row in looked().top}
    assert short[OLD] == 3
    assert short[GONE] == (traps.LAST - DELETED).days


def test_a_curve_is_what_a_tweet_had_come_to_since_it_was_posted(looked, hours):
    found = looked(tweets=[str(OLD)])
    begun = traps.posted_at(OLD).replace(minute=0)
    for row in found.ages:
        counted = [hours[OLD, "impressions"][begun + timedelta(hours=age)] for age in range(row["hours"])]
        assert row["cumulative"] == sum(counted)
    assert [row["hours"] for row in found.ages] == [*range(1, 49), *range(54, 673, 6)]


def test_a_tweet_without_its_first_hours_has_no_curve_and_takes_no_number(looked):
    numbers = {int(row["tweet_id"]): row["number"] for row in looked().ages}
    assert BEFORE not in numbers
    assert sorted(numbers.values()) == [1, 2, 3, 4]


def test_the_trust_is_that_of_the_mart(looked, trapped):
    told = traps.rows(trapped, "select handle, day, trusted, reason from completeness order by all")
    assert [{name: row[name] for name in told[0]} for row in looked().trust] == told


def test_at_each_age_counts_settle_of_the_same_days(looked, trapped):
    ages = traps.rows(trapped, "select day, age from settling where engagement_type = 'impressions'")
    assert len({row["day"] for row in ages}) > 1  # of which one has more ages than the other
    assert [(row["age"], row["days"]) for row in looked().settled] == [(1, 1), (2, 1)]
    assert len({row["present"] for row in looked().settled}) == 1


def test_the_counts_are_as_of_the_newest_request(looked):
    assert looked().as_of == traps.midnight(traps.LAST) + timedelta(hours=12)


@pytest.mark.parametrize(("tweet", "handle"), [(OTHERS, []), (17, []), (OLD, ["bob"])])
def test_a_tweet_that_is_not_there_is_told(looked, tweet, handle):
    whose = "@bob" if handle else "an account of the roster"
    with pytest.raises(InputError, match=f"the lake has no Tweet {tweet} of {whose}: choose another Tweet"):
        looked(tweets=[str(tweet)], handle=handle)


def test_an_empty_lake_has_no_figures(lake):
    empty = Lake(lake)
    found = figures(empty, view({"last": ["2026-01-31"]}, choices(empty)))
    assert (found.as_of, found.complete, found.total("impressions"), len(found.days)) == (None, 0, None, 28)
    assert not [*found.hours, *found.top, *found.ages, *found.trust, *found.settled]
