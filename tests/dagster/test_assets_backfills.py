"""Backfills as the UI launches them, cut into runs by Dagster's own daemon; and runs that end before their time."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import dagster as dg
import pytest
from backfills import LAUNCH
from code_location import FEW, RANGE_END, RANGE_START, load_definitions, run_days
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget, PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_graphql.test.utils import execute_dagster_graphql
from processes import CLONE

from engagement_pipeline.extract import puller
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster's own, of what it calls itself
LOCATION = "engagement"
PATIENCE_SECONDS = 60.0  # for another process; only a broken one uses it up
LAUNCH_RUN = """
mutation Launch($params: ExecutionParams!) {
    launchRun(executionParams: $params) {
        __typename
        ... on PythonError { message }
        ... on LaunchRunSuccess { run { runId } }
    }
}
"""
TERMINATE = """
mutation Terminate($run_id: String!) {
    terminateRun(runId: $run_id) {
        __typename
        ... on PythonError { message }
    }
}
"""
FROM_AN_ASSET = {"assetSelection": [{"path": ["responses"]}]}
FROM_THE_ASSETS = {"assetSelection": [{"path": ["responses"]}, {"path": ["engagements"]}]}
FROM_THE_JOB = {
    "selector": {
        "partitionSetName": "daily_partition_set",
        "repositorySelector": {"repositoryName": "__repository__", "repositoryLocationName": LOCATION},
    }
}


@pytest.fixture
def backfilled(in_world, queueing, monkeypatch):
    """Return a function that launches a backfill of all partitions from a first day on, and gives its runs' ranges."""

    def launch(page, first_day):
        monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", first_day)
        keys = load_definitions().get_assets_def("engagements").partitions_def.get_partition_keys()
        module = LoadableTargetOrigin(module_name="assets.definitions", attribute="defs")
        target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(module, location_name=LOCATION))
        with create_test_daemon_workspace_context(target, queueing) as workspace:
            params = {**page, "partitionNames": keys}
            launched = execute_dagster_graphql(workspace.create_request_context(), LAUNCH, {"params": params})
            (answer,) = launched.data.values()
            assert answer["__typename"] == "LaunchBackfillSuccess", answer
            assert not any(execute_backfill_iteration(workspace, logging.getLogger("dagster.daemon.backfill")))
        runs = queueing.get_runs()
        assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}
        ranges = sorted((run.tags[RANGE_START], run.tags[RANGE_END]) for run in runs)
        return [keys.index(last) - keys.index(first) + 1 for first, last in ranges]

    return launch


@pytest.mark.parametrize("page", [FROM_AN_ASSET, FROM_THE_ASSETS, FROM_THE_JOB], ids=["asset", "assets", "job"])
def test_sixty_days_are_three_runs(backfilled, page):
    assert backfilled(page, "2025-12-03") == [28, 28, 4]


@pytest.mark.faults
def test_a_year_is_fourteen_runs(backfilled):
    assert backfilled(FROM_AN_ASSET, "2025-02-01") == [*[28] * 13, 1]


def test_a_cancelled_run_loses_nothing(in_world, definitions, instance, monkeypatch):
    """What has landed, and what is on the wire, is not asked for again by the next run."""
    audit = puller.audit

    def cancelling(*arguments, **named):
        monkeypatch.setattr(puller, "audit", audit)
        instance.report_run_canceling(*instance.get_runs())  # as Dagster does for the button in its UI
        signal.raise_signal(signal.SIGINT)
        return audit(*arguments, **named)

    monkeypatch.setattr(puller, "audit", cancelling)
    run_days(definitions, instance)
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED]
    assert run_days(definitions, instance).success
    asked = [tweet for request in in_world.emulator.requests for tweet in request.tweet_ids]
    assert len(asked) == len(set(asked)) == 6


def until(true):
    ends = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def assert_asked_once(in_world):
    answered = [tweet for asked in in_world.emulator.requests if asked.status == 200 for tweet in asked.tweet_ids]
    assert len(answered) == len(set(answered)) == 6


def test_a_run_whose_process_is_killed_loses_nothing(in_world, definitions, instance):
    """Each third request is held back, so the run is killed when the others have landed, however fast it is."""
    in_world.emulator.faults.set(slow=3, slow_seconds=3600)
    tags = json.dumps({RANGE_START: FEW[0], RANGE_END: FEW[-1]})
    run = ["job", "execute", "--job", "daily", "--tags", tags, "--python-file", "assets/definitions.py"]
    environment = os.environ | {"DAGSTER_HOME": str(in_world.root)}
    with subprocess.Popen(
        [sys.executable, "-m", "dagster", *run],
        cwd=CLONE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: len([*in_world.lake.glob("raw/*/*/*/*.zst")]) == 2)
        process.kill()
    assert not (in_world.lake / "engagements").exists()

    in_world.emulator.faults.reset()
    assert run_days(definitions, instance).success
    assert_asked_once(in_world)
    rows = "select count(distinct tweet_id) as tweets, count(distinct day) as days from engagements"
    assert catalog.query(Lake(in_world.lake), rows).to_pylist() == [{"tweets": 6, "days": 3}]


@pytest.mark.faults
def test_a_run_that_is_terminated_in_the_ui_ends_and_the_next_goes_on(
    in_world,
    definitions,
    instance,
    queueing,
    monkeypatch,
):
    """Launched, started and ended as the UI and the daemon do it, in a process of its own, without an answer."""
    in_world.emulator.faults.set(slow=1, slow_seconds=3600)
    monkeypatch.setenv("ENGAGEMENT_TIMEOUT_SECONDS", "2")
    monkeypatch.setattr(dg.DagsterInstance, "wait_for_local_code_server_processes_on_shutdown", True)
    file = PythonFileTarget(
        python_file=str(CLONE / "assets" / "definitions.py"),
        attribute=None,
        working_directory=str(CLONE),
        location_name=LOCATION,
    )
    with create_test_daemon_workspace_context(file, queueing) as workspace:

        def done(query, answer, **variables):
            found = execute_dagster_graphql(workspace.create_request_context(), query, variables).data
            ((_, told),) = found.items()
            assert told["__typename"] == answer, told
            return told

        tags = [{"key": RANGE_START, "value": FEW[0]}, {"key": RANGE_END, "value": FEW[-1]}]
        selector = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION, "jobName": "daily"}
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
        run_id = done(LAUNCH_RUN, "LaunchRunSuccess", params=params)["run"]["runId"]
        with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
            assert not any(daemon.run_iteration(workspace))
        until(lambda: [*in_world.lake.glob("raw/*/*/*/pull.json")])
        done(TERMINATE, "TerminateRunSuccess", run_id=run_id)
        until(lambda: queueing.get_run_by_id(run_id).is_finished)
    assert queueing.get_run_by_id(run_id).status == dg.DagsterRunStatus.CANCELED
    in_world.emulator.faults.reset()
    assert run_days(definitions, instance).success
    assert_asked_once(in_world)
