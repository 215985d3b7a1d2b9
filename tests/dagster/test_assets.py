"""The Dagster code location, run through Dagster's own API against the emulator."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count

import dagster as dg
import pytest
import yaml
from code_location import (
    DAYS,
    FEW,
    KEYS,
    POOL,
    RANGE_END,
    RANGE_START,
    failures,
    load_definitions,
    metadata,
    run_days,
    tick,
)
from processes import CLONE

from engagement_pipeline.extract.progress import OnceAMinute
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import retention
from engagement_pipeline.query import catalog


def test_definitions_load_with_no_credentials_and_no_lake(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("ENGAGEMENT_ACCOUNTS", str(tmp_path / "none.toml"))
    dg.Definitions.validate_loadable(load_definitions())
    assert not (tmp_path / "none").exists()


def test_one_run_fills_28_partitions_each_with_its_own_numbers(in_world, definitions, instance):
    assert run_days(definitions, instance, first=DAYS[0]).success
    table = catalog.query(
        Lake(in_world.lake), "select day::varchar as day, count(*) as n from engagements group by day order by day"
    )
    rows = dict(zip(*table.to_pydict().values(), strict=True))
    reported = metadata(instance, "engagements")
    assert list(rows) == sorted(reported) == DAYS
    assert {day: reported[day]["dagster/row_count"] for day in DAYS} == rows
    assert {(reported[day]["tweets"], reported[day]["requests"]) for day in DAYS} == {(6, 3)}


def test_the_run_sends_the_planned_requests_and_says_so(in_world, definitions, instance):
    run_days(definitions, instance)
    assert len(in_world.emulator.requests) == 3
    told = metadata(instance, "responses").values()
    assert {(entry["requests"], entry["rows"]) for entry in told} == {(3, 6 * 17 * 24 * len(FEW))}


@pytest.mark.parametrize(
    ("job", "command"),
    [
        ("daily", ["--from", FEW[0], "--to", FEW[-1]]),
        ("lifetime", ["--endpoint", "totals"]),
        ("hourly", ["--endpoint", "28hr"]),
    ],
)
def test_a_run_logs_the_plan_that_the_command_shows(definitions, instance, engagement, job, command):
    tags = {RANGE_START: FEW[0], RANGE_END: FEW[-1]} if job == "daily" else {}
    shown = engagement("plan", *command)[1]
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)
    assert f"the plan:\n{shown.rstrip()}" in [entry.user_message for entry in instance.all_logs(result.run_id)]


@pytest.mark.parametrize("job", ["daily", "hourly"])
def test_a_run_logs_once_a_minute_how_far_it_has_come(definitions, instance, monkeypatch, job):
    """By a clock on which a minute passes between two looks."""
    monkeypatch.setattr("assets.runs.OnceAMinute", partial(OnceAMinute, clock=count(0, 60).__next__))
    tags = {RANGE_START: FEW[0], RANGE_END: FEW[-1]} if job == "daily" else {}
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    told = [line.partition(", ")[0] for line in said if line.startswith("requests answered: ")]
    assert told == [
        "requests answered: 1 of 3 (33 %)",
        "requests answered: 2 of 3 (66 %)",
        "requests answered: 3 of 3 (100 %)",
    ]


def test_a_run_that_cannot_ask_has_said_what_it_would_ask(in_world, definitions, instance):
    in_world.emulator.faults.set(app_not_approved=True)
    result = run_days(definitions, instance)
    assert not result.success
    assert any(entry.user_message.startswith("the plan:\n") for entry in instance.all_logs(result.run_id))


def test_a_backfill_is_cut_into_runs_of_at_most_28_days(definitions):
    policies = {definitions.get_assets_def(name).backfill_policy for name in ("responses", "engagements")}
    assert policies == {dg.BackfillPolicy.multi_run(max_partitions_per_run=28)}


def test_the_schedule_asks_for_the_trailing_look_back(definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "7")
    assert scheduled(definitions, instance) == ("2026-01-25", "2026-01-31")


def test_the_schedule_does_not_go_behind_the_first_day(definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-01-30")
    assert scheduled(definitions, instance) == ("2026-01-30", "2026-01-31")


def scheduled(definitions, instance):
    (request,) = tick(definitions, instance)
    return request.tags[RANGE_START], request.tags[RANGE_END]


def test_a_fixed_now_has_no_later_partitions(definitions):
    partitions = definitions.get_assets_def("responses").partitions_def
    assert partitions.get_partition_keys()[-1] == str(date(2026, 1, 31))


def test_publishing_a_day_that_nothing_was_pulled_for_says_what_to_do(definitions, instance):
    result = dg.materialize(
        [definitions.get_assets_def("engagements")],
        instance=instance,
        partition_key=DAYS[0],
        raise_on_error=False,
    )
    assert failures(result) == [f"nothing has landed for {DAYS[0]}: materialize responses first"]


def test_days_whose_raw_was_pruned_are_published_and_reported_as_they_are(in_world, definitions, instance):
    """Materialized again alone, without a request."""
    assert run_days(definitions, instance).success
    before, asked = metadata(instance, "engagements"), len(in_world.emulator.requests)
    lake = Lake(in_world.lake)
    retention.drop(lake, retention.spent(lake, before=datetime.now(UTC) + timedelta(days=1)))
    assert not list(lake.raw.glob("*/*"))
    result = dg.materialize(
        [definitions.get_assets_def("engagements")], instance=instance, partition_key=FEW[0], raise_on_error=False
    )
    assert result.success
    rows = ("dagster/row_count", "tweets", "set_aside", "requests")
    after = metadata(instance, "engagements")[FEW[0]]
    assert [after[name] for name in rows] == [before[FEW[0]][name] for name in rows]
    assert len(in_world.emulator.requests) == asked


def test_totals_and_recent_report_what_they_observed(in_world, definitions, instance):
    for job, asset in (("lifetime", "totals"), ("hourly", "recent")):
        assert definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False).success
        (reported,) = metadata(instance, asset).values()
        assert (reported["requests"], reported["tweets"], reported["set_aside"]) == (3, 6, 0)
        lake = Lake(in_world.lake)
        (stored,) = catalog.query(lake, f"select count(distinct tweet_id) as n from {asset}")["n"].to_pylist()
        assert stored == 6


def test_all_that_asks_the_api_shares_a_pool_of_one(definitions):
    pools = {key.to_user_string(): definitions.get_assets_def(key).op.pool for key in KEYS}
    assert pools == {"responses": POOL, "totals": POOL, "recent": POOL, "engagements": None, "catalog": None}
    concurrency = yaml.safe_load((CLONE / "deploy" / "dagster.yaml").read_text())["concurrency"]
    assert concurrency["pools"] == {"granularity": "run", "default_limit": 1}


def test_the_daily_run_goes_ahead_of_queued_backfill_runs(definitions, instance):
    (request,) = tick(definitions, instance)
    assert int(request.tags["dagster/priority"]) > 0


def test_the_schedule_waits_for_the_first_day_to_be_over(definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-02-01")
    assert tick(definitions, instance).skip_message == "first_day, 2026-02-01, is not over yet"


def test_a_revoked_account_fails_the_run_but_what_has_come_is_published(in_world, definitions, instance):
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    (failure,) = failures(run_days(definitions, instance))
    assert failure.startswith("account harborbooks: the API answered 401")
    handles = "select distinct handle from tweets semi join engagements using (tweet_id) order by handle"
    assert catalog.query(Lake(in_world.lake), handles)["handle"].to_pylist() == ["lumenaudio", "tidalcoffee"]


def test_days_on_which_no_tweet_could_be_had_are_published_as_empty(in_world, definitions, instance):
    deleted = in_world.tweets("harborbooks", 2, state="deleted")
    in_world.follow({"harborbooks": deleted})
    assert run_days(definitions, instance).success
    assert {
        (m["dagster/row_count"], m["tweets"], m["set_aside"]) for m in metadata(instance, "engagements").values()
    } == {(0, 0, 2)}
