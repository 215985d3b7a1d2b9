"""While the API is down, runs wait and try again, and nobody need do anything."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from code_location import FEW, RANGE_END, RANGE_START, failures
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.orchestration import MAX_RUNTIME, OUTAGE_PAUSE
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

RETRIED = dg.DagsterEventType.STEP_UP_FOR_RETRY
DAYS = {RANGE_START: FEW[0], RANGE_END: FEW[-1]}
HERE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("engagement"), "__repository__")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def runs(definitions):
    """The module of the code location that decides about another try."""
    import assets.runs  # noqa: PLC0415 - as `definitions` has imported it

    return assets.runs


@pytest.fixture
def short_outage(in_world, runs, monkeypatch):
    """Have the API down until a run has decided to try again, which it does at once."""
    in_world.emulator.faults.set(status_503=1)

    def ends(*_, **__):
        in_world.emulator.faults.reset()
        return True

    monkeypatch.setattr(runs, "OUTAGE_PAUSE", timedelta(0))
    monkeypatch.setattr(runs, "_has_time", ends)


@pytest.mark.usefixtures("short_outage")
@pytest.mark.parametrize(("job", "view"), [("daily", "engagements"), ("lifetime", "totals"), ("hourly", "recent")])
def test_a_run_that_met_an_outage_tries_again_by_itself(in_world, definitions, instance, job, view):
    tags = DAYS if job == "daily" else {}
    result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert len([event for event in result.all_events if event.event_type == RETRIED]) == 1
    assert result.success or job == "hourly"  # its check finds days missing
    rows = catalog.query(Lake(in_world.lake), f"select count(distinct tweet_id) as n from {view}")
    assert rows["n"].to_pylist() == [6]


def test_what_fails_beside_an_outage_is_not_tried_again(in_world, definitions, instance):
    in_world.emulator.faults.set(app_not_approved=True)
    job = definitions.resolve_job_def("daily")
    result = job.execute_in_process(instance=instance, tags=DAYS, raise_on_error=False)
    assert not result.success
    assert [event for event in result.all_events if event.event_type == RETRIED] == []


def test_an_outage_that_lasts_too_long_fails_the_run_in_one_line(in_world, definitions, instance, runs, monkeypatch):
    in_world.emulator.faults.set(status_503=1)
    monkeypatch.setattr(runs, "_has_time", lambda *_, **__: False)
    job = definitions.resolve_job_def("lifetime")
    (failure,) = failures(job.execute_in_process(instance=instance, raise_on_error=False))
    assert "answered 503" in failure
    assert "0 min" not in failure


@pytest.mark.parametrize(
    ("endpoint", "now", "tried", "again"),
    [
        (TOTALS, NOON, 1, True),
        (TOTALS, NOON, 30, True),
        (TOTALS, NOON.replace(hour=23, minute=54), 1, True),
        (TOTALS, NOON.replace(hour=23, minute=55), 1, False),  # the pause would end on the next day
        (RECENT, NOON.replace(minute=54), 1, True),
        (RECENT, NOON.replace(minute=55), 1, False),
        (HISTORICAL, NOON, 11, True),
        (HISTORICAL, NOON, 12, False),
    ],
)
def test_there_is_time_for_another_try_until_the_day_the_hour_or_the_run_is_over(runs, endpoint, now, tried, again):
    assert runs._has_time(settings.Settings(), endpoint, tried=tried, now=now) == again


def test_the_tries_of_a_run_end_before_the_run_must():
    tries = next(n for n in range(1, 100) if n * (timedelta(minutes=15) + OUTAGE_PAUSE) + OUTAGE_PAUSE >= MAX_RUNTIME)
    assert tries * timedelta(minutes=15) + (tries - 1) * OUTAGE_PAUSE < MAX_RUNTIME
    assert tries * timedelta(minutes=15) > timedelta(hours=1)


def test_a_run_of_lifetime_may_take_the_whole_day(definitions):
    assert definitions.resolve_job_def("lifetime").tags["dagster/max_runtime"] == "86400"


@pytest.mark.parametrize("status", ["QUEUED", "STARTED"])
def test_hours_that_an_outage_held_up_do_not_pile_up(definitions, instance, status):
    """Each would ask for the same last 28 hours."""
    schedule, job = definitions.resolve_schedule_def("hourly"), definitions.resolve_job_def("hourly")

    def tick():
        context = dg.build_schedule_context()
        context._instance_ref = context._instance = instance  # Dagster hands over none that is in memory
        return schedule(context)

    assert isinstance(tick(), dg.RunRequest)
    origin = RemoteJobOrigin(HERE, "hourly")
    waiting = instance.create_run_for_job(job, status=dg.DagsterRunStatus[status], remote_job_origin=origin)
    assert waiting.run_id in tick().skip_message
    instance.delete_run(waiting.run_id)
    assert isinstance(tick(), dg.RunRequest)
