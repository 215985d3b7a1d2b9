"""All that the code location uses from inside Dagster: private names, which any upgrade may change.

Each entry says why the public API is not enough, as read in Dagster 1.13.27. No other file of assets/ imports a private
module of Dagster. After an upgrade, tests/dagster/test_dagster_internals.py names what has changed.
"""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

# The target of an AssetCheckEvaluation. The public AssetCheckResult finds its own, but knows no partition (1.13.27).
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

# An event has only the name of this class if a blocking check stopped a step. The class for interrupts is public
# (1.13.27).
from dagster._core.errors import DagsterAssetCheckFailedError

# The reason of a failure, for the run's tag dagster/failure_reason: only this event data sets it (1.13.27).
from dagster._core.events import JobFailureData, RunFailureReason

# What a launcher tells of a run: RunLauncher is public, and the words of its answer are not (1.13.27).
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

# The storage of events in SQLite, for the places of its files: the instance has only its base class (1.13.27).
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage

# How long it waits for another process that writes: connections that stand in for its own wait as long (1.13.27).
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

# Tags that Dagster sets on runs. Its documentation shows some as text, and none as a constant (1.13.27).
from dagster._core.storage.tags import (
    GRPC_INFO_TAG,
    MAX_RUNTIME_SECONDS_TAG,
    PARENT_RUN_ID_TAG,
    PARTITION_NAME_TAG,
    PRIORITY_TAG,
    WILL_RETRY_TAG,
)

# What an event holds of an exception. Public events carry it, but the class has no public name (1.13.27).
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = [
    "GRPC_INFO_TAG",
    "MAX_RUNTIME_SECONDS_TAG",
    "PARENT_RUN_ID_TAG",
    "PARTITION_NAME_TAG",
    "PRIORITY_TAG",
    "SERVER",
    "WILL_RETRY_TAG",
    "WITHOUT_REASON",
    "CheckRunHealthResult",
    "WorkerStatus",
    "end_lost",
    "is_failed_check",
    "is_interrupt",
    "keep_connections",
    "log_evaluation",
    "newest",
    "no_outputs",
    "with_causes",
]

# Dagster begins so if it does not say why a run failed: such an event has no field for the reason (1.13.27).
WITHOUT_REASON = (
    "This run has been marked as failed from outside",
    "This job is being forcibly marked as failed",
    "Execution of run for ",
)
# The code location's server begins its notes so: the event has no field for its author (1.13.27).
SERVER = "[DagsterApiServer] "
# The runs of each instance that keep their connections already.
_kept: "weakref.WeakKeyDictionary[dg.DagsterInstance, set[str]]" = weakref.WeakKeyDictionary()


def keep_connections(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Let the following events of a run share connections. A new one for each takes as long as all other work.

    PostgreSQL: a connection is kept for a second, so after a restart of the server a new one is made. No setting in
    dagster.yaml does this: only the webserver has options for it. SQLite: Dagster makes an engine for each event. So it
    compiles each statement anew, opens and closes each file with its log, and waits for the disk at each (1.13.27). A
    further call for the same run changes nothing.
    """
    runs = _kept.setdefault(instance, set())
    if run.run_id in runs:
        return
    runs.add(run.run_id)
    instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=1, max_overflow=2)
    if isinstance(instance.event_log_storage, SqliteEventLogStorage):
        _keep_files(instance, instance.event_log_storage, run.run_id)


def _keep_files(instance: dg.DagsterInstance, storage: SqliteEventLogStorage, run_id: str) -> None:
    """Have the storage write into a run's file and the index through one engine each, as long as the instance lives.

    What a power cut can take are the last events of a run, and never the files' order: they have a write-ahead log. The
    run has lost its process too, so it is ended as lost, and the sensor of unshown days reports what it published.
    """
    anew = storage._connect  # noqa: SLF001 - the storage has no setting for it
    engines = {}
    for shard in (run_id, INDEX_SHARD_NAME):
        with anew(shard):  # makes the file, if it is not there yet
            place = storage.conn_string_for_shard(shard)
        engines[shard] = create_engine(place, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
        event.listen(engines[shard], "connect", _sync_at_checkpoints)
        weakref.finalize(instance, engines[shard].dispose)

    @contextmanager
    def connect(shard: str) -> Iterator[Connection]:
        engine = engines.get(shard)
        with engine.begin() if engine else anew(shard) as connection:
            yield connection

    storage._connect = connect  # type: ignore[method-assign]  # noqa: SLF001


def _sync_at_checkpoints(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.cursor().execute("pragma synchronous = normal")


def newest(
    instance: dg.DagsterInstance, asset: dg.AssetKey, days: Iterable[date]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """Return the newest materialization of each of these partitions, as the target of a check's result.

    Without a target, Dagster shows the partition as never checked. The public fetch_materializations cannot return the
    newest of each partition without reading all of them (1.13.27).
    """
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    places = instance.get_latest_storage_id_by_partition(asset, kind, {str(day) for day in days})
    if not places:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(places.values()))
    return {
        record.partition_key: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in instance.fetch_materializations(wanted, limit=len(places)).records
        if record.partition_key
    }


def log_evaluation(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, evaluation: dg.AssetCheckEvaluation
) -> None:
    """Log a check's result from an op. log_event takes it, although its annotation does not say so (1.13.27)."""
    context.log_event(evaluation)  # type: ignore[arg-type]


def no_outputs(context: dg.AssetCheckExecutionContext) -> Iterator[dg.Output[None]]:
    """Yield the outputs that Dagster expects of a step of checks after its results.

    Dagster makes them itself from an AssetCheckResult, but that knows no partition (1.13.27).
    """
    for name in context.op_execution_context.selected_output_names:
        yield dg.Output(None, output_name=name)


def end_lost(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    """End a run without a process: as canceled if somebody asked for that, else as failed, so that it is retried.

    Without a process there is nothing to terminate, and the public API has no other way to end a run (1.13.27).
    """
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        reason = RunFailureReason.UNEXPECTED_TERMINATION
        instance.report_run_failed(run, why, JobFailureData(error=None, failure_reason=reason))


def is_failed_check(error: SerializableErrorInfo) -> bool:
    """Tell whether a blocking check stopped the step. The event has only the name of the error's class (1.13.27)."""
    return error.cls_name == DagsterAssetCheckFailedError.__name__


def is_interrupt(error: SerializableErrorInfo) -> bool:
    """Tell whether a signal stopped the step. The event has only the name of the error's class (1.13.27)."""
    return error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def with_causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """Yield an error and its causes, the outermost first."""
    while error:
        yield error
        error = error.cause or error.context
