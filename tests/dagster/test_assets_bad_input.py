"""What cannot be done is one sentence with what to do, where Dagster's UI shows why a run failed."""

import dagster as dg
import pytest
from code_location import DAYS, FEW, RANGE_END, RANGE_START, failures, load_definitions, run_days

BEFORE = "2026-01-03"  # the first partition


def test_a_day_before_the_contracts_horizon(in_world, definitions, instance, monkeypatch):
    said = f"{FEW[0]} is before 2026-01-30, where the API's data begin: start there or later"
    monkeypatch.setenv("ENGAGEMENT_HISTORY_DAYS", "3")
    assert failures(run_days(definitions, instance)) == [said]
    assert in_world.emulator.requests == []


def test_a_day_before_the_first_partition(definitions, instance):
    (said,) = failures(run_days(definitions, instance, BEFORE, BEFORE))
    assert said == (
        f"{BEFORE} is before {DAYS[0]}, the setting first_day: start there or later, or set an earlier first_day and "
        "restart Dagster"
    )


def test_a_day_in_the_future(definitions, instance):
    (said,) = failures(run_days(definitions, instance, FEW[0], "2026-02-05"))
    assert said == f"2026-02-05 is not over yet: {FEW[-1]} is the last whole UTC day, end there"


def test_a_day_in_the_future_of_engagements_alone(definitions, instance):
    assets = [definitions.get_assets_def("engagements")]
    tags = {RANGE_START: "2026-02-05", RANGE_END: "2026-02-05"}
    (said,) = failures(dg.materialize(assets, instance=instance, tags=tags, raise_on_error=False))
    assert said == f"2026-02-05 is not over yet: {FEW[-1]} is the last whole UTC day, end there"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"first": "1"}, "'1' is not a day such as 2026-01-31"),
        ({"since": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"first": "2026-02-05"}, f"2026-02-05 is not over yet: {FEW[-1]} is the last whole UTC day, end there"),
    ],
)
def test_what_new_tweets_lack_typed_by_hand(definitions, instance, config, said):
    chosen = {"first": FEW[0], "last": FEW[-1], "since": "2026-01-01T00:00:00+00:00"} | config
    job = definitions.resolve_job_def("history")
    result = job.execute_in_process(
        instance=instance, run_config={"ops": {"pull_new_tweets": {"config": chosen}}}, raise_on_error=False
    )
    assert failures(result) == [said]


def test_no_day(definitions, instance):
    result = definitions.resolve_job_def("daily").execute_in_process(instance=instance, raise_on_error=False)
    assert failures(result) == ["the run names no day: choose partitions when you launch it, or launch a backfill"]


def test_a_range_the_wrong_way_round(definitions, instance):
    (said,) = failures(run_days(definitions, instance, FEW[1], FEW[0]))
    assert said == f"the first day, {FEW[1]}, is after the last, {FEW[0]}: swap them"


def test_a_day_that_is_none(definitions, instance):
    assert failures(run_days(definitions, instance, "2026-1-5", FEW[0])) == [
        "'2026-1-5' is not a day such as 2026-01-31"
    ]


def test_more_than_28_days_in_a_run_by_hand(in_world, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", BEFORE)
    (said,) = failures(run_days(load_definitions(), instance, BEFORE))
    assert said == (
        f"{BEFORE} to {DAYS[-1]} are 29 days, and a run asks for 28 at most: launch a backfill of these days, which "
        "makes as many runs as they need"
    )
    assert in_world.emulator.requests == []


@pytest.mark.parametrize("job", ["daily", "lifetime", "hourly"])
def test_no_accounts_file(in_world, definitions, instance, job):
    in_world.accounts.unlink()
    tags = {RANGE_START: FEW[0], RANGE_END: FEW[-1]} if job == "daily" else {}
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    said = f"{in_world.accounts} does not exist: engagement init writes one"
    assert said in failures(result)


def test_no_account(in_world, definitions, instance):
    lines = in_world.accounts.read_text().splitlines()
    in_world.accounts.write_text("\n".join(lines[: lines.index("[accounts.harborbooks]")]))
    (said,) = failures(run_days(definitions, instance))
    assert said == f"{in_world.accounts} holds no account yet: run engagement authorize HANDLE for each handle"


@pytest.fixture(params=["file/lake", "/proc/lake"])
def nowhere(request, in_world, monkeypatch):
    """A folder that is the lake's, and cannot be made."""
    (in_world.root / "file").touch()
    lake = in_world.root / request.param
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake))
    return lake


def test_a_lake_that_cannot_be_made(in_world, nowhere, definitions, instance):
    (failure,) = failures(run_days(definitions, instance))
    assert str(nowhere) in failure
    assert failure.endswith("; get permission for it, or name another folder in ENGAGEMENT_DATA")
    assert in_world.emulator.requests == []


def test_a_lake_that_cannot_be_written(in_world, definitions, instance):
    in_world.lake.mkdir()
    (in_world.lake / "raw").touch()
    (failure,) = failures(run_days(definitions, instance))
    assert failure.startswith(f"{in_world.lake}/raw/historical/")
    assert failure.endswith(
        " cannot be used: Not a directory; correct that, then run the same again: what has landed is kept"
    )
