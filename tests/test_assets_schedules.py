"""When runs are asked for: times, missed days that are caught up, and Tweets that come into the roster."""

import json
from datetime import UTC, datetime

import dagster as dg
import pytest
from test_assets import DAYS, RANGE_END, RANGE_START, load_definitions, metadata

from engagement_pipeline import catalog
from engagement_pipeline.lake import Lake


@pytest.mark.parametrize(
    ("schedule", "chosen", "cron"),
    [
        ("daily", "DAILY_AT=", "30 2 * * *"),
        ("daily", "DAILY_AT=05:07", "7 5 * * *"),
        ("lifetime", "LIFETIME_AT=", "0 3 * * *"),
        ("lifetime", "LIFETIME_AT=23:00", "0 23 * * *"),
        ("hourly", "HOURLY_MINUTE=", "10 * * * *"),
        ("hourly", "HOURLY_MINUTE=0", "0 * * * *"),
    ],
)
def test_the_times_are_settings(in_world, monkeypatch, schedule, chosen, cron):
    monkeypatch.setenv(*f"ENGAGEMENT_{chosen}".split("="))
    definition = load_definitions().resolve_schedule_def(schedule)
    assert (definition.cron_schedule, definition.execution_timezone) == (cron, "UTC")


def at(in_world, monkeypatch, day):
    """Let it be the start of a day, for the API and for the pipeline."""
    now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    in_world.emulator.world.fixed_now = now
    monkeypatch.setenv("ENGAGEMENT_NOW", now.isoformat())


def run_due(definitions, instance):
    """Run what the daily schedule asks for now."""
    schedule = definitions.resolve_schedule_def("daily")
    (request,) = schedule.evaluate_tick(dg.build_schedule_context(instance=instance)).run_requests
    job = definitions.resolve_job_def("daily")
    return job.execute_in_process(instance=instance, tags=request.tags, raise_on_error=False)


def test_days_that_were_missed_are_caught_up_by_the_next_run(in_world, definitions, instance, monkeypatch):
    """The machine is off for four days; one run fills them, at the requests of one day."""
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "4")
    at(in_world, monkeypatch, "2026-01-28")
    assert run_due(definitions, instance).success
    assert sorted(metadata(instance, "engagements")) == DAYS[-8:-4]
    asked = len(in_world.emulator.requests)
    at(in_world, monkeypatch, "2026-02-01")
    assert run_due(definitions, instance).success
    assert sorted(metadata(instance, "engagements")) == DAYS[-8:]
    assert len(in_world.emulator.requests) - asked == 3
    rows = catalog.query(Lake(in_world.lake), "select count(distinct day) as n from engagements")
    assert rows["n"].to_pylist() == [8]


def look(definitions, instance, cursor=None):
    """Let the sensor look once."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return definitions.resolve_sensor_def("new_tweets").evaluate_tick(context)


def test_what_the_roster_holds_when_the_sensor_is_switched_on_is_known(definitions, instance):
    first = look(definitions, instance)
    assert first.run_requests == []
    again = look(definitions, instance, first.cursor)
    assert again.run_requests == []
    assert json.loads(again.cursor)["files"] == json.loads(first.cursor)["files"]
    assert again.skip_message == "no Tweet of a new or changed file of the roster lacks a day"


@pytest.fixture
def joined(in_world, monkeypatch, instance):
    """31 partitions, of which the daily run filled the last two; and what the sensor asks for a Tweet that joins."""
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-01-01")
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    definitions = load_definitions()
    assert run_due(definitions, instance).success
    cursor = look(definitions, instance).cursor
    newcomer = in_world.tweets("harborbooks", 100)[0]
    (in_world.roster.parent / "new.csv").write_text(f"tweet_id,handle\n{newcomer},harborbooks\n")
    return definitions, newcomer, look(definitions, instance, cursor)


def test_a_new_file_asks_for_the_history_of_its_tweets_in_runs_of_at_most_28_days(joined):
    _, _, seen = joined
    assert len(seen.run_requests) == 2
    ranges = [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in seen.run_requests]
    assert ranges[-1][1] == DAYS[-1]
    for first, last in ranges:
        assert (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days < 28
    assert all("dagster/priority" not in request.tags for request in seen.run_requests)
    assert len({request.run_key for request in seen.run_requests}) == len(ranges)


def test_such_a_run_asks_for_the_new_tweets_alone(in_world, joined, instance):
    definitions, newcomer, seen = joined
    before = len(in_world.emulator.requests)
    shortest = seen.run_requests[-1]
    job = definitions.resolve_job_def("daily")
    assert job.execute_in_process(instance=instance, tags=shortest.tags).success
    assert len(in_world.emulator.requests) - before == 1
    sql = f"select day::varchar as day from coverage where endpoint = 'historical' and tweet_id = {newcomer}"
    days = catalog.query(Lake(in_world.lake), f"{sql} order by day")["day"].to_pylist()
    assert days == DAYS[DAYS.index(shortest.tags[RANGE_START]) :]


def test_once_they_ran_the_sensor_asks_for_nothing_more(joined, instance):
    definitions, _, seen = joined
    assert look(definitions, instance, seen.cursor).run_requests == []


def test_a_bad_row_is_said_and_looked_at_again_once_it_is_mended(in_world, definitions, instance):
    cursor = look(definitions, instance).cursor
    path = in_world.roster.parent / "new.csv"
    path.write_text("tweet_id,handle\nx,harborbooks\n")
    seen = look(definitions, instance, cursor)
    assert seen.skip_message.startswith(f"1 bad row of the roster: {path}:2 tweet_id 'x'")
    assert seen.cursor in {None, cursor}
    (newcomer,) = {*in_world.tweets("harborbooks", 3)} - {*in_world.tweets("harborbooks", 2)}
    path.write_text(f"tweet_id,handle\n{newcomer},harborbooks\n")
    assert look(definitions, instance, cursor).run_requests
