"""The asset roster: what a run finds on the timelines, and what it says where one fails."""

import dagster as dg
from code_location import failures

from engagement_pipeline.emulator.world import HANDLES
from engagement_pipeline.extract import roster_synced

REACH = 10  # Posts, so that a timeline is quick to read


def run(definitions, instance):
    return definitions.resolve_job_def("sync_roster").execute_in_process(instance=instance, raise_on_error=False)


def test_a_run_finds_the_tweets_of_all_accounts_and_says_how_many_are_new(in_world, definitions, instance):
    in_world.emulator.v2.faults.set(timeline_reach=REACH)
    assert run(definitions, instance).success
    found = {each.name: roster_synced.known(in_world.settings().tweets, each.name) for each in HANDLES}
    assert all(found.values())
    (record,) = instance.fetch_materializations(dg.AssetKey("roster"), limit=10).records
    told = {name: value.value for name, value in record.asset_materialization.metadata.items()}
    assert told["tweets"] == told["new"] == sum(map(len, found.values()))


def test_a_timeline_that_fails_fails_the_run_in_one_line_and_the_others_are_kept(in_world, definitions, instance):
    in_world.emulator.v2.faults.set(timeline_reach=REACH, revoked_handles=[HANDLES[0].name])
    (line,) = failures(run(definitions, instance))
    assert line.startswith(f"1 of 3 timelines are not read to their end, and what came is kept: {HANDLES[0].name}: ")
    assert roster_synced.known(in_world.settings().tweets, HANDLES[1].name)


def test_the_schedule_is_off_until_somebody_switches_it_on(definitions):
    assert definitions.resolve_schedule_def("sync_roster").default_status == dg.DefaultScheduleStatus.STOPPED
