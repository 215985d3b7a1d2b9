"""The numbers of a report, against the rows of the lake, added up in Python."""

import os
import shutil
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import traps
from bodies import pulled
from traps import BEFORE, DELETED, GONE, LATE, LEFT_OUT, OLD, REVOKED, YOUNG

from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.report.figures import RATES, Month, figures

OF_BOTH = {"ann": (OLD, LATE), "bob": (BEFORE, YOUNG, GONE)}
JANUARY, DECEMBER = (2026, 1), (2025, 12)


@pytest.fixture(scope="module")
def hours(trapped):
    return traps.hours_of(trapped)


@pytest.fixture(params=["ann", "bob"])
def found(request, of_ann, of_bob):
    return {"ann": of_ann, "bob": of_bob}[request.param]


def counts(hours, tweets, name, month):
    return [n for t in tweets for at, n in hours[t, name].items() if (at.year, at.month) == month]


def total(hours, tweets, name, month):
    if name == "public_engagements":
        return sum(total(hours, tweets, part, month) or 0 for part in ("favorites", "replies", "retweets"))
    found = counts(hours, tweets, name, month)
    return sum(found) if found else None


def test_a_sum_of_the_month_is_that_of_its_hours(found, hours):
    told = {row["metric"]: (row["total"], row["before"]) for row in found.sums}
    assert {*told} >= {*traps.TYPES, "public_engagements", "video_views"}
    for name, sums in told.items():
        assert sums == tuple(total(hours, OF_BOTH[found.handle], name, month) for month in (JANUARY, DECEMBER)), name


def test_a_rate_is_a_sum_divided_by_a_sum(found, hours):
    for row in found.rates:
        above, below = (total(hours, OF_BOTH[found.handle], name, JANUARY) for name in RATES[row["rate"]])
        known = None not in (above, below)
        assert row["value"] == (pytest.approx(above / below) if known else None)


def test_a_day_is_the_sum_of_its_hours(found, hours):
    by_day = {row["day"]: row["impressions"] for row in (*found.before, *found.days)}
    assert by_day[REVOKED] == (None if found.handle == "ann" else sum_of_day(hours, found.handle, REVOKED))
    for day, seen in by_day.items():
        assert (seen or 0) == sum_of_day(hours, found.handle, day)


def sum_of_day(hours, handle, day):
    return sum(n for t in OF_BOTH[handle] for at, n in hours[t, "impressions"].items() if at.date() == day)


def test_the_days_that_lack_counts_are_not_complete(of_ann):
    lacking = {row["day"] for row in of_ann.days if not row["complete"]}
    assert lacking == {REVOKED, LEFT_OUT} | {date(2026, 1, day) for day in range(15, 30)}
    assert of_ann.complete == 12
    assert [row["day"] for row in of_ann.trust if not row["trusted"]] == sorted(lacking)


def test_without_two_whole_months_nothing_is_called_a_change(found):
    assert not found.comparable
    assert {row["change"] for row in (*found.sums, *found.rates)} == {None}


def test_the_top_tweets_are_those_with_the_most_impressions(found, hours):
    told = [(int(row["tweet_id"]), row["impressions"]) for row in found.top]
    sums = {tweet: total(hours, [tweet], "impressions", JANUARY) for tweet in OF_BOTH[found.handle]}
    assert told == sorted(sums.items(), key=lambda pair: -pair[1])


def test_tweet_ids_are_text(of_bob):
    assert {type(row["tweet_id"]) for row in (*of_bob.top, *of_bob.missing)} == {str}


def test_an_hour_of_the_week_is_a_mean_over_complete_days(found, hours):
    complete = {row["day"] for row in found.days if row["complete"]}
    seen = {}
    for tweet in OF_BOTH[found.handle]:
        for at, n in hours[tweet, "impressions"].items():
            if at.date() in complete:
                seen[at] = seen.get(at, 0) + n
    told = {(row["weekday"], row["hour"]): row["per_hour"] for row in found.hours}
    for (weekday, hour), mean in told.items():
        of_hour = [n for at, n in seen.items() if (at.isoweekday(), at.hour) == (weekday, hour)]
        assert mean == pytest.approx(sum(of_hour) / len(of_hour))
    assert {*told} == {(at.isoweekday(), at.hour) for at in seen}


def test_a_curve_is_the_median_of_the_same_tweets_at_each_age(of_ann, hours):
    first_weeks = []
    for tweet in (OLD, LATE):  # both of December
        begun = traps.posted_at(tweet).replace(minute=0, second=0, microsecond=0)
        first_weeks.append([hours[tweet, "impressions"][begun + timedelta(hours=age)] for age in range(168)])
    assert [(row["current"], row["hours"], row["tweets"]) for row in of_ann.ages] == [
        (False, age + 1, 2) for age in range(168)
    ]
    for row in of_ann.ages:
        assert row["median"] == median(sum(week[: row["hours"]]) for week in first_weeks)


def test_what_the_api_does_not_serve_is_missing(of_ann, of_bob):
    assert not of_ann.missing
    (gone,) = of_bob.missing
    assert (gone["tweet_id"], gone["endpoint"], gone["reason"]) == (str(GONE), "historical", "unavailable")
    assert gone["days_held"] == (DELETED - traps.posted_at(GONE).date()).days


def test_the_tweets_of_the_roster_are_counted_by_month_of_posting(of_ann, of_bob):
    assert (of_ann.tweets, of_ann.posted, of_ann.posted_before) == (3, 1, 2)
    assert (of_bob.tweets, of_bob.posted, of_bob.posted_before) == (3, 1, 1)


def test_the_counts_are_as_of_the_newest_request(of_ann):
    assert of_ann.as_of == traps.midnight(traps.LAST) + timedelta(hours=12)


def test_columns_of_the_roster_are_told_apart_from_the_reports_own(trapped, tmp_path):
    lake = Lake(shutil.copytree(trapped.root, tmp_path / "lake"))
    tweets = pq.read_table(lake.tweets)
    for name in ("text", "impressions", "current", "owned", "rate"):
        tweets = tweets.append_column(name, pa.array([f"{name} of {n}" for n in range(tweets.num_rows)]))
    pq.write_table(tweets, lake.tweets)
    found = figures(lake, "bob", Month(first=date(2026, 1, 1)))
    assert [(row["impressions"] > 0, row["roster_impressions"][:14]) for row in found.top] == 3 * [
        (True, "impressions of")
    ]
    assert {row["roster_text"][:7] for row in found.top} == {"text of"}


@pytest.fixture(scope="module")
def two_months(tmp_path_factory):
    """A lake of one Tweet: a February of 10 views a day and a March of 15, and nothing of the day of its posting."""
    lake = Lake(tmp_path_factory.mktemp("whole") / "lake")
    tweet = traps.tweet(2025, 1, 31, 12)
    now = datetime(2025, 4, 1, 2, tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        traps.save_tweets(lake, {tweet: "ann"})
        for number, (first, last) in enumerate([("02-01", "02-28"), ("03-01", "03-28"), ("03-29", "03-31")]):
            window = Window(date.fromisoformat(f"2025-{first}"), date.fromisoformat(f"2025-{last}"))
            seen = 10 if number == 0 else 15
            cells = {
                (tweet, name, day, hour): (seen if name == "impressions" else 3) * (hour == 0)
                for name in ("engagements", "impressions")
                for day in window.days()
                for hour in range(24)
            }
            pulled(lake, cells, now + timedelta(minutes=number), window=window, types=("engagements", "impressions"))
        publish_pulls(lake)
    return lake


@pytest.fixture(scope="module")
def whole(two_months):
    return figures(two_months, "ann", Month(first=date(2025, 3, 1)))


def test_a_tweet_without_its_first_hours_is_in_no_curve(two_months):
    found = figures(two_months, "ann", Month(first=date(2025, 2, 1)))
    assert (found.posted_before, found.complete, found.ages) == (1, 28, [])


def test_between_two_whole_months_the_change_is_that_of_the_mean_day(whole):
    told = {row["metric"]: (row["total"], row["before"], row["change"]) for row in whole.sums}
    assert whole.comparable
    assert told["impressions"] == (31 * 15, 28 * 10, pytest.approx(0.5))
    assert told["engagements"] == (31 * 3, 28 * 3, pytest.approx(0))  # three more days are no growth
    assert told["url_clicks"] == (None, None, None)


def test_the_change_of_a_rate_is_in_points(whole):
    (row,) = (row for row in whole.rates if row["rate"] == "engagement_rate")
    assert (row["value"], row["before"]) == (pytest.approx(0.2), pytest.approx(0.3))
    assert row["change"] == pytest.approx(-0.1)


def test_an_empty_lake_has_no_figures(lake):
    found = figures(Lake(lake), "ann", Month(first=date(2026, 1, 1)))
    assert (found.tweets, found.as_of, found.complete) == (0, None, 0)
    assert not [*found.days, *found.before, *found.top, *found.hours, *found.ages, *found.trust, *found.missing]


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2024-02-01", "2024-02-29", "2024-01-01"),
        ("2026-01-01", "2026-01-31", "2025-12-01"),
        ("9999-12-01", "9999-12-31", "9999-11-01"),
    ],
)
def test_a_month_knows_its_last_day_and_the_month_before(first, last, before):
    month = Month(first=date.fromisoformat(first))
    assert (str(month.last), str(month.before.first)) == (last, before)
    assert (str(month.days[0]), str(month.days[-1])) == (first, last)
