"""A machine's clock that is set back: what is pulled then counts as newer all the same, and it is told."""

from datetime import UTC, datetime, timedelta

import pytest
from each_source import LONG
from truth import FIRST, NOW, TWO_TYPES, api_of, assert_true, follow, run

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

RIGHT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SET_BACK = pytest.mark.parametrize("back", [timedelta(minutes=10), timedelta(days=400)], ids=str)


@pytest.fixture
def at_time(world, monkeypatch, each_source):
    """Return a function that pulls and publishes while the machine's clock says a time, and counts are settled or not.

    It returns the Tweets that are followed.
    """
    followed = follow(world, (3, 2, 1))

    def pull(moment, *, settled):
        monkeypatch.setattr(pulling, "_machine_now", lambda: moment)
        world.emulator.world.settle_hours = 0 if settled else 5000
        run(world.settings(types=" ".join(TWO_TYPES), now="", source=each_source))
        return followed["ok"]

    return pull


def ask(world, query):
    return catalog.query(Lake(world.settings().data), query).to_pylist()


def total(world, table):
    return ask(world, f'select sum("count")::bigint as n from {table}')[0]["n"]


@LONG
@SET_BACK
def test_what_is_pulled_after_the_clock_was_set_back_is_newer(world, at_time, back):
    at_time(RIGHT, settled=False)
    tweets = at_time(RIGHT - back, settled=True)
    assert_true(world, tweets, types=TWO_TYPES)
    times = ask(world, "select distinct old_pulled_at < new_pulled_at as later from revisions")
    assert times == [{"later": True}]


@LONG
@SET_BACK
def test_it_is_told_once_a_pull_and_not_once_the_clock_is_right(at_time, caplog, back):
    def told():
        return [line for line in caplog.messages if line.startswith("this machine's clock, or the setting now, says ")]

    at_time(RIGHT, settled=False)
    assert told() == []
    at_time(RIGHT - back, settled=True)
    assert len(told()) == 1
    at_time(RIGHT + timedelta(days=1), settled=True)
    assert len(told()) == 1


@LONG
def test_so_it_is_where_raw_and_the_last_pull_s_answers_are_pruned(world, at_time, each_source):
    at_time(RIGHT, settled=False)
    lake = Lake(world.settings().data).of(each_source)
    retention.drop(lake, retention.spent(lake, before=RIGHT + timedelta(days=1)))
    tweets = at_time(RIGHT - timedelta(days=1), settled=True)
    assert_true(world, tweets, types=TWO_TYPES)


@LONG
def test_the_table_as_of_the_right_time_is_as_it_was_then(world, at_time):
    at_time(RIGHT, settled=False)
    young = total(world, "engagements")
    at_time(RIGHT - timedelta(hours=1), settled=True)
    moment = ask(world, "select max(old_pulled_at)::text as at from revisions")[0]["at"]
    assert total(world, f"engagements_as_of(timestamptz '{moment}')") == young
    assert total(world, "engagements") > young


def test_a_lifetime_that_is_observed_after_the_clock_was_set_back_is_newer(world, monkeypatch):
    follow(world, (1, 0, 0))
    counts = []
    for hours in (0, -1):
        monkeypatch.setattr(pulling, "_machine_now", lambda hours=hours: RIGHT + timedelta(hours=hours))
        world.emulator.world.settle_hours = 0 if hours else 5000
        settings = world.settings(now="")
        pipeline.run(settings, prepare(settings, endpoint=TOTALS))
        counts += ask(world, 'select sum("count")::bigint as n, max(observed_at)::text as at from totals')
    assert counts[0]["n"] < counts[1]["n"]
    assert counts[0]["at"] < counts[1]["at"]


def test_that_a_tweet_vanished_after_the_clock_was_set_back_is_known(world, at_time, each_source):
    (tweet, *_) = at_time(RIGHT, settled=True)
    api_of(world, each_source).faults.set(vanished_tweet_ids=[tweet])
    at_time(RIGHT - timedelta(hours=1), settled=True)
    outcomes = ask(world, f"select distinct outcome from coverage where tweet_id = {tweet} and day = '{FIRST}'")
    assert outcomes == [{"outcome": "unavailable"}]


def test_with_the_setting_now_all_that_is_pulled_bears_its_time(world):
    follow(world, (1, 1, 0))
    settings = world.settings()
    pipeline.run(settings, prepare(settings, endpoint=TOTALS))
    run(settings)
    assert ask(world, "select distinct observed_on::text as day from totals") == [{"day": str(NOW.date())}]
    for table, stamp in (("requests", "asked_at"), ("coverage", "pulled_at"), ("totals", "observed_at")):
        (stamps,) = ask(world, f"select min({stamp}) as first, max({stamp}) as last from {table}")
        assert NOW <= stamps["first"] <= stamps["last"] < NOW + timedelta(seconds=1)
