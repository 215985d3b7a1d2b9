"""When runs are asked for: times, missed days that are caught up, and Tweets that come into the roster."""

import importlib
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from code_location import DAYS, load_definitions, metadata, tick
from processes import CLONE

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import next_runs
from engagement_pipeline.query import catalog


def test_each_job_schedule_and_sensor_says_in_the_ui_what_it_does(definitions):
    described = [*definitions.jobs, *definitions.schedules, *definitions.sensors]
    assert len(described) == 20
    assert [each.name for each in described if not each.description] == []


@pytest.mark.parametrize("job", ["sync_roster", "daily", "lifetime", "hourly"])
def test_a_job_builds_on_no_asset_that_it_does_not_make_so_that_the_ui_asks_nothing(definitions, job):
    """If such an asset was never made, Dagster asks "Are you sure?" before it materializes the job."""
    made = definitions.resolve_job_def(job).asset_layer.selected_asset_keys
    graph = definitions.resolve_asset_graph()
    assert {parent for key in made for parent in graph.get(key).parent_keys} <= made


@pytest.mark.parametrize(
    ("schedule", "chosen", "cron"),
    [
        ("sync_roster", "ROSTER_AT=", "30 1 * * *"),
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
    requests = tick(definitions, instance)
    job = definitions.resolve_job_def("daily")
    return [job.execute_in_process(instance=instance, tags=each.tags, raise_on_error=False) for each in requests]


def test_days_that_were_missed_are_caught_up_by_the_next_run(in_world, definitions, instance, monkeypatch):
    """The machine is off for four days; one run fills them, at the requests of one day."""
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "4")
    at(in_world, monkeypatch, "2026-01-28")
    assert all(run.success for run in run_due(definitions, instance))
    assert sorted(metadata(instance, "engagements")) == DAYS[-8:-4]
    asked = len(in_world.emulator.requests)
    at(in_world, monkeypatch, "2026-02-01")
    (run,) = run_due(definitions, instance)
    assert run.success
    assert sorted(metadata(instance, "engagements")) == DAYS[-8:]
    assert len(in_world.emulator.requests) - asked == 3
    rows = catalog.query(Lake(in_world.lake), "select count(distinct day) as n from engagements")
    assert rows["n"].to_pylist() == [8]


def test_after_an_outage_longer_than_the_look_back_the_days_before_it_are_caught_up_too(
    in_world, definitions, instance, monkeypatch
):
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    at(in_world, monkeypatch, "2026-01-27")
    run_due(definitions, instance)
    at(in_world, monkeypatch, "2026-02-01")
    first, second = run_due(definitions, instance)
    assert first.success
    assert second.success
    assert first.dagster_run.tags["dagster/priority"] == "10"
    assert "dagster/priority" not in second.dagster_run.tags
    assert sorted(metadata(instance, "engagements")) == DAYS[-7:]
    assert len(run_due(definitions, instance)) == 1


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
    """31 partitions, of which the daily run filled the last two; and a Tweet that joins, with the sensor's cursor."""
    return join(in_world, monkeypatch, instance, "2026-01-01")


@pytest.fixture
def joined_late(in_world, monkeypatch, instance):
    """The same with eight partitions, where a history in two runs would tell no more, and take seconds."""
    return join(in_world, monkeypatch, instance, DAYS[-8])


def join(in_world, monkeypatch, instance, first_day):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", first_day)
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    definitions = load_definitions()
    assert all(run.success for run in run_due(definitions, instance))
    cursor = look(definitions, instance).cursor
    newcomer = in_world.tweets("harborbooks", 100)[0]
    (in_world.roster.parent / "new.csv").write_text(f"tweet_id,handle\n{newcomer},harborbooks\n")
    return definitions, newcomer, cursor


def run_history(definitions, instance, requests):
    job = definitions.resolve_job_def("history")
    return [
        job.execute_in_process(instance=instance, run_config=each.run_config, raise_on_error=False) for each in requests
    ]


def windows(requests):
    asked = [request.run_config["ops"]["pull_new_tweets"]["config"] for request in requests]
    return [(each["first"], each["last"]) for each in asked]


def test_a_new_file_asks_for_the_history_of_its_tweets_in_runs_of_at_most_28_days(joined, instance):
    definitions, _, cursor = joined
    requests = look(definitions, instance, cursor).run_requests
    assert len(requests) == 2
    assert windows(requests)[-1][1] == DAYS[-1]
    for first, last in windows(requests):
        assert (datetime.fromisoformat(last) - datetime.fromisoformat(first)).days < 28
    assert all("dagster/priority" not in request.tags for request in requests)
    assert len({request.run_key for request in requests}) == 2


def test_such_a_run_asks_for_the_new_tweets_alone(in_world, joined, instance):
    definitions, newcomer, cursor = joined
    before = len(in_world.emulator.requests)
    shortest = look(definitions, instance, cursor).run_requests[-1:]
    (run,) = run_history(definitions, instance, shortest)
    assert run.success
    assert len(in_world.emulator.requests) - before == 1
    sql = f"select day::varchar as day from coverage where endpoint = 'historical' and tweet_id = {newcomer}"
    days = catalog.query(Lake(in_world.lake), f"{sql} order by day")["day"].to_pylist()
    assert days == DAYS[DAYS.index(windows(shortest)[0][0]) :]


def test_a_day_that_only_the_new_tweets_have_stays_missing_and_the_others_show_them(joined_late, instance):
    definitions, _, cursor = joined_late
    shown = metadata(instance, "engagements")
    assert all(
        run.success for run in run_history(definitions, instance, look(definitions, instance, cursor).run_requests)
    )
    now = metadata(instance, "engagements")
    assert now.keys() & {*DAYS} == shown.keys() == {*DAYS[-2:]}  # before those, no other of the roster was posted
    assert [now[day]["tweets"] - shown[day]["tweets"] for day in DAYS[-2:]] == [1, 1]


def test_once_they_ran_the_sensor_asks_for_nothing_more(joined, instance):
    definitions, _, cursor = joined
    seen = look(definitions, instance, cursor)
    assert seen.cursor in {None, cursor}
    run_history(definitions, instance, seen.run_requests)
    again = look(definitions, instance, cursor)
    assert again.run_requests == []
    assert again.cursor != cursor


def test_a_tweet_is_new_since_the_newest_request_whatever_the_machine_s_clock_says(
    in_world, definitions, instance, monkeypatch
):
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    run_due(definitions, instance)
    looked_at = json.loads(look(definitions, instance).cursor)["looked_at"]
    newest = catalog.query(Lake(in_world.lake), "select max(asked_at) as at from requests").to_pylist()[0]["at"]
    assert datetime.fromisoformat(looked_at) == newest


def test_what_failed_is_asked_for_again_the_next_day_and_not_before(in_world, joined_late, instance, monkeypatch):
    definitions, _, cursor = joined_late
    first = look(definitions, instance, cursor).run_requests
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    assert not any(run.success for run in run_history(definitions, instance, first))
    in_world.emulator.faults.reset()
    again = look(definitions, instance, cursor).run_requests
    assert [each.run_key for each in again] == [each.run_key for each in first]  # which Dagster does not run twice
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    module = importlib.import_module("assets.schedules")
    monkeypatch.setattr(
        module, "datetime", SimpleNamespace(now=lambda _: tomorrow, fromisoformat=datetime.fromisoformat)
    )
    later = look(definitions, instance, cursor).run_requests
    assert {each.run_key for each in later}.isdisjoint(each.run_key for each in first)
    assert all(run.success for run in run_history(definitions, instance, later))


def test_before_the_first_pull_all_of_the_roster_is_for_the_daily_run(in_world, definitions, instance):
    cursor = look(definitions, instance).cursor
    (newcomer,) = {*in_world.tweets("harborbooks", 3)} - {*in_world.tweets("harborbooks", 2)}
    in_world.roster.write_text(in_world.roster.read_text() + f"{newcomer},harborbooks\n")
    seen = look(definitions, instance, cursor)
    assert seen.run_requests == []
    assert json.loads(seen.cursor)["files"] != json.loads(cursor)["files"]


def test_a_bad_row_is_said_and_looked_at_again_once_it_is_mended(in_world, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "2")
    run_due(definitions, instance)
    cursor = look(definitions, instance).cursor
    path = in_world.roster.parent / "new.csv"
    path.write_text("tweet_id,handle\nx,harborbooks\n")
    seen = look(definitions, instance, cursor)
    assert seen.skip_message.startswith(f"1 bad row of the roster: {path}:2 tweet_id 'x'")
    assert seen.cursor in {None, cursor}
    (newcomer,) = {*in_world.tweets("harborbooks", 3)} - {*in_world.tweets("harborbooks", 2)}
    path.write_text(f"tweet_id,handle\n{newcomer},harborbooks\n")
    assert look(definitions, instance, cursor).run_requests


def test_dagster_knows_what_the_status_asks_it_for():
    from dagster_graphql.schema import create_schema  # noqa: PLC0415 - it takes a second to import
    from graphql import parse, validate  # noqa: PLC0415

    assert validate(create_schema().graphql_schema, parse(next_runs.QUESTION)) == []
    assert f"location_name: {next_runs.LOCATION}\n" in (CLONE / "workspace.yaml").read_text(encoding="utf-8")
