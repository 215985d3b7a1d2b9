"""The macros of a time zone: local_days, hour_of_week and posting_hours."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import traps
from bodies import pulled
from traps import OWNERS, TYPES, midnight, posted_at

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

HOUR = timedelta(hours=1)
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu")


@pytest.fixture(scope="module")
def hours(trapped):
    return traps.hours_of(trapped)


@pytest.fixture(scope="module")
def pulled_at(trapped):
    return {(row["tweet_id"], row["day"]): row["pulled_at"] for row in traps.rows(trapped, "from tweet_daily")}


def expected(tweet_id, day, zone):
    """Return how many UTC hours begin on a local day, from the hour of posting on."""
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    first = posted_at(tweet_id).replace(minute=0)
    moments = (midnight(begin.date()) + number * HOUR for number in range(72))
    return len([moment for moment in moments if begin <= moment < end and moment >= first])


@pytest.mark.parametrize("name", ZONES)
def test_a_local_day_is_of_the_hours_that_begin_on_it(trapped, hours, pulled_at, name):
    zone, wanted = ZoneInfo(name), defaultdict(lambda: [0, 0, 0])
    for (tweet_id, kind), counts in hours.items():
        for moment, n in counts.items():
            day = moment.astimezone(zone).date()
            sums = wanted[tweet_id, kind, day]
            sums[0] += n
            sums[1] += pulled_at[tweet_id, moment.date()] >= moment + HOUR
            sums[2] += n if (moment + HOUR - timedelta(seconds=1)).astimezone(zone).date() != day else 0
    found = traps.rows(trapped, f"from local_days('{name}')")
    assert len(found) == len(wanted)
    for row in found:
        tweet_id, day = row["tweet_id"], row["local_day"]
        count, measured, straddling = wanted[tweet_id, row["engagement_type"], day]
        assert (row["count"], row["hours_measured"], row["straddling"]) == (count, measured, straddling)
        assert row["straddling_share"] == (straddling / count if count > 0 else None)
        if row["engagement_type"] == TYPES[0]:
            assert row["hours_expected"] == expected(tweet_id, day, zone)
        assert row["complete"] == (row["hours_measured"] == row["hours_expected"])
    assert any(row["straddling"] for row in found) == (name in ("Asia/Kolkata", "Asia/Kathmandu"))


def test_a_day_on_which_clocks_change_has_23_or_25_hours(tmp_path):
    lake = Lake(tmp_path / "lake")
    tweet_id = traps.tweet(2025, 3, 1, 0)
    traps.save_tweets(lake, {tweet_id: "ann"})
    for first in (date(2025, 3, 29), date(2025, 10, 25)):
        window = Window(first, first + timedelta(days=2))
        cells = {(tweet_id, "impressions", day, hour): 1 for day in window.days() for hour in range(24)}
        pulled(lake, cells, midnight(window.end), window=window, types=("impressions",))
        publish_pulls(lake)
    sql = """
        select local_day, count, hours_expected, complete from local_days('Europe/Berlin')
        where local_day in ('2025-03-30', '2025-03-31', '2025-10-26') order by all
    """
    assert [tuple(row.values()) for row in traps.rows(lake, sql)] == [
        (date(2025, 3, 30), 23, 23, True),
        (date(2025, 3, 31), 24, 24, True),
        (date(2025, 10, 26), 25, 25, True),
    ]


@pytest.mark.parametrize("name", ZONES)
def test_an_hour_of_the_week_is_the_mean_of_such_hours_that_have_counts(trapped, hours, name):
    zone, wanted = ZoneInfo(name), defaultdict(lambda: [0, set()])
    for (tweet_id, kind), counts in hours.items():
        for moment, n in counts.items():
            local = moment.astimezone(zone)
            sums = wanted[OWNERS[tweet_id], kind, local.isoweekday(), local.hour]
            sums[0] += n
            sums[1].add(moment)
    found = traps.rows(trapped, f"from hour_of_week('{name}')")
    told = {
        (row["handle"], row["engagement_type"], row["weekday"], row["local_hour"]): (row["count"], row["hours"])
        for row in found
    }
    assert told == {key: (n, len(moments)) for key, (n, moments) in wanted.items()}
    assert all(row["per_hour"] == row["count"] / row["hours"] for row in found)


def test_the_hours_of_posting_have_the_medians_of_the_tweets_that_are_old_enough(trapped):
    zone = ZoneInfo("Asia/Kolkata")
    found = {
        (row["handle"], row["weekday"], row["local_hour"]): row
        for row in traps.rows(trapped, "from posting_hours('Asia/Kolkata')")
    }
    values = {
        row["tweet_id"]: row["after_7_days"]
        for row in traps.rows(trapped, "from tweet_value where engagement_type = 'impressions'")
    }
    for tweet_id, handle in OWNERS.items():
        if handle:
            local, value = posted_at(tweet_id).astimezone(zone), values.get(tweet_id)
            row = found.pop((handle, local.isoweekday(), local.hour))
            told = (row["posted"], row["median_impressions_7_days"], row["n_impressions_7_days"])
            assert told == (1, value, int(value is not None))
    assert found == {}


def test_a_zone_that_there_is_not_is_refused(trapped):
    with pytest.raises(InputError, match="Mars/Olympus"):
        traps.rows(trapped, "from local_days('Mars/Olympus')")
