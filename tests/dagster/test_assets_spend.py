"""The limits of a month in Dagster: a run that would cross one fails in one line, unless its tag lets it through."""

import dagster as dg
import pytest
from code_location import FEW, RANGE_END, RANGE_START, failures

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
