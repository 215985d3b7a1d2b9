"""Show in Dagster the days that somebody pulled without it: `engagement pull`, or a run that died before it told.

The sensor compares the times of the lake's files with what Dagster knows. It starts the job `show`, which reads the
days and tells their numbers. Neither asks the API.
"""

import hashlib
import json
from datetime import date

import dagster as dg

from assets.dagster_internals import newest
from assets.day_jobs import shown
from assets.engagements import responses, tell_by_hand
from assets.metadata import of_answers
from assets.orphans import UNFINISHED
from assets.runs import ENGAGEMENTS, failure, one_line
from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.orchestration import SHOWN_WITHIN
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.lake.layout import judged
from engagement_pipeline.observe import accounted, day_report

OF_NO_DAY = {"hourly", "lifetime"}  # jobs that publish no day, so nothing is told twice while they run


@dg.op(out=dg.Out(dg.Nothing))
def tell_days(context: dg.OpExecutionContext) -> None:
    """Tell each day that is whole, and each other that Dagster shows already, with its numbers and its checks.

    A day's responses are shown only if it is whole. Else a repair of the missing days would leave it out.
    """
    with one_line():
        chosen = settings.load()
        told = shown(context, chosen, pipeline.report_days(chosen, unshown(context.instance, changed(chosen))))
        lacking = accounted.incomplete(chosen, told.reports)
        for day, report in told.reports.items():
            if day not in lacking:
                of_day = dg.AssetMaterialization(responses.key, partition=str(day), metadata=of_answers(report))
                context.log_event(of_day)
        tell_by_hand(context, chosen, told)
    damaged = {day: error for day, error in told.failures.items() if isinstance(error, LakeError)}
    if damaged:  # of the other days that failed nothing came yet, so they are not whole
        raise failure(damaged, done=len(told.reports))


@dg.job(
    name="show",
    description="Show the days of the lake that Dagster does not know as they are, whoever pulled them. This asks the "
    "API for nothing.",
)
def show_job() -> None:
    """Run when the sensor unshown_days has found some."""
    tell_days()


@dg.sensor(
    job=show_job,
    default_status=dg.DefaultSensorStatus.RUNNING,  # it costs no request
    minimum_interval_seconds=round(SHOWN_WITHIN.total_seconds() / 2),
    description="Shows the whole days that the command line pulled, with their numbers and checks, without a request.",
)
@one_line()
def unshown_days(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run if files of days are newer than what Dagster knows of them; once for each state of the lake.

    The cursor is that state. The Tweets that are followed belong to it: without those that left, a day may be whole.
    """
    chosen = settings.load()
    found = changed(chosen)
    state = _digest(chosen, found) if found else None
    if state == context.cursor:
        return dg.SkipReason("no day of the lake has changed since the last look")
    at_work = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    if publishing := [run.run_id for run in at_work if run.job_name not in OF_NO_DAY]:
        return dg.SkipReason(f"run {publishing[0]} has not ended yet, and tells its days itself")
    if not unshown(context.instance, found):
        return dg.SensorResult(skip_reason="Dagster knows all days of the lake as they are", cursor=state)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=state)], cursor=state)


def changed(chosen: Settings) -> dict[date, float]:
    """Return when each day of the lake that is a partition was last published, in seconds since 1970."""
    lake, last = judged(chosen), chosen.last_whole_day()
    return {day: at for day, at in day_report.changed_at(lake).items() if chosen.first_day <= day <= last}


def unshown(instance: dg.DagsterInstance, found: dict[date, float]) -> list[date]:
    """Return the days that were published after Dagster was told of them last, or that it was never told of."""
    told = newest(instance, ENGAGEMENTS, found)
    return sorted(day for day, at in found.items() if str(day) not in told or told[str(day)].timestamp < at)


def _digest(chosen: Settings, found: dict[date, float]) -> str:
    lake = judged(chosen)
    text = json.dumps([lake.storage.changed_at(lake.tweets), *sorted(map(str, found.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
