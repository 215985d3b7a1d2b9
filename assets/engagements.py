"""responses -> engagements -> catalog: one partition a UTC day, one run a window of up to 28.

Each body takes the run's partitions, calls one function of the library and reports what it returned.
"""

import time
from datetime import datetime

import dagster as dg

from assets.metadata import LINEAGE, about, columns, of_day
from assets.running import API_POOL, NEW_SINCE, days_of, evaluations, failure, log_plan, one_line, report_days
from engagement_pipeline import catalog as views
from engagement_pipeline import partitions, pipeline, settings
from engagement_pipeline.errors import InputError
from engagement_pipeline.lake import TABLES, Lake
from engagement_pipeline.metrics import HISTORICAL
from engagement_pipeline.plan import MAX_DAYS

_settings = settings.load()
days = dg.DailyPartitionsDefinition(
    start_date=_settings.first_day.isoformat(),
    end_date=_settings.now.date().isoformat() if _settings.now else None,  # a fixed now has no later days
)
windows = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_DAYS)  # one window, so one request a batch


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    pool=API_POOL,
    kinds={"json"},
    description="""What the API's /historical answered for every Tweet of the roster, landed as received.

One run asks for up to 28 days at once, since a request costs the same for 28 as for one. Files: `raw/historical/` of
the lake. Every answer was checked against the sums that it carries before it counts.""",
    **about("raw"),
)
def responses(context: dg.AssetExecutionContext) -> None:
    """Pull the run's days. Requests, Tweets and seconds are of the run: one request answers for all its days."""
    with one_line():
        chosen = settings.load()
        asked = days_of(context, chosen)
        first, last = asked[0], asked[-1]
        if len(asked) > MAX_DAYS:
            raise InputError(
                f"{first} to {last} are {len(asked)} days, and a run asks for {MAX_DAYS} at most: launch a backfill of "
                "them, which makes as many runs as it takes"
            )
        since = context.run.tags.get(NEW_SINCE)
        prepared = pipeline.prepare(chosen, first, last, new_since=datetime.fromisoformat(since) if since else None)
        log_plan(context, chosen, prepared)
        reports = partitions.pull(chosen, prepared)
    metadata = {
        "window": f"{first} to {last}",
        "requests": sum(report.answered for report in reports),
        "tweets": sum(len(planned.tweets) for planned in prepared.plans),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }
    report_days(context, dict.fromkeys(asked, metadata))


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    deps=[responses],
    kinds={"parquet"},
    description="""How often each followed Tweet was seen, liked, clicked …: one row a Tweet, engagement type and hour.

One Parquet file a UTC day, `engagements/day=…/engagements.parquet` of the lake; `engagement sql` and any DuckDB read
them as the view `engagements`. A row means that the API answered; what it would not tell has no row, and its reason
stands in the view `coverage`. Pulled again, the newest answer for a count replaces the older: see `revisions`.""",
    metadata={"dagster/column_schema": columns(TABLES[HISTORICAL]), "dagster/column_lineage": LINEAGE},
    **about("tidy"),
)
def engagements(context: dg.AssetExecutionContext) -> None:
    """Publish whatever has landed, and report each of the run's days from the lake."""
    started = time.perf_counter()
    with one_line():
        chosen = settings.load()
        published = partitions.publish(chosen, days_of(context, chosen))
    seconds = round(time.perf_counter() - started, 1)
    for error in published.elsewhere.values():
        context.log.warning("not of this run, and not published: %s", error)
    metadata = {day: {**of_day(day, report), "seconds": seconds} for day, report in published.reports.items()}
    report_days(context, metadata, beside_failures=bool(published.failures))
    if published.failures:
        for evaluation in evaluations(context, chosen, published.reports):  # day_checks will not run
            context.log_event(evaluation)
        raise failure(published.failures, done=len(metadata))


@dg.asset(
    deps=[engagements, "totals", "recent"],
    kinds={"duckdb"},
    description="""`engagement.duckdb`: views for SQL over the Parquet, and no data, so that it blocks nobody.

Open it with any DuckDB while runs go on. The README lists the views and their columns.""",
    **about("views"),
)
def catalog() -> dg.MaterializeResult[None]:
    """Write the views anew."""
    with one_line():
        path = views.refresh(Lake(settings.load().data))
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path)})
