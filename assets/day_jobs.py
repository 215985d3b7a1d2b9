"""Jobs over days that do not pull the whole roster: `history` for new Tweets, `rebuild` and `rebuild_months`.

They are ops, because a run of an asset shows every day that it touches as materialized. A day with only the new Tweets
is not complete, and stays missing until a backfill. Days that are complete, or that Dagster shows already, are
materialized by hand.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta

import dagster as dg

from assets.engagements import days, tell_by_hand
from assets.runs import ENGAGEMENTS, days_of, failure, log_plan, log_progress, one_line, over_budget, try_again_later
from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core import settings
from engagement_pipeline.core.days import of_month, parse_day
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import InputError, LakeError, PullError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.words import counted
from engagement_pipeline.extract.prepare import prepare_sources
from engagement_pipeline.observe import accounted

_settings = settings.load()
MONTH = "%Y-%m"
months = dg.MonthlyPartitionsDefinition(
    start_date=_settings.first_day.strftime(MONTH),
    end_date=(of_month(_settings.now.date())[-1] + timedelta(days=1)).strftime(MONTH) if _settings.now else None,
    end_offset=0 if _settings.now else 1,  # with the month that is not over
    fmt=MONTH,
)


class Lacking(dg.Config):
    """The Tweets that came into the roster `since` a moment, and the first and last UTC day that they lack."""

    first: str
    last: str
    since: str


@dg.op(pool=API_POOL, out=dg.Out(dg.Nothing))
def pull_new_tweets(context: dg.OpExecutionContext, config: Lacking) -> None:
    """Ask only for the new Tweets, and publish. A day that lacks other Tweets stays as Dagster shows it."""
    with one_line():
        chosen = settings.load()
        try:
            first, last = parse_day(config.first), parse_day(config.last)
            since = datetime.fromisoformat(config.since)
        except ValueError as error:
            raise InputError(str(error)) from None
        prepared = prepare_sources(chosen, first, last, new_since=since, over_budget=over_budget(context))
        log_plan(context, prepared)
        failed = None
        try:
            pulling.pull_sources(chosen, prepared, progress=log_progress(context))
        except PullError as error:
            failed = error
        published = pipeline.publish_days(chosen, list(Window(first, last).days()))
        told = shown(context, chosen, published)
        tell_by_hand(context, chosen, told)
        if failed:
            try_again_later(context, chosen, failed, endpoint=HISTORICAL)
            raise failed
    damaged = {day: error for day, error in published.failures.items() if isinstance(error, LakeError)}
    if damaged:  # for the other failed days nothing came: the new Tweets have been set aside meanwhile
        raise failure(damaged, done=len(told.reports))


@dg.job(name="history", description="Pull the days that new Tweets of the roster lack, since they were posted.")
def history_job() -> None:
    """Run for a window of up to 28 days, as the sensor new_tweets asks."""
    pull_new_tweets()


@dg.op(out=dg.Out(dg.Nothing))
def make_anew(context: dg.OpExecutionContext) -> None:
    """Do what the command `engagement rebuild` does for the run's days."""
    with one_line():
        chosen = settings.load()
        asked = days_of(context, chosen)
        pipeline.rebuild(chosen, first=asked[0], last=asked[-1])
        published = pipeline.publish_days(chosen, asked)
        told = shown(context, chosen, published)
        tell_by_hand(context, chosen, told)
    if published.failures:
        raise failure(published.failures, done=len(told.reports))


@dg.job(
    name="rebuild",
    partitions_def=days,
    description="Make a damaged day again from the responses that have landed, without a request to the API. "
    "This does the same as the command `engagement rebuild --from DAY --to DAY`.",
)
def rebuild_job() -> None:
    """Run for a day, chosen as the partition."""
    make_anew()


@dg.op(out=dg.Out(dg.Nothing))
def make_month_anew(context: dg.OpExecutionContext) -> None:
    """Do what the command `engagement rebuild` does for the run's month, but for the views."""
    with one_line():
        chosen = settings.load()
        month = of_month(date.fromisoformat(f"{context.partition_key}-01"))
        rebuilt = pipeline.rebuild(chosen, first=month[0], last=month[-1], views=False)
        lost = sorted({day.day for day in rebuilt if day.lost})
        if lost:
            raise LakeError(
                f"rows of {counted(len(lost), 'day')} are lost, because only damaged or missing files held "
                f"them: pull {lost[0]} to {lost[-1]} again"
            )
    changed = {day.day for day in rebuilt if day.changed}
    context.add_output_metadata({"days": len(rebuilt), "days that changed": len(changed)})


@dg.job(
    name="rebuild_months",
    partitions_def=months,
    tags={"dagster/priority": "-1"},  # so the daily run need not wait for years of months
    description="Make whole months again from the responses that have landed, without a request to the API. Each month "
    "is a run of its own, and as many can be at work at once as Dagster lets. All other runs go first. "
    "Materialize `catalog` after the last.",
)
def rebuild_months_job() -> None:
    """Run for a month, chosen as the partition."""
    make_month_anew()


def shown(context: dg.OpExecutionContext, chosen: Settings, published: pipeline.Days) -> pipeline.Days:
    """Leave out the days that lack Tweets of the roster and that Dagster does not show yet."""
    before = context.instance.get_materialized_partitions(ENGAGEMENTS)
    hidden = accounted.incomplete(chosen, [day for day in published.reports if str(day) not in before])
    return replace(published, reports={day: told for day, told in published.reports.items() if day not in hidden})
