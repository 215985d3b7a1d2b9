"""Tell a person about each failed run, by the settings alert_webhook and alert_mail."""

from collections.abc import Mapping
from itertools import takewhile

import dagster as dg

from assets.dagster_internals import (
    PARENT_RUN_ID_TAG,
    PARTITION_NAME_TAG,
    SERVER,
    WILL_RETRY_TAG,
    WITHOUT_REASON,
    is_failed_check,
    is_interrupt,
    with_causes,
)
from assets.runs import one_line
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import QUERY_INTERRUPTED
from engagement_pipeline.core.orchestration import RANGE_END, RANGE_START
from engagement_pipeline.observe import alert
from engagement_pipeline.transport import accounts

PLANNED = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}
STOPPED = "the run was stopped before its end: the services were stopped, or its process was killed"


@dg.run_failure_sensor(
    name="failure_alert",
    default_status=dg.DefaultSensorStatus.RUNNING,  # the settings are the switch
    description="Tells a person about each failed run. If the message is not accepted, the tick turns red.",
)
@one_line()
def failure_alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Send what a person must know to act. If this raises, Dagster still goes on to the next run.

    No message is sent for a run if its second try has started: if that fails, it gets a message of its own. A second
    try that is only announced may never start, for example without a code location. Nothing would fail then, so the
    first failure is told.
    """
    chosen = settings.load()
    if not alert.is_wanted(chosen):
        return dg.SkipReason("neither alert_webhook nor alert_mail is set")
    run_id = context.dagster_run.run_id
    if again := context.instance.get_runs(dg.RunsFilter(tags={PARENT_RUN_ID_TAG: run_id}), limit=1):
        # No SkipReason: with the message of another run it fails the tick, and Dagster evaluates both runs for ever.
        context.log.info("no message about run %s: it is tried again as %s", run_id, again[0].run_id)
        return None
    accounts.remember(chosen.accounts)  # this process has asked for nothing, so it knows no secret yet
    alert.send(chosen, alert.message(failed_run(context), dagster_url=chosen.dagster_url))
    return None


def failed_run(context: dg.RunFailureSensorContext) -> alert.FailedRun:
    """Read a failed run: its failed assets, its partitions and the first error.

    For a run that died, the assets are those that it did not get to.
    """
    run = context.dagster_run
    return alert.FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        assets=_failed(context) or _left(context),
        partitions=_partitions(run.tags),
        error=_error(context),
        again=run.tags.get(WILL_RETRY_TAG) == "true",
    )


def _events(context: dg.RunFailureSensorContext, kinds: set[dg.DagsterEventType]) -> list[dg.DagsterEvent]:
    """Return the run's events of these kinds, the oldest first."""
    entries = context.instance.all_logs(context.dagster_run.run_id, of_type=kinds)
    return [entry.dagster_event for entry in entries if entry.dagster_event]


def _failed(context: dg.RunFailureSensorContext) -> tuple[str, ...]:
    """Return the assets of the failed steps; for a step of checks, the asset that they check."""
    planned = {
        event.step_key: (event.asset_key or event.asset_check_planned_data.asset_key).to_user_string()
        for event in _events(context, PLANNED)
    }
    steps = [event.step_key for event in context.get_step_failure_events() if event.step_key]
    return tuple(dict.fromkeys(planned.get(step, step) for step in steps))


def _left(context: dg.RunFailureSensorContext) -> tuple[str, ...]:
    """Return the assets that the run planned and did not materialize. If the machine died, no more is known."""
    planned, made = (
        {event.asset_key.to_user_string() for event in _events(context, {kind}) if event.asset_key}
        for kind in (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION)
    )
    return tuple(sorted(planned - made))


def _partitions(tags: Mapping[str, str]) -> str:
    first, last = (tags.get(name, tags.get(PARTITION_NAME_TAG, "")) for name in (RANGE_START, RANGE_END))
    return first if first == last else f"{first} to {last}"


def _error(context: dg.RunFailureSensorContext) -> str:
    """Return what the first failed asset or check said, else the error that stopped the run, else what ended it."""
    failure = context.failure_event
    error = failure.job_failure_data.error if failure.event_specific_data else None
    if steps := context.get_step_failure_events():
        told = steps[0].step_failure_data
        if told.user_failure_data and told.user_failure_data.description:
            return told.user_failure_data.description
        error = told.error
    if error and is_failed_check(error):
        return _failed_checks(context)
    if error and not any(is_interrupt(one) or QUERY_INTERRUPTED in one.message for one in with_causes(error)):
        return (error.cause or error).message
    if failure.message and not failure.message.startswith(WITHOUT_REASON):
        return failure.message
    return _ended_by(context)


def _failed_checks(context: dg.RunFailureSensorContext) -> str:
    """Return the description of the first blocking check that failed, and how many more failed."""
    told = [
        event.asset_check_evaluation_data for event in _events(context, {dg.DagsterEventType.ASSET_CHECK_EVALUATION})
    ]
    first, *more = [
        check for check in told if check.blocking and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    of_day = f" of {first.partition}" if first.partition else ""
    others = f" (and {len(more)} more)" if more else ""
    return f"check {first.check_name}{of_day}{others}: {first.description}"


def _ended_by(context: dg.RunFailureSensorContext) -> str:
    """Return what Dagster noted before it ended the run from outside: the reason, or how the process died."""
    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_FAILURE}
    before = list(takewhile(lambda event: not event.is_run_failure, _events(context, kinds)))
    for event in before:
        if event.event_type == dg.DagsterEventType.RUN_CANCELING and event.message:
            return event.message
    for note in [event for event in before if event.is_engine_event][-1:]:
        if note.engine_event_data.error:
            return note.engine_event_data.error.message
        if note.message and not note.engine_event_data.metadata:  # the notes of a living run have metadata
            return note.message.removeprefix(SERVER)
    return STOPPED
