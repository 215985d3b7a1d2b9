"""What the assets, ops and checks share: the days of a run, its plan in the log, failures of one line, and outages."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.dagster_internals import PARTITION_NAME_TAG, keep_connections, newest
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import Endpoint
from engagement_pipeline.core.errors import (
    QUERY_INTERRUPTED,
    EngagementError,
    InputError,
    PullError,
    refused_by_system,
)
from engagement_pipeline.core.orchestration import MAX_RUNTIME, OUTAGE_PAUSE, RANGE_END, RANGE_START
from engagement_pipeline.core.redaction import redacted, traceback_of
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.spend import OVER_BUDGET_TAG
from engagement_pipeline.extract import plan_text, planner
from engagement_pipeline.extract.prepare import Prepared
from engagement_pipeline.extract.progress import REQUESTS, OnceAMinute
from engagement_pipeline.observe import combined

ENGAGEMENTS = dg.AssetKey("engagements")
Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


@contextmanager
def one_line() -> Iterator[None]:
    """Show a failure in the UI as one line. The frames that Dagster shows below are its own.

    No secret passes, in whatever exception: Dagster keeps what it is told in its database and its logs. The traceback
    of an unexpected exception is in the metadata of the failure.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):  # which somebody made for Dagster
        raise
    except EngagementError as error:
        raise dg.Failure(redacted(str(error))) from None
    except OSError as error:  # of the disk: an error of the network is an EngagementError
        raise dg.Failure(redacted(refused_by_system(error))) from None
    except Exception as error:
        if QUERY_INTERRUPTED in str(error):  # the run is being stopped, and Dagster takes this for what it is
            raise
        what = redacted(f"{type(error).__name__}: {error}")
        raise dg.Failure(
            f"{what}: a mistake of this program; what has landed is kept",
            metadata={"traceback": dg.MetadataValue.text(traceback_of(error))},
        ) from None


def try_again_later(context: Context, chosen: Settings, failed: PullError, *, endpoint: Endpoint) -> None:
    """Have Dagster try the step again in a while if the API was down; return if that is of no use.

    No retry policy of Dagster's does this: with one, a run that is told to stop would be tried again as well.
    """
    if failed.is_outage and _has_time(chosen, endpoint, tried=context.retry_number + 1, now=datetime.now(UTC)):
        minutes = OUTAGE_PAUSE / timedelta(minutes=1)
        context.log.warning("%s. This run tries again in %d minutes by itself", redacted(str(failed)), minutes)
        raise dg.RetryRequested(max_retries=context.retry_number + 1, seconds_to_wait=OUTAGE_PAUSE.total_seconds())


def _has_time(chosen: Settings, endpoint: Endpoint, *, tried: int, now: datetime) -> bool:
    """Tell whether another try makes sense after the pause.

    The day's last moment ends the tries for /totals, and the hour's those for /28hr: what is asked then is something
    else. The days of /historical can be had later too, so they are tried for as long as a run may take.
    """
    again = now + OUTAGE_PAUSE
    if endpoint.max_days:
        return tried * (timedelta(minutes=chosen.patience()) + OUTAGE_PAUSE) + OUTAGE_PAUSE < MAX_RUNTIME
    if endpoint.period:
        return (again.date(), again.hour) == (now.date(), now.hour)
    return again.date() == now.date()


def log_plan(context: Context, prepared: Sequence[Prepared]) -> None:
    """Write the plan into the run's log before anything is asked, because the contract counts requests."""
    lines = [line for each in prepared for line in plan_text.plan_lines(each)]
    context.log.info("\n".join(["the plan:", *lines, *plan_text.spend_lines(prepared)]))


def over_budget(context: Context) -> bool:
    """Tell whether the run's tags let it go over the limits of the month."""
    return context.run.tags.get(OVER_BUDGET_TAG) == "true"


def log_progress(context: Context) -> OnceAMinute:
    """Return a progress that writes into the run's log, once a minute, how far the pull has come."""
    return OnceAMinute(REQUESTS, context.log.info)


def days_of(context: Context, chosen: Settings) -> list[date]:
    """Return the UTC days of the run's partitions.

    Raises InputError if the run has no partitions, or if some are outside the definition. A range that is typed into
    the launchpad may be wrong, and Dagster itself answers that with a traceback.
    """
    tags = context.run.tags
    ends = [tags.get(name, tags.get(PARTITION_NAME_TAG)) for name in (RANGE_START, RANGE_END)]
    if None in ends:
        raise InputError("the run names no day: choose partitions when you launch it, or launch a backfill")
    try:
        first, last = (parse_day(str(day)) for day in ends)
    except ValueError as error:
        raise InputError(str(error)) from None
    if first < chosen.first_day:
        raise InputError(
            f"{first} is before {chosen.first_day}, the setting first_day: start there or later, or set an earlier "
            "first_day and restart Dagster"
        )
    windows = planner.windows(first, last, last_whole_day=chosen.last_whole_day())
    return [day for window in windows for day in window.days()]


def evaluations(
    context: Context,
    chosen: Settings,
    days: Iterable[date],
    *,
    names: Collection[str] | None = None,
) -> Iterator[dg.AssetCheckEvaluation]:
    """Check each of these days of engagements, and yield a result for each group of checks and partition."""
    asked = list(days)
    keep_connections(context.instance, context.run)
    targets = newest(context.instance, ENGAGEMENTS, asked)
    for finding in combined.of_groups(chosen, asked, names=names):
        yield dg.AssetCheckEvaluation(
            asset_key=ENGAGEMENTS,
            check_name=finding.group.name,
            passed=not finding.failed,
            severity=dg.AssetCheckSeverity.WARN if finding.warns else dg.AssetCheckSeverity.ERROR,
            description=finding.words,
            metadata=finding.facts,
            target_materialization_data=targets.get(str(finding.day)),
            blocking=finding.group.blocking,
            partition=str(finding.day),
        )


def failure(failures: Mapping[date, EngagementError], *, done: int) -> dg.Failure:
    """Return what a run raises if some days failed; `done` is the number of the others."""
    return dg.Failure(
        redacted(_told(failures, done)), metadata={str(day): redacted(str(error)) for day, error in failures.items()}
    )


def _told(failures: Mapping[date, EngagementError], done: int) -> str:
    """Return which days failed and why; if the run has only one day, in one line."""
    reasons = list(dict.fromkeys(map(str, failures.values())))
    if len(failures) + done == 1:
        return reasons[0]
    return "\n".join([f"{len(failures)} of {len(failures) + done} days failed; the others are done:", *reasons])
