"""The checks through Dagster's own API: a result a partition, in words, and what a failed one holds back."""

import dagster as dg
import pytest
from code_location import FEW, RANGE_END, RANGE_START, failures, run_days

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import checks, combined

YESTERDAY, DAY, _ = FEW
ENGAGEMENTS = dg.AssetKey("engagements")
NAMES = [group.name for group in combined.GROUPS]
FAILED, SUCCEEDED = "FAILED", "SUCCEEDED"


@pytest.fixture
def lake(in_world):
    """A lake with a few days that were pulled and published, outside of Dagster."""
    chosen = settings.load()
    days = parse_day(FEW[0]), parse_day(FEW[-1])
    assert not pipeline.run(chosen, prepare(chosen, *days)).failure
    return Lake(in_world.lake)


def run_checks(definitions, instance, first=FEW[0], last=FEW[-1]):
    """Run the checks alone, as from the asset's page."""
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={dg.AssetCheckKey(ENGAGEMENTS, name) for name in NAMES}
    )
    return job.execute_in_process(instance=instance, tags={RANGE_START: first, RANGE_END: last}, raise_on_error=False)


def results(instance, name, asset=ENGAGEMENTS):
    """Return the newest status of a check by partition, as the UI shows it, and what was said."""
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(asset, name), limit=1000)
    return {
        record.partition: (record.status.value, record.event.dagster_event.event_specific_data)
        for record in reversed(history)
    }


def states(instance, name):
    return {partition: status for partition, (status, _) in results(instance, name).items()}


def test_a_run_checks_each_of_its_partitions(definitions, instance):
    assert run_days(definitions, instance).success
    for name in NAMES:
        assert states(instance, name) == dict.fromkeys(FEW, SUCCEEDED)


def test_each_result_names_the_materialization_that_was_looked_at(definitions, instance):
    """Without, the UI shows the partition as one that was never checked."""
    run_days(definitions, instance)
    run_days(definitions, instance, first=DAY)
    made = {
        record.partition_key: record.storage_id
        for record in reversed(instance.fetch_materializations(ENGAGEMENTS, limit=100).records)
    }
    for name in NAMES:
        looked_at = {day: told.target_materialization_data for day, (_, told) in results(instance, name).items()}
        assert {day: target.storage_id for day, target in looked_at.items()} == made


def test_each_result_keeps_what_every_check_said(definitions, instance):
    run_days(definitions, instance)
    told = {key: fact.value for name in NAMES for key, fact in results(instance, name)[DAY][1].metadata.items()}
    assert {check.name for check in checks.CHECKS} <= told.keys()
    assert told["key_unique"] == "each Tweet, type and hour has one row at most"


def test_checks_run_alone_find_a_damaged_day_and_pass_once_it_is_mended(in_world, lake, definitions, instance):
    lake.rows(HISTORICAL.table, parse_day(DAY)).write_bytes(b"no parquet")
    assert not run_checks(definitions, instance).success
    status, evaluation = results(instance, "right")[DAY]
    assert status == FAILED
    assert "is damaged" in evaluation.description
    assert states(instance, "right") == dict.fromkeys(FEW, SUCCEEDED) | {DAY: FAILED}
    pipeline.rebuild(in_world.settings(), "engagements", first=parse_day(DAY), last=parse_day(DAY))
    assert run_checks(definitions, instance, first=DAY, last=DAY).success
    assert states(instance, "right") == dict.fromkeys(FEW, SUCCEEDED)


def test_a_blocking_check_that_fails_holds_the_catalog_back(lake, definitions, instance):
    path, yesterday = (lake.rows(HISTORICAL.table, parse_day(day)) for day in (DAY, YESTERDAY))
    path.write_bytes(yesterday.read_bytes())  # rows of another day, in a file that is whole
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={ENGAGEMENTS, dg.AssetKey("catalog")},
        asset_check_selection={dg.AssetCheckKey(ENGAGEMENTS, name) for name in NAMES},
    )
    result = job.execute_in_process(instance=instance, tags={RANGE_START: DAY, RANGE_END: DAY}, raise_on_error=False)
    assert [event.step_key for event in result.get_step_failure_events()] == ["day_checks"]
    assert result.asset_materializations_for_node("catalog") == []
    said = results(instance, "right")[DAY][1]
    assert "rows are of other days" in said.description
    assert (said.blocking, said.severity) == (True, dg.AssetCheckSeverity.ERROR)


def test_a_warning_holds_nothing_back(in_world, lake, definitions, instance, monkeypatch):
    monkeypatch.setattr(checks, "HOURS", "select [1] as hours, 5 as rows, 1 as oldest")
    assert run_checks(definitions, instance, first=DAY, last=DAY).success
    status, said = results(instance, "complete")[DAY]
    assert (status, said.severity) == (FAILED, dg.AssetCheckSeverity.WARN)


def test_counts_that_the_newest_answer_left_out_warn_and_hold_nothing_back(
    in_world, lake, definitions, instance, monkeypatch
):
    """Though the check is a blocking one: the counts may be right."""
    row = "1 as tweet_id, 9 as total, 2 as answer_count, 7 as kept_count, ['impressions'] as left_out"
    monkeypatch.setattr(checks, "ANSWERS_APART", f"select {row}")
    assert run_checks(definitions, instance, first=DAY, last=DAY).success
    status, said = results(instance, "right")[DAY]
    assert (status, said.severity) == (FAILED, dg.AssetCheckSeverity.WARN)
    assert "1 sums to 9 here and to 2 in its newest answer, which left out impressions" in said.description


def test_where_one_day_cannot_be_published_the_others_are_checked_all_the_same(lake, definitions, instance):
    lake.rows(HISTORICAL.table, parse_day(DAY)).write_bytes(b"no parquet")
    assert failures(run_days(definitions, instance))
    shown = states(instance, "right")
    assert {day for day, status in shown.items() if status == SUCCEEDED} == {*FEW} - {DAY}


def test_the_hourly_run_says_whether_the_days_are_published(lake, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", str(len(FEW)))
    monkeypatch.setenv("ENGAGEMENT_NOW", "2026-02-01T12:00:00+00:00")  # the daily run is over
    hourly = definitions.resolve_job_def("hourly")
    hourly.execute_in_process(instance=instance)
    assert states(instance, "fresh") == {None: SUCCEEDED}
    lake.coverage(HISTORICAL, parse_day(DAY)).unlink()
    hourly.execute_in_process(instance=instance, raise_on_error=False)
    status, said = results(instance, "fresh")[None]
    assert status == FAILED
    assert said.description.startswith(
        f"Tweets of the roster are missing on 1 of the 3 days to {FEW[-1]}: {DAY}; the next daily"
    )


def test_the_run_says_whether_the_lake_is_whole_and_goes_on_either_way(lake, definitions, instance):
    def said():
        status, evaluation = results(instance, "whole", dg.AssetKey("catalog"))[None]
        return status, evaluation.description

    run_days(definitions, instance)
    assert said() == (SUCCEEDED, "the lake is whole")
    (lake.root / "daily" / "2026-01 copy.parquet").write_bytes(b"")
    assert not failures(run_days(definitions, instance))
    status, words = said()
    assert status == FAILED
    assert "2026-01 copy.parquet is a file that no lake has" in words
    assert "mv -n" in words


@pytest.mark.parametrize(("job", "looks"), [("daily", True), ("lifetime", True), ("hourly", False)])
def test_the_lake_is_looked_over_twice_a_day_and_not_each_hour(definitions, job, looks):
    steps = definitions.resolve_job_def(job).graph.node_dict
    assert ("whole" in steps) is looks


def test_each_check_says_what_it_is_for(definitions):
    specs = {spec.name: spec for checks_def in definitions.asset_checks for spec in checks_def.check_specs}
    assert list(specs) == [*NAMES, "fresh", "whole", "agreement", "window_sums", "spend", "shapes"]
    assert all(spec.description.endswith(".") for spec in specs.values())
    told = "".join(specs[name].description for name in NAMES)
    assert all(f"{check.name}: {check.meaning}" in told for check in checks.CHECKS)
