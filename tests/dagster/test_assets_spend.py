"""The limits of a month in Dagster: a run that would cross one fails in one line, unless its tag lets it through."""

import dagster as dg
import pytest
from code_location import FEW, RANGE_END, RANGE_START, failures
from receivers import webhook

from engagement_pipeline.observe import alert

RETRIED = dg.DagsterEventType.STEP_UP_FOR_RETRY
DAYS = {RANGE_START: FEW[0], RANGE_END: FEW[-1]}
JOBS = [("daily", DAYS), ("lifetime", {}), ("hourly", {}), ("sync_roster", {})]


@pytest.fixture
def run(in_world, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "2")
    in_world.emulator.v2.faults.set(timeline_reach=10)

    def execute(job, tags):
        return definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    return execute


@pytest.mark.parametrize(("job", "tags"), JOBS)
def test_a_run_over_a_limit_fails_in_one_line_asks_for_nothing_and_is_not_tried_again(run, in_world, job, tags):
    result = run(job, tags)
    line = failures(result)[0]
    assert "of this month's 2 are left (requests_per_month): nothing is sent. Raise requests_per_month, wait" in line
    assert "\n" not in line
    assert not in_world.emulator.requests
    assert not in_world.emulator.v2.requests
    assert not [event for event in result.all_events if event.event_type == RETRIED]


@pytest.mark.parametrize(("job", "tags"), JOBS)
def test_a_run_with_the_tag_goes_over_the_limits(run, in_world, job, tags):
    assert not any("of this month's" in line for line in failures(run(job, tags | {"engagement/over_budget": "true"})))
    assert len([*in_world.emulator.requests, *in_world.emulator.v2.requests]) > 2


@pytest.mark.parametrize(("job", "tags", "requests"), [("daily", DAYS, 3), ("sync_roster", {}, 99)])
def test_a_run_logs_what_the_month_has_used_and_what_it_adds_before_it_asks(run, instance, job, tags, requests):
    run(job, tags)
    (newest,) = instance.get_runs()
    told = [log.user_message for log in instance.all_logs(newest.run_id)]
    assert any(
        f"  requests   0 + {requests} = {requests} of 2, 0 left, {requests - 2} too many" in text for text in told
    )


def spend(instance):
    """Return what the newest run's check says."""
    (run, *_) = instance.get_runs()
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    told = [log.dagster_event.event_specific_data for log in logs]
    (check,) = [each for each in told if each.check_name == "spend"]
    return check


@pytest.mark.parametrize(("limit", "passes"), [("3", False), ("4", True)])
def test_the_check_warns_from_80_percent_on(run, monkeypatch, instance, limit, passes):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", limit)
    run("lifetime", {})
    check = spend(instance)
    assert (check.passed, check.severity) == (passes, dg.AssetCheckSeverity.WARN)
    assert ("100 % of this month's requests are used: 3 of 3" in check.description) is not passes


def test_a_limit_that_is_near_is_told_once_a_month(run, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "3")
    run("lifetime", {})

    def look(cursor):
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            return definitions.resolve_sensor_def("spend_alert").evaluate_tick(context).cursor or cursor

    assert look(None) is None  # nobody is named
    with webhook() as receiver:
        monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", f"http://127.0.0.1:{receiver.port}/")
        told = look(None)
        assert look(told) == told
        (message,) = receiver.got
        assert message["text"].startswith("engagement-pipeline: 100 % of this month's requests are used: 3 of 3 (requ")
        look(told.replace("2026-02", "2026-01"))
        monkeypatch.setenv("ENGAGEMENT_HANDLES_PER_MONTH", "3")
        assert "handles_per_month" in look(told)
    assert len(receiver.got) == 3


def test_a_message_that_is_refused_turns_the_tick_red_and_is_sent_again(run, definitions, instance, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "3")
    run("lifetime", {})
    with webhook(status=500) as receiver, dg.build_sensor_context(instance=instance) as context:
        monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", f"http://127.0.0.1:{receiver.port}/")
        monkeypatch.setattr(alert, "PAUSE_SECONDS", 0)
        with pytest.raises(dg.Failure):
            definitions.resolve_sensor_def("spend_alert").evaluate_tick(context)
