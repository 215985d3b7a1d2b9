"""Days that Dagster did not pull: it shows the whole ones with their numbers and checks, once, and asks for nothing."""

from datetime import date

import dagster as dg
import pytest
from code_location import FEW, metadata, run_days

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake

FIRST, SECOND, LAST = map(date.fromisoformat, FEW)
UNCHANGED = "no day of the lake has changed since the last look"
ENGAGEMENTS = dg.AssetKey("engagements")


def pull(world, first=FIRST, last=LAST, endpoint=HISTORICAL):
    """Pull as the command line does."""
    settings = world.settings()
    assert not pipeline.run(settings, prepare(settings, first, last, endpoint=endpoint)).failure


def look(definitions, instance, cursor=None):
    """Let the sensor look once."""
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        return definitions.resolve_sensor_def("unshown_days").evaluate_tick(context)


def show(definitions, instance, cursor=None):
    """Let the sensor look, and run what it asks for; return what it answered."""
    seen = look(definitions, instance, cursor)
    job = definitions.resolve_job_def("show")
    assert all(job.execute_in_process(instance=instance, raise_on_error=False).success for _ in seen.run_requests)
    return seen


def verdicts(instance, day):
    """Return the result of each check of a day in the newest run, by name."""
    (run, *_) = instance.get_runs()
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    told = [log.dagster_event.event_specific_data for log in logs]
    return {each.check_name: each for each in told if each.partition == day}


@pytest.fixture
def shown(in_world, definitions, instance):
    """What the sensor answered after three days were pulled on the command line, and the job that it asked for ran."""
    pull(in_world)
    return show(definitions, instance)


def test_days_that_the_command_line_pulled_are_shown_with_the_numbers_that_a_run_shows(
    in_world, shown, definitions, instance
):
    told = metadata(instance, "engagements")
    asked = len(in_world.emulator.requests)
    with dg.DagsterInstance.ephemeral() as other:
        assert run_days(definitions, other).success
        by_run = metadata(other, "engagements")
    assert asked == len(in_world.emulator.requests) - 3  # that run has asked, and showing has not
    assert sorted(told) == FEW
    same = {"dagster/row_count", "tweets", "set_aside", "impressions", "requests"}
    assert [{name: told[day][name] for name in same} for day in FEW] == [
        {name: by_run[day][name] for name in same} for day in FEW
    ]


def test_their_answers_are_shown_too_so_that_nobody_pays_for_them_again(shown, instance):
    assert metadata(instance, "responses") == {day: {"requests": 3, "tweets": 6} for day in FEW}


def test_their_checks_are_shown_as_those_of_the_day_that_is_shown(shown, instance):
    found = verdicts(instance, FEW[1])
    assert found.keys() == {"right", "complete"}
    assert all(each.passed for each in found.values())
    (record,) = instance.fetch_materializations(
        dg.AssetRecordsFilter(ENGAGEMENTS, asset_partitions=[FEW[1]]), limit=5
    ).records
    assert {each.target_materialization_data.storage_id for each in found.values()} == {record.storage_id}


def test_they_are_told_once(shown, definitions, instance):
    again = look(definitions, instance, shown.cursor)
    assert (again.run_requests, again.skip_message) == ([], UNCHANGED)
    without_its_cursor = look(definitions, instance)
    assert without_its_cursor.run_requests == []
    assert without_its_cursor.cursor == shown.cursor


def test_a_second_pull_of_a_day_is_told_anew(in_world, shown, definitions, instance):
    pull(in_world, first=LAST)
    assert len(show(definitions, instance, shown.cursor).run_requests) == 1
    records = instance.fetch_materializations(ENGAGEMENTS, limit=10).records
    assert sorted(record.partition_key for record in records) == [*FEW, FEW[-1]]


def test_what_dagster_pulled_is_not_told_again(definitions, instance):
    assert run_days(definitions, instance).success
    seen = look(definitions, instance)
    assert (seen.run_requests, seen.skip_message) == ([], "Dagster knows all days of the lake as they are")


def test_a_day_that_lacks_tweets_stays_missing_until_it_is_whole(in_world, definitions, instance):
    followed = {"harborbooks": in_world.tweets("harborbooks", 2)}
    in_world.follow(followed)
    pull(in_world, last=SECOND)
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 3)})
    pull(in_world, first=LAST)
    seen = show(definitions, instance)
    assert [*metadata(instance, "engagements")] == [*metadata(instance, "responses")] == [FEW[-1]]
    in_world.follow(followed)
    pull(in_world, first=LAST)
    show(definitions, instance, seen.cursor)
    assert sorted(metadata(instance, "engagements")) == FEW


def test_the_sensor_waits_for_a_run_that_may_tell_the_days_itself(in_world, definitions, instance):
    pull(in_world)
    run = instance.create_run_for_job(definitions.resolve_job_def("daily"), status=dg.DagsterRunStatus.STARTED)
    seen = look(definitions, instance)
    assert seen.skip_message == f"run {run.run_id} has not ended yet, and tells its days itself"
    instance.report_run_failed(run)
    assert len(show(definitions, instance, seen.cursor).run_requests) == 1


def test_days_before_the_first_partition_and_tables_of_other_endpoints_are_left_alone(
    in_world, definitions, instance, monkeypatch
):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", FEW[-1])
    pull(in_world, last=SECOND)
    pull(in_world, endpoint=TOTALS)
    assert look(definitions, instance).run_requests == []


def test_a_damaged_day_fails_the_run_in_words_and_the_others_are_shown(in_world, definitions, instance):
    pull(in_world)
    path = Lake(in_world.lake).rows(HISTORICAL.table, SECOND)
    path.write_bytes(b"no parquet")
    run = definitions.resolve_job_def("show").execute_in_process(instance=instance, raise_on_error=False)
    (event,) = run.get_step_failure_events()
    assert f"{path} is damaged (" in event.step_failure_data.user_failure_data.description
    assert sorted(metadata(instance, "engagements")) == [FEW[0], FEW[-1]]


def test_an_empty_lake_is_looked_at_and_nothing_is_said(definitions, instance):
    assert look(definitions, instance).skip_message == UNCHANGED
