"""responses -> engagements -> catalog: one partition a UTC day, one run a window of up to 28.

Each body takes the run's partitions, calls one function of the library and reports what it returned.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

from engagement_pipeline import catalog as views
from engagement_pipeline import pipeline, settings
from engagement_pipeline.errors import EngagementError
from engagement_pipeline.lake import Lake, describe
from engagement_pipeline.plan import MAX_DAYS
from engagement_pipeline.publish import publish

_settings = settings.load()
days = dg.DailyPartitionsDefinition(
    start_date=_settings.first_day.isoformat(),
    end_date=_settings.now.date().isoformat() if _settings.now else None,  # a fixed now has no later days
)
windows = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_DAYS)  # one window, so one request a batch


@contextmanager
def one_line() -> Iterator[None]:
    """Let a failure show in the UI as its one line, without a traceback."""
    try:
        yield
    except EngagementError as error:
        raise dg.Failure(str(error)) from None


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    group_name="engagement",
    kinds={"json"},
    description="What /historical answered for every Tweet of the roster, landed as received.",
)
def responses(context: dg.AssetExecutionContext) -> None:
    """Pull the run's days. Requests, Tweets and seconds are of the run: one request answers for all its days."""
    keys = context.partition_key_range
    with one_line():
        chosen = settings.load()
        prepared = pipeline.prepare(chosen, date.fromisoformat(keys.start), date.fromisoformat(keys.end))
        reports = pipeline.pull(chosen, prepared)
    metadata = {
        "window": f"{keys.start} to {keys.end}",
        "requests": sum(report.requests for report in reports),
        "tweets": sum(len(window.tweet_ids) for window in prepared.windows),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }
    for key in context.partition_keys:
        context.add_asset_metadata(metadata, partition_key=key)


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    deps=[responses],
    group_name="engagement",
    kinds={"parquet"},
    description="Counts by Tweet, engagement type, day and hour: one Parquet file a day.",
)
def engagements(context: dg.AssetExecutionContext) -> None:
    """Publish whatever has landed, and report each of the run's days from the lake."""
    started = time.perf_counter()
    with one_line():
        lake = Lake(settings.load().data)
        publish(lake)
        reports = {key: describe(lake, date.fromisoformat(key)) for key in context.partition_keys}
    seconds = time.perf_counter() - started
    empty = [key for key, report in reports.items() if report.requests == 0]
    if empty:
        raise dg.Failure(f"nothing has landed for {', '.join(empty)}: materialize responses first")
    for key, report in reports.items():
        context.add_asset_metadata(
            {
                "dagster/row_count": report.rows,
                "tweets": report.tweets,
                "set_aside": report.set_aside,
                "requests": report.requests,
                "seconds": round(seconds, 1),
            },
            partition_key=key,
        )


@dg.asset(
    deps=[engagements],
    group_name="engagement",
    kinds={"duckdb"},
    description="engagement.duckdb: views for SQL over the Parquet, replaced whole.",
)
def catalog() -> dg.MaterializeResult[None]:
    """Write the views anew."""
    with one_line():
        path = views.refresh(Lake(settings.load().data))
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path)})
