"""responses -> engagements -> catalog: one partition a UTC day, one run for a window of up to 28 days.

Each body takes the run's partitions, calls one function of the library and reports what it returned.
"""

import time
from collections.abc import Sequence
from datetime import date

import dagster as dg

from assets.dagster_internals import keep_connections, log_evaluation
from assets.metadata import LINEAGE, about, columns, of_day, of_views, version
from assets.runs import (
    ENGAGEMENTS,
    days_of,
    evaluations,
    failure,
    log_plan,
    log_progress,
    one_line,
    over_budget,
    try_again_later,
)
from engagement_pipeline import pipeline, pulling
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import HISTORICAL, MAX_DAYS
from engagement_pipeline.core.errors import EngagementError, InputError, LakeError, PullError
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.extract.prepare import prepare_sources
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query.catalog import code_version, refresh, rows

_settings = settings.load()
days = dg.DailyPartitionsDefinition(
    start_date=_settings.first_day.isoformat(),
    end_date=_settings.now.date().isoformat() if _settings.now else None,  # no days after a fixed now
)
windows = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_DAYS)  # one window, so one request a batch


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    pool=API_POOL,
    kinds={"json"},
    description="""The API's answers from /historical for every owned Tweet of the roster, stored as received.

One run asks for up to 28 days, because a request costs the same for 28 days as for one. The files lie in
`raw/historical/` of the lake. An answer counts only once its counts match the API's own sums in it.""",
    **about("raw"),
)
def responses(context: dg.AssetExecutionContext) -> None:
    """Pull the run's days. Each day shows the run's requests, Tweets and seconds: a request is for all its days."""
    keep_connections(context.instance, context.run)
    with one_line():
        chosen = settings.load()
        asked = _one_window(days_of(context, chosen))
        prepared = prepare_sources(chosen, asked[0], asked[-1], over_budget=over_budget(context))
        log_plan(context, prepared)
        try:
            reports = pulling.pull_sources(chosen, prepared, progress=log_progress(context))
        except PullError as failed:
            damaged = _publish_the_rest(context, chosen, asked)
            try_again_later(context, chosen, failed, endpoint=HISTORICAL)
            raise PullError([*failed.failures, *damaged]) from None
    metadata = {
        "window": f"{asked[0]} to {asked[-1]}",
        "requests": sum(report.answered for report in reports),
        "rows": sum(report.rows for report in reports),
        "tweets": sum(len(planned.tweets) for each in prepared for planned in each.plans),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }
    for day in asked:
        context.add_asset_metadata(metadata, partition_key=str(day))


def _one_window(asked: Sequence[date]) -> Sequence[date]:
    """Return the days of a run unchanged. Raises InputError if one request cannot hold them."""
    if len(asked) > MAX_DAYS:
        raise InputError(
            f"{asked[0]} to {asked[-1]} are {len(asked)} days, and a run asks for {MAX_DAYS} at most: launch a "
            "backfill of these days, which makes as many runs as they need"
        )
    return asked


def _publish_the_rest(
    context: dg.AssetExecutionContext, chosen: Settings, asked: Sequence[date]
) -> list[EngagementError]:
    """Publish what landed before a pull failed, because engagements will not run. Return the errors of damaged days."""
    try:
        published = pipeline.publish_days(chosen, asked)
    except EngagementError as error:
        return [error]
    tell_by_hand(context, chosen, published)
    return [error for error in published.failures.values() if isinstance(error, LakeError)]


@dg.asset(
    partitions_def=days,
    backfill_policy=windows,
    deps=[responses],
    kinds={"parquet"},
    code_version=version(HISTORICAL.table),
    description="""How often each followed Tweet was seen, liked, clicked …: one row a Tweet, engagement type and hour.

Each UTC day has one Parquet file in the lake, `engagements/day=…/engagements.parquet`. `engagement sql` and any DuckDB
read them as the view `engagements`. A row means that the API gave a count. If it gave none, the view `coverage` has the
reason. If a day is pulled again, the newest count replaces the older one, which goes to the view `revisions`.""",
    metadata={"dagster/column_schema": columns(HISTORICAL.table), "dagster/column_lineage": LINEAGE},
    **about("tidy"),
)
def engagements(context: dg.AssetExecutionContext) -> None:
    """Publish whatever has landed, and report each of the run's days."""
    started = time.perf_counter()
    with one_line():
        chosen = settings.load()
        published = pipeline.publish_days(chosen, days_of(context, chosen))
    for error in published.elsewhere.values():
        context.log.warning("a day outside this run could not be published: %s", error)
    if published.failures:
        tell_by_hand(context, chosen, published)
        raise failure(published.failures, done=len(published.reports))
    seconds = round(time.perf_counter() - started, 1)
    for day, report in published.reports.items():
        context.add_asset_metadata({**of_day(day, report), "seconds": seconds}, partition_key=str(day))


def tell_by_hand(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, chosen: Settings, published: pipeline.Days
) -> None:
    """Materialize the published days of engagements by hand, and check each day that exists: day_checks will not run.

    If a run fails, Dagster counts only what was logged by hand. So the UI shows exactly the other days as failed, and
    `failed and missing` repairs only those.
    """
    for day, report in published.reports.items():
        context.log_event(dg.AssetMaterialization(ENGAGEMENTS, partition=str(day), metadata=of_day(day, report)))
    damaged = {day for day, error in published.failures.items() if isinstance(error, LakeError)}
    for evaluation in evaluations(context, chosen, sorted(published.reports.keys() | damaged)):
        log_evaluation(context, evaluation)


@dg.asset(
    deps=[engagements],  # Dagster asks "Are you sure?" if an asset that the job does not make was never made
    kinds={"duckdb"},
    code_version=code_version(),
    description="""`engagement.duckdb`, which has the views for SQL over the Parquet files, and no data.

It also has the views over `totals` and `recent`. A publication writes it again where a view would change. Any DuckDB
can open it during a run. `docs/data-dictionary.md` describes the views and their columns.""",
    **about("views"),
)
def catalog() -> dg.MaterializeResult[None]:
    """Write the catalogue again."""
    with one_line():
        chosen = settings.load()
        lake = Lake(chosen.data)
        path, views = refresh(lake, threads=chosen.most_workers()), rows(lake)
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(path)), "views": of_views(views)})
