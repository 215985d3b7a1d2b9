"""deploy/dagster.yaml under Dagster's own queue and monitor: who may start beside whom, and what ends a dead run."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
import yaml
from code_location import DAYS, POOL, load_definitions
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from processes import CLONE

from assets import orphans
from engagement_pipeline.core import orchestration

QUEUED, STARTED, FAILURE = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
BACKFILL = {"dagster/backfill": "abcdefgh"}
AHEAD = {"dagster/priority": "10"}  # as the schedules say
LAUNCHED = {GRPC_INFO_TAG: '{"host": "127.0.0.1", "port": 4266}'}  # what Dagster's launcher leaves on a run
FOUR_HOURS = 14_400
HERE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("engagement"), "__repository__")


@pytest.fixture
def instance(queueing):
    """The instance of deploy/dagster.yaml, in place of one in memory."""
    return queueing


@pytest.fixture
def queue(instance):
    """Return a function that queues a run of a job of the project, and gives its ID."""
    definitions = load_definitions()

    def add(job, tags=None, *, status=QUEUED, only=None) -> str:
        definition = definitions.resolve_job_def(job)
        if only:
            definition = definition.get_subset(asset_selection={dg.AssetKey(only)})
        origin = RemoteJobOrigin(HERE, job)
        return instance.create_run_for_job(definition, tags=tags, status=status, remote_job_origin=origin).run_id

    return add


def to_start(instance):
    """Return the IDs of the queued runs that Dagster would start at one look at its queue."""
    with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
        runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), fixed_iteration_time=None)
    return [run.run_id for run in runs]


def test_of_a_backfill_one_run_starts_even_at_the_first_look_at_the_queue(instance, queue):
    """Dagster makes the pool while it looks, too late to count by it; so the tag holds these back."""
    queued = [queue("daily", BACKFILL) for _ in range(4)]
    assert to_start(instance) == queued[:1]


def test_the_pool_alone_would_let_them_all_start_at_the_first_look(instance, queue):
    """Runs of several schedules for example, which no tag joins: why the pool is made before the start."""
    queued = [queue("daily") for _ in range(4)]
    assert to_start(instance) == queued
    assert to_start(instance) == queued[:1]


def test_once_the_pool_is_made_a_scheduled_run_goes_first_and_alone(instance, queue):
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    for _ in range(4):
        queue("daily", BACKFILL)
    daily = queue("daily", AHEAD)
    queue("hourly", AHEAD)
    assert to_start(instance) == [daily]


def test_a_run_that_asks_waits_for_the_one_that_is_asking(instance, queue):
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    queue("daily", BACKFILL, status=STARTED)
    queue("daily", AHEAD)
    queue("hourly", AHEAD)
    queue("daily", BACKFILL)
    assert to_start(instance) == []


def test_a_run_that_asks_nothing_waits_for_nobody(instance, queue):
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    queue("daily", BACKFILL, status=STARTED)
    queue("daily", AHEAD)
    views = queue("daily", only="catalog")
    assert to_start(instance) == [views]


def look_after(instance, seconds, monkeypatch):
    """Let Dagster's monitor look at the runs so many seconds from now."""
    module = "dagster._daemon.monitoring.run_monitoring"
    now = datetime.now(UTC).timestamp() + seconds
    monkeypatch.setattr(f"{module}.get_current_timestamp", lambda: now)
    workspace = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    assert not any(execute_run_monitoring_iteration(workspace, logging.getLogger("dagster")))


@pytest.fixture
def dead(instance, queue):
    """The ID of a run that started and whose processes are gone, unseen."""
    run_id = queue("daily", BACKFILL)
    run = instance.get_run_by_id(run_id)
    for event in (dg.DagsterEventType.PIPELINE_STARTING, dg.DagsterEventType.PIPELINE_START):
        instance.report_dagster_event(dg.DagsterEvent(event.value, run.job_name), run_id)
    assert instance.get_run_by_id(run_id).status == STARTED
    return run_id


def test_a_run_whose_machine_died_gives_the_pool_back_after_four_hours(instance, queue, dead, monkeypatch):
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    waits = queue("daily", AHEAD)
    look_after(instance, FOUR_HOURS - 60, monkeypatch)
    assert to_start(instance) == []
    look_after(instance, FOUR_HOURS + 60, monkeypatch)
    assert instance.get_run_by_id(dead).status == FAILURE
    assert to_start(instance) == [waits]


def test_a_run_whose_machine_died_is_tried_again_once(instance, dead, monkeypatch):
    look_after(instance, FOUR_HOURS + 60, monkeypatch)
    assert instance.get_run_by_id(dead).tags["dagster/will_retry"] == "true"
    assert instance.run_retries_max_retries == 1


def end_orphans(instance):
    """Start the code location anew, and let its sensor look; return the runs that have lost their process."""
    marked = orphans.mark(instance)
    with dg.build_sensor_context(instance=instance) as context:
        orphans.orphaned_runs(context)
    return marked


def test_at_the_start_of_the_code_location_a_run_that_it_left_behind_gives_the_pool_back(instance, queue, dead):
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    waits = queue("daily", AHEAD)
    assert end_orphans(instance) == []  # started by something else, which may be alive
    assert to_start(instance) == []
    instance.add_run_tags(dead, LAUNCHED)
    assert end_orphans(instance) == [dead]
    run = instance.get_run_by_id(dead)
    assert (run.status, run.tags["dagster/will_retry"]) == (FAILURE, "true")
    assert to_start(instance) == [waits]
    assert end_orphans(instance) == []


def test_a_run_that_the_code_location_launched_since_it_started_is_left_alone(instance, dead):
    instance.add_run_tags(dead, LAUNCHED)
    with dg.build_sensor_context(instance=instance) as context:
        orphans.orphaned_runs(context)
    assert instance.get_run_by_id(dead).status == STARTED


def test_its_second_try_takes_its_tags_over_and_is_left_alone(instance, queue, dead):
    instance.add_run_tags(dead, LAUNCHED)
    assert end_orphans(instance) == [dead]
    again = queue("daily", instance.get_run_by_id(dead).tags, status=STARTED)
    with dg.build_sensor_context(instance=instance) as context:
        orphans.orphaned_runs(context)
    assert instance.get_run_by_id(again).status == STARTED


def test_what_somebody_cancelled_before_the_machine_died_is_not_tried_again(instance, dead):
    instance.add_run_tags(dead, LAUNCHED)
    instance.report_run_canceling(instance.get_run_by_id(dead))
    assert end_orphans(instance) == [dead]
    run = instance.get_run_by_id(dead)
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert "dagster/will_retry" not in run.tags


def test_a_run_that_is_due_while_the_code_location_starts_anew_waits_for_it(instance, queue, monkeypatch):
    def unreachable(context):
        raise DagsterUserCodeUnreachableError("no answer")

    run = instance.get_run_by_id(queue("daily", AHEAD))
    instance.report_dagster_event(dg.DagsterEvent.job_enqueue(run), run.run_id)
    monkeypatch.setattr(instance.run_launcher, "launch_run", unreachable)
    limits = instance.get_concurrency_config()
    with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
        assert not daemon._dequeue_run(instance, None, run, limits, fixed_iteration_time=None)
        assert instance.get_run_by_id(run.run_id).status == QUEUED
    assert limits.run_queue_config.tag_concurrency_limits  # which stand elsewhere in the file


def test_a_run_in_which_an_asset_failed_is_not_tried_again(instance, in_world):
    in_world.accounts.unlink()
    job = load_definitions().resolve_job_def("daily")
    result = job.execute_in_process(instance=instance, partition_key=DAYS[-1], raise_on_error=False)
    assert not result.success
    assert instance.get_run_by_id(result.run_id).tags["dagster/will_retry"] == "false"


def test_each_job_and_the_one_behind_the_asset_page_runs_in_one_process():
    definitions = load_definitions()
    jobs = ["sync_roster", "daily", "lifetime", "hourly", "history", "rebuild", "rebuild_months", "show", "__ASSET_JOB"]
    assert {definitions.resolve_job_def(job).executor_def.name for job in jobs} == {"in_process"}


def test_the_commands_that_make_the_pool_name_the_one_of_the_assets():
    for page in ("containers.md", "dagster.md", "operations.md"):
        text = (CLONE / "docs" / page).read_text(encoding="utf-8")
        assert f"dagster instance concurrency set {orchestration.API_POOL} 1\n" in text


@pytest.mark.parametrize("home", ["deploy", "deploy/systemd"])
def test_dagster_ends_a_run_when_the_library_takes_it_for_over(home):
    instance = yaml.safe_load((CLONE / home / "dagster.yaml").read_text(encoding="utf-8"))
    assert timedelta(seconds=instance["run_monitoring"]["max_runtime_seconds"]) == orchestration.MAX_RUNTIME
