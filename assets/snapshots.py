"""The assets totals and recent. The API knows only the present of these, so there are no days to backfill."""

import dagster as dg

from assets.metadata import about, columns, version
from assets.runs import log_plan, log_progress, one_line, over_budget, try_again_later
from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import RECENT, TOTALS, Endpoint
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.extract.prepare import prepare


@dg.asset(
    pool=API_POOL,
    kinds={"parquet"},
    code_version=version(TOTALS.table),
    description="""The lifetime counts of every Tweet of the roster, including Tweets of others, as observed today.

The API's /totals knows only the present, so a day that is not observed cannot be had later. Each UTC day has one
Parquet file in the lake, `totals/observed_on=…/totals.parquet`.""",
    metadata={"dagster/column_schema": columns(TOTALS.table)},
    **about("tidy"),
)
def totals(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Pull /totals and publish it."""
    return _observed(context, TOTALS)


@dg.asset(
    pool=API_POOL,
    kinds={"parquet"},
    code_version=version(RECENT.table),
    description="""The last 28 hours of every owned Tweet, provisional. The first and the last hour are partial.

The API's /28hr is newer than /historical and less settled, so `recent.parquet` is never merged into the days. The view
`engagements_now` shows both.""",
    metadata={"dagster/column_schema": columns(RECENT.table)},
    **about("tidy"),
)
def recent(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Pull /28hr and publish it."""
    return _observed(context, RECENT)


def _observed(context: dg.AssetExecutionContext, endpoint: Endpoint) -> dg.MaterializeResult[None]:
    with one_line():
        chosen = settings.load()
        prepared = prepare(chosen, endpoint=endpoint, over_budget=over_budget(context))
        log_plan(context, [prepared])
        outcome = pipeline.run(chosen, prepared, pulling=log_progress(context))
        if outcome.failure:
            try_again_later(context, chosen, outcome.failure, endpoint=endpoint)
            raise outcome.failure
    return dg.MaterializeResult(
        metadata={
            "requests": sum(report.answered for report in outcome.reports),
            "rows": sum(report.rows for report in outcome.reports),
            "tweets": sum(len(planned.tweets) for planned in prepared.plans),
            "set_aside": sum(len(report.refused) for report in outcome.reports),
            "seconds": round(sum(report.seconds for report in outcome.reports), 1),
        }
    )
