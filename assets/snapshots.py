"""totals and recent: what the API knows of the present alone, so that there is no day to backfill."""

import dagster as dg

from assets.metadata import about, columns
from assets.runs import log_plan, one_line
from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.endpoints import RECENT, TOTALS, Endpoint
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.extract.prepare import prepare


@dg.asset(
    pool=API_POOL,
    kinds={"parquet"},
    description="""Lifetime counts of every Tweet of the roster, those of others included, as observed today.

The API's /totals knows the present alone, so a day that was not observed cannot be had later. One Parquet file a UTC
day, `totals/observed_on=…/totals.parquet` of the lake.""",
    metadata={"dagster/column_schema": columns(TOTALS.table)},
    **about("tidy"),
)
def totals(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Observe /totals."""
    return _observed(context, TOTALS)


@dg.asset(
    pool=API_POOL,
    kinds={"parquet"},
    description="""The last 28 hours of every owned Tweet, provisional: the first and the last hour are partial.

The API's /28hr is newer than /historical and less settled, so `recent.parquet` is never mixed into the days; the view
`engagements_now` shows both.""",
    metadata={"dagster/column_schema": columns(RECENT.table)},
    **about("tidy"),
)
def recent(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Observe /28hr."""
    return _observed(context, RECENT)


def _observed(context: dg.AssetExecutionContext, endpoint: Endpoint) -> dg.MaterializeResult[None]:
    with one_line():
        chosen = settings.load()
        prepared = prepare(chosen, endpoint=endpoint)
        log_plan(context, chosen, prepared)
        outcome = pipeline.run(chosen, prepared)
        if outcome.failure:
            raise outcome.failure
    return dg.MaterializeResult(
        metadata={
            "requests": sum(report.answered for report in outcome.reports),
            "tweets": sum(len(planned.tweets) for planned in prepared.plans),
            "set_aside": sum(len(report.refused) for report in outcome.reports),
            "seconds": round(sum(report.seconds for report in outcome.reports), 1),
        }
    )
