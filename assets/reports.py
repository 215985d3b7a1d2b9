"""The asset report: for each UTC month, a file a handle, which the schedule `monthly` also mails if that is wanted.

Nothing is made of it, and no other run makes it.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg
from pydantic import Field

from assets.metadata import about, of_reports
from assets.runs import one_line
from engagement_pipeline.core import settings
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query.catalog import code_version
from engagement_pipeline.report import files
from engagement_pipeline.report.figures import Month

MARTS = (
    "completeness",
    "engagements",
    "handle_daily",
    "missing",
    "tweet_age",
    "tweet_daily",
    "tweets",
)  # of figures.py
KEY = "%Y-%m"
SECOND_DAY = "0 6 2 * *"  # of a month, in the morning: its last day has been pulled twice by then

_settings = settings.load()
months = dg.MonthlyPartitionsDefinition(
    start_date=_settings.first_day.strftime(KEY),
    end_date=_settings.now.strftime(KEY) if _settings.now else None,  # no months after a fixed now
    fmt=KEY,
)


class Mailing(dg.Config):
    """Whether the reports are mailed. A backfill of many months mails nothing unless somebody says so."""

    mail: bool = Field(default=False, description="Mail each report to the address in report_mail.")


@dg.asset(
    partitions_def=months,
    deps=[dg.AssetKey(name) for name in MARTS],
    kinds={"html"},
    code_version=code_version(),
    description="""What each handle's month came to, as one HTML file a handle, to be mailed, kept or printed.

The files lie in the folder of the setting `reports`. They are those of the command `engagement report`. Nothing makes
them by itself until the schedule `monthly` is switched on.""",
    **about("reports"),
)
def report(context: dg.AssetExecutionContext, config: Mailing) -> Iterator[dg.MaterializeResult[None]]:
    """Write the month's files, tell them, and then mail them: what is written stays if no mail leaves."""
    with one_line():
        chosen = settings.load()
        month = Month(first=date.fromisoformat(f"{context.partition_key}-01"))
        written = files.write_all(Lake(chosen.data), month, folder=chosen.reports)
    yield dg.MaterializeResult(metadata=of_reports(written))
    if config.mail:
        with one_line():
            files.mail(chosen, written)


monthly_job = dg.define_asset_job(
    "monthly",
    selection=dg.AssetSelection.assets(report),
    description="Write the reports of a month. This asks the API for nothing.",
)


@dg.schedule(
    job=monthly_job,
    cron_schedule=SECOND_DAY,
    execution_timezone="UTC",
    description="Writes the reports of the month before, and mails them if report_mail is set.",
)
@one_line()
def monthly(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the reports of the last month that is over."""
    chosen = settings.load()
    month = Month(first=chosen.current_time().date().replace(day=1)).before
    if month.last < chosen.first_day:
        return dg.SkipReason(f"{month} is before {chosen.first_day}, the setting first_day")
    key = month.first.strftime(KEY)
    mailing = dg.RunConfig({report.op.name: Mailing(mail=bool(chosen.report_mail))})
    return dg.RunRequest(run_key=key, partition_key=key, run_config=mailing)
