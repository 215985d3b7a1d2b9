"""What the code location borrows from inside Dagster is there in the shape that it uses: each failure names one thing.

After an upgrade of Dagster, read again what fails here, mend assets/dagster_internals.py, and write the version there.
"""

import ast
import importlib
import inspect
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from processes import CLONE

from assets import dagster_internals
from engagement_pipeline.core import orchestration

PRIVATE = ("dagster._", "dagster_shared")
HOME = CLONE / "assets" / "dagster_internals.py"
EVENT = dg.DagsterEvent
CHECKED = dg.AssetCheckExecutionContext


def borrowed(path):
    """Return the names that a file imports from private modules of Dagster, as module and name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PRIVATE):
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.startswith(PRIVATE))


NAMES = dict(sorted((name, module) for module, name in borrowed(HOME)))
# The fields of each class that are written or read.
SHAPES = {
    "AssetCheckEvaluationTargetMaterializationData": {"storage_id", "run_id", "timestamp"},
    "JobFailureData": {"error", "failure_reason"},
    "SerializableErrorInfo": {"message", "cls_name", "cause", "context"},
}


def look_up(name):
    return getattr(importlib.import_module(NAMES[name]), name)


@pytest.mark.parametrize("path", sorted((CLONE / "assets").glob("*.py")), ids=lambda path: path.name)
def test_one_file_alone_imports_private_modules(path):
    assert path == HOME or list(borrowed(path)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_borrowed_name_is_where_it_was(name):
    assert look_up(name)


@pytest.mark.parametrize("name", SHAPES)
def test_a_borrowed_class_has_the_fields_that_are_used(name):
    cls = look_up(name)
    assert SHAPES[name] <= {*dir(cls), *inspect.get_annotations(cls)}


def test_a_lost_process_is_a_reason_of_failure():
    assert look_up("RunFailureReason").UNEXPECTED_TERMINATION.value == "UNEXPECTED_TERMINATION"


def test_the_error_of_a_blocking_check_is_one_of_dagsters():
    assert issubclass(look_up("DagsterAssetCheckFailedError"), dg.DagsterError)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRPC_INFO_TAG", ".dagster/grpc_info"),
        ("MAX_RUNTIME_SECONDS_TAG", "dagster/max_runtime"),
        ("PARENT_RUN_ID_TAG", "dagster/parent_run_id"),
        ("PARTITION_NAME_TAG", "dagster/partition"),
        ("PRIORITY_TAG", "dagster/priority"),
        ("WILL_RETRY_TAG", "dagster/will_retry"),
    ],
)
def test_a_tag_is_spelled_as_on_the_runs_that_are_stored(name, value):
    assert look_up(name) == value


@pytest.mark.parametrize("name", ["RANGE_START", "RANGE_END"])
def test_the_library_spells_the_tags_of_a_range_as_dagster_does(name):
    tags = importlib.import_module("dagster._core.storage.tags")
    assert getattr(orchestration, name) == getattr(tags, f"ASSET_PARTITION_{name}_TAG")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("optimize_for_webserver", ["statement_timeout", "pool_recycle", "max_overflow"]),
        ("get_latest_storage_id_by_partition", ["asset_key", "event_type", "partitions"]),
        ("report_run_failed", ["dagster_run", "message", "job_failure_data"]),
        ("report_run_canceled", ["dagster_run", "message"]),
    ],
)
def test_the_instance_takes_a_call_as_it_is_made(name, arguments):
    assert [*inspect.signature(getattr(dg.DagsterInstance, name)).parameters][1 : len(arguments) + 1] == arguments


@pytest.fixture
def new_run(queueing):
    """Return a function that gives a run of the instance `queueing`, which stores events in SQLite."""
    return lambda: queueing.create_run_for_job(dg.GraphDefinition("empty").to_job())


def test_the_events_of_a_run_open_none_of_sqlites_files_again(queueing, new_run, monkeypatch):
    run = new_run()
    dagster_internals.keep_connections(queueing, run)
    made = []
    monkeypatch.setattr(sqlite_event_log, "create_engine", lambda *_, **__: made.append("an engine"))
    queueing.report_engine_event("in the run's file", run)
    queueing.report_run_canceling(run)  # in the index too
    assert made == []


def test_no_event_of_a_run_waits_for_the_disk(queueing, new_run):
    run = new_run()
    dagster_internals.keep_connections(queueing, run)
    for shard in (run.run_id, sqlite_event_log.INDEX_SHARD_NAME):
        with queueing.event_log_storage._connect(shard) as connection:
            asked = [connection.exec_driver_sql(f"pragma {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert asked == ["wal", 1]  # the log is written at once, and synced when it is moved into the file


def test_a_further_call_for_a_run_keeps_nothing_more(queueing, new_run):
    run = new_run()
    dagster_internals.keep_connections(queueing, run)
    kept = queueing.event_log_storage._connect
    dagster_internals.keep_connections(queueing, run)
    assert queueing.event_log_storage._connect is kept


@pytest.mark.parametrize("place", [0, 1])
def test_each_run_has_its_own_events_while_connections_are_kept(queueing, new_run, place):
    runs = [new_run(), new_run()]
    dagster_internals.keep_connections(queueing, runs[0])
    queueing.report_engine_event("seen", runs[place])
    told = [[event.dagster_event.message for event in queueing.all_logs(run.run_id)] for run in runs]
    assert ["seen" in messages for messages in told] == [place == 0, place == 1]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((EVENT, f"{kind}_data") for kind in ("step_failure", "job_failure", "engine_event")),
        *((EVENT, f"asset_check_{kind}_data") for kind in ("planned", "evaluation")),
        (EVENT, "is_run_failure"),
        (CHECKED, "op_execution_context"),
        (dg.OpExecutionContext, "selected_output_names"),
    ],
)
def test_an_attribute_without_a_promise_is_there(owner, name):
    assert isinstance(getattr(owner, name), property)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("dagster._core.instance.methods.event_methods", "This run has been marked as failed from outside"),
        ("dagster._daemon.monitoring.run_monitoring", "This job is being forcibly marked as failed"),
        ("dagster._core.events", "Execution of run for "),
        ("dagster._grpc.server", "DagsterApiServer"),
    ],
)
def test_the_words_that_are_looked_for_are_those_that_dagster_says(module, words):
    """The last is the name in front of the server's notes."""
    assert words in HOME.read_text(encoding="utf-8")
    assert words in Path(importlib.import_module(module).__file__).read_text(encoding="utf-8")
