"""A person is told of each run that failed, by the settings alert_webhook and alert_mail."""

from collections.abc import Mapping

import dagster as dg

from assets.running import RANGE_END, RANGE_START
from engagement_pipeline import alert, settings

PARTITION = "dagster/partition"


@dg.run_failure_sensor(
    name="failure_alert",
    default_status=dg.DefaultSensorStatus.RUNNING,  # who sets alert_webhook need not find a switch too
    description="Tells a person of each run that failed. Where nobody takes the message, the tick turns red.",
)
def failure_alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Send what a person must know to act. Dagster goes on to the next run even where this raises."""
    chosen = settings.load()
    if not alert.is_wanted(chosen):
        return dg.SkipReason("neither alert_webhook nor alert_mail is set")
    alert.send(chosen, alert.message(failed_run(context), dagster_url=chosen.dagster_url))
    return None


def failed_run(context: dg.RunFailureSensorContext) -> alert.FailedRun:
    """Read a failed run: its failed assets, its partitions, and the first error; a run that died has that alone."""
    run = context.dagster_run
    steps = context.get_step_failure_events()
    return alert.FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        assets=tuple(event.step_key for event in steps if event.step_key) or _left(context),
        partitions=_partitions(run.tags),
        error=_error(steps[0]) if steps else context.failure_event.message or "the run ended without a word",
    )


def _left(context: dg.RunFailureSensorContext) -> tuple[str, ...]:
    """Return the assets that the run was to materialize and did not: all that is known of one whose machine died."""
    planned, made = (
        {
            record.asset_key.to_user_string()
            for record in context.instance.get_records_for_run(context.dagster_run.run_id, of_type=kind).records
            if record.asset_key
        }
        for kind in (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION)
    )
    return tuple(sorted(planned - made))


def _partitions(tags: Mapping[str, str]) -> str:
    first, last = (tags.get(name, tags.get(PARTITION, "")) for name in (RANGE_START, RANGE_END))
    return first if first == last else f"{first} to {last}"


def _error(step: dg.DagsterEvent) -> str:
    """Return what the asset said: its Failure's one line, else the error that stopped it."""
    told = step.step_failure_data
    if told.user_failure_data and told.user_failure_data.description:
        return told.user_failure_data.description
    error = told.error.cause or told.error if told.error else None
    return error.message if error else step.message or ""
