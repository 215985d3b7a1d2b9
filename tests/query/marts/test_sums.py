"""handle_hourly, daily_wide and tweet_hourly, recomputed from the hours."""

from collections import defaultdict
from datetime import timedelta

import traps
from bodies import at, full, pulled
from traps import OWNERS, posted_at

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

HOUR = timedelta(hours=1)


def test_an_hour_of_a_handle_is_the_sum_over_its_tweets(trapped):
    wanted = defaultdict(list)
    for (tweet_id, kind), counts in traps.hours_of(trapped).items():
        for moment, count in counts.items():
            wanted[OWNERS[tweet_id], kind, moment.date(), moment.hour].append(count)
    found = traps.rows(trapped, "from handle_hourly")
    assert {
        (row["handle"], row["engagement_type"], row["day"], row["hour"]): (row["count"], row["tweets"]) for row in found
    } == {key: (sum(counts), len(counts)) for key, counts in wanted.items()}
    assert len(found) == len(wanted)


def test_the_hours_of_a_tweet_that_the_roster_never_had_are_there_without_a_handle(tmp_path):
    lake = Lake(tmp_path)
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    found = traps.rows(lake, "from handle_hourly where engagement_type = 'impressions' and hour = 0 order by day")
    assert [(row["handle"], row["count"], row["tweets"]) for row in found] == [(None, 5, 1)] * 2


def test_a_day_of_a_tweet_has_each_sum_in_its_column(trapped):
    sums, types = defaultdict(dict), defaultdict(set)
    for row in traps.rows(trapped, "from daily"):
        sums[row["tweet_id"], row["day"]][row["engagement_type"]] = row["count"]
        types[row["tweet_id"], row["day"]].add(row["engagement_type"])
    found = traps.rows(trapped, "from daily_wide")
    assert len(found) == len(sums)
    for row in found:
        key = row["tweet_id"], row["day"]
        assert {name: row[name] for name in HISTORICAL.types} == dict.fromkeys(HISTORICAL.types) | sums[key]
        assert row["types"] == len(types[key])
        assert row["types_of_historical"] == len(types[key] & {"media_engagements", "video_views"})
        assert row["types_of_analytics"] == 0


def test_an_hour_of_a_tweet_has_each_count_in_its_column(trapped):
    wanted = defaultdict(dict)
    for (tweet_id, kind), counts in traps.hours_of(trapped).items():
        for moment, count in counts.items():
            wanted[tweet_id, moment][kind] = count
    found = {(row["tweet_id"], row["hour_at"]): row for row in traps.rows(trapped, "from tweet_hourly")}
    assert found.keys() == wanted.keys()
    for (tweet_id, moment), row in found.items():
        assert (row["day"], row["hour"]) == (moment.date(), moment.hour)
        assert {name: row[name] for name in HISTORICAL.types} == dict.fromkeys(HISTORICAL.types) | wanted[
            tweet_id, moment
        ]
        assert row["handle"] == OWNERS[tweet_id]
        assert row["age_hours"] == (moment - posted_at(tweet_id).replace(minute=0, second=0, microsecond=0)) // HOUR
    assert len(found) == len(traps.rows(trapped, "from tweet_hourly"))


def test_the_hours_of_a_tweet_without_a_known_moment_of_posting_have_no_age(tmp_path):
    lake = Lake(tmp_path)
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    found = traps.rows(lake, "select distinct handle, age_hours, impressions from tweet_hourly")
    assert found == [{"handle": None, "age_hours": None, "impressions": 5}]
