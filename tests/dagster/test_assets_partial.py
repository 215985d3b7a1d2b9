"""A run of which a part fails, through Dagster's own API: which days are green, which red, and what a repair does."""

import shutil
from datetime import date

import dagster as dg
import pytest
from code_location import DAYS, FEW, RANGE_END, RANGE_START, failures, metadata, run_days
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import is_sound

FIRST, BAD, LAST = map(date.fromisoformat, FEW)
OTHERS = [FEW[0], FEW[-1]]


def states(definitions, instance, asset):
    """Return the partitions of an asset that the UI shows as materialized, and those that it shows as failed."""
    days = definitions.get_assets_def(asset).partitions_def
    cached = get_and_update_asset_status_cache_value(instance, dg.AssetKey(asset), days)
    done = {*cached.deserialize_materialized_partition_subsets(days).get_partition_keys()}
    failed = {*cached.deserialize_failed_partition_subsets(days).get_partition_keys()}
    return sorted(done - failed), sorted(failed)


def words(instance):
    """Return what the checks of the newest run found of each day: name, whether it passed, and its words."""
    found = {}
    for log in instance.all_logs(instance.get_runs()[0].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        told = log.dagster_event.event_specific_data
        found.setdefault(told.partition, []).append((told.check_name, told.passed, told.description))
    return found


@pytest.fixture
def damaged(in_world):
    """The file of one of three days that were pulled and published, damaged since."""
    settings = in_world.settings()
    assert not pipeline.run(settings, prepare(settings, FIRST, LAST)).failure
    path = Lake(in_world.lake).rows(HISTORICAL.table, BAD)
    path.write_bytes(b"no parquet")
    return path


def test_of_eight_days_one_is_damaged_and_seven_are_green_with_their_numbers(damaged, definitions, instance):
    run_days(definitions, instance, first=DAYS[-8])
    others = [day for day in DAYS[-8:] if day != str(BAD)]
    assert states(definitions, instance, "engagements") == (others, [str(BAD)])
    reported = metadata(instance, "engagements")
    assert sorted(reported) == others
    assert {entry["tweets"] for entry in reported.values()} == {6}
    assert all(entry["dagster/row_count"] for entry in reported.values())


def test_the_red_one_has_its_reason_in_words(damaged, definitions, instance):
    (failure,) = failures(run_days(definitions, instance))
    summary, reason = failure.splitlines()
    assert summary == "1 of 3 days failed; the others are done:"
    assert reason.startswith(f"{damaged} is damaged (")
    assert reason.endswith(f": engagement rebuild --from {BAD} --to {BAD} makes it anew from raw")


def test_once_mended_the_failed_day_alone_is_repaired_and_nothing_is_asked_again(
    in_world, damaged, definitions, instance
):
    run_days(definitions, instance)
    asked = len(in_world.emulator.requests)
    damaged.unlink()
    pipeline.rebuild(in_world.settings(), "engagements", first=BAD, last=BAD)
    repair = dg.materialize(
        [definitions.get_assets_def("engagements")], instance=instance, partition_key=str(BAD), raise_on_error=False
    )
    assert repair.success
    assert states(definitions, instance, "engagements") == (FEW, [])
    assert len(in_world.emulator.requests) == asked


def test_re_executed_from_its_failure_a_run_does_what_is_left_and_asks_for_nothing(
    in_world, damaged, definitions, instance
):
    failed = run_days(definitions, instance)
    asked = len(in_world.emulator.requests)
    damaged.unlink()
    pipeline.rebuild(in_world.settings(), "engagements", first=BAD, last=BAD)
    job = ReconstructableRepository.for_module("assets.definitions", "defs").get_reconstructable_job("daily")
    options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    tags = {RANGE_START: FEW[0], RANGE_END: FEW[-1]}  # of the run, as the UI takes them over
    with dg.execute_job(job, instance=instance, reexecution_options=options, tags=tags) as again:
        assert again.success
        steps = {event.step_key for event in again.get_step_success_events()}
        assert steps == {"engagements", "day_checks", "catalog", "whole"}
    assert states(definitions, instance, "engagements") == (FEW, [])
    assert len(in_world.emulator.requests) == asked


def test_the_job_rebuild_mends_a_damaged_day_from_the_ui(in_world, damaged, definitions, instance):
    run_days(definitions, instance)
    asked = len(in_world.emulator.requests)
    rebuild = definitions.resolve_job_def("rebuild").execute_in_process(instance=instance, partition_key=str(BAD))
    assert rebuild.success
    assert states(definitions, instance, "engagements") == (FEW, [])
    assert all(passed for _, passed, _ in words(instance)[str(BAD)])
    assert len(in_world.emulator.requests) == asked


def test_the_job_rebuild_months_makes_the_days_of_a_month_from_raw(in_world, damaged, definitions, instance):
    lake, job = Lake(in_world.lake), definitions.resolve_job_def("rebuild_months")
    assert job.partitions_def.get_partition_keys() == ["2026-01", "2026-02"]
    of_months = [job.execute_in_process(instance=instance, partition_key=month) for month in ("2026-02", "2026-01")]
    assert all(run.success for run in of_months)
    assert is_sound(lake, damaged, HISTORICAL.table)
    assert [len(run.get_step_success_events()) for run in of_months] == [1, 1]


def test_months_that_wait_go_after_all_other_runs(definitions):
    assert definitions.resolve_job_def("rebuild_months").tags["dagster/priority"] == "-1"


def test_a_month_with_rows_that_raw_has_not_fails_and_says_what_to_do(in_world, damaged, definitions, instance):
    shutil.rmtree(Lake(in_world.lake).raw)
    job = definitions.resolve_job_def("rebuild_months")
    failed = job.execute_in_process(instance=instance, partition_key="2026-01", raise_on_error=False)
    (reason,) = failures(failed)
    assert reason == (
        f"rows of 1 day are lost, because only damaged or missing files held them: pull {BAD} to {BAD} again"
    )


def test_a_damaged_day_outside_the_run_is_a_warning_in_its_log(in_world, damaged, definitions, instance):
    """It was pulled by another run, and stays to be published."""
    settings = in_world.settings()
    pulling.pull(settings, prepare(settings, FIRST, LAST))
    result = run_days(definitions, instance, first=FEW[-1])
    assert result.success
    warned = [log.user_message for log in instance.all_logs(result.run_id) if log.level == 30]
    assert [text for text in warned if text.startswith(f"a day outside this run could not be published: {damaged}")]


def test_a_day_that_nothing_was_pulled_for_fails_beside_those_that_were(in_world, definitions, instance):
    settings = in_world.settings()
    pipeline.run(settings, prepare(settings, FIRST, BAD))
    result = dg.materialize(
        [definitions.get_assets_def("engagements")],
        instance=instance,
        tags={RANGE_START: FEW[0], RANGE_END: FEW[-1]},
        raise_on_error=False,
    )
    assert failures(result)[0].splitlines()[1] == f"nothing has landed for {LAST}: materialize responses first"
    assert states(definitions, instance, "engagements") == (FEW[:2], FEW[2:])


def test_a_revoked_account_is_named_with_what_mends_it(in_world, definitions, instance):
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    (failure,) = failures(run_days(definitions, instance))
    assert "account harborbooks" in failure
    assert "engagement authorize harborbooks" in failure
    assert states(definitions, instance, "responses") == ([], FEW)


def test_the_days_of_the_other_accounts_are_published_checked_and_shown_beside_a_revoked_one(
    in_world, definitions, instance
):
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    run_days(definitions, instance)
    assert states(definitions, instance, "engagements") == (FEW, [])
    assert {entry["tweets"] for entry in metadata(instance, "engagements").values()} == {4}
    said = words(instance)
    assert {name for name, passed, _ in said[FEW[0]] if not passed} == {"complete"}
    assert said.keys() == {*FEW}


def test_beside_a_revoked_account_a_day_of_which_nothing_came_is_not_shown_as_there(in_world, definitions, instance):
    in_world.emulator.faults.set(app_not_approved=True)
    run_days(definitions, instance)
    assert states(definitions, instance, "engagements") == ([], FEW)
    assert words(instance) == {}


def test_the_checks_of_a_damaged_day_say_what_is_wrong_with_it(damaged, definitions, instance):
    run_days(definitions, instance)
    failed = [text for _, passed, text in words(instance)[str(BAD)] if not passed]
    of_right, of_complete = failed
    assert of_right.startswith(f"key_unique, schema, audit: {damaged} is damaged (")
    assert of_complete.startswith(f"hours_complete, restated: {damaged} is damaged (")


def test_a_revoked_account_and_a_damaged_day_are_both_told(in_world, damaged, definitions, instance):
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    (failure,) = failures(run_days(definitions, instance))
    assert failure.startswith("account harborbooks")
    assert "and 1 more" in failure
