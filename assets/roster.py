"""The asset roster: the Tweets that the accounts' timelines show, in files beside the user's own."""

import dagster as dg

from assets.metadata import about
from assets.runs import one_line, over_budget
from engagement_pipeline.core import settings
from engagement_pipeline.core.orchestration import API_POOL
from engagement_pipeline.extract import roster_sync
from engagement_pipeline.transport import accounts


@dg.asset(
    pool=API_POOL,
    kinds={"csv"},
    description="""The Tweets that the accounts' timelines show, found by X API v2 since the newest that was known.

Each handle has a file beside your own of the roster, `HANDLE.synced.csv`. The next pull asks for them. Plans with
pay-per-use bill each Post that is read: the first time up to 3,200 a handle.""",
    **about("raw"),
)
def roster(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Read the timelines; what came is kept where one fails."""
    with one_line():
        chosen = settings.load()
        known = accounts.load(chosen.accounts)
        planned = roster_sync.estimates(chosen, known, ())
        context.log.info("\n".join(["the plan:", *roster_sync.spend_lines(chosen, planned)]))
        synced = roster_sync.sync(chosen, known, planned, over_budget=over_budget(context))
        if synced.failure:
            raise synced.failure
    return dg.MaterializeResult(
        metadata={
            "tweets": sum(merged.tweets for merged in synced.merged),
            "new": sum(merged.new for merged in synced.merged),
            "left_out": sum(merged.left_out for merged in synced.merged),
            "files": ", ".join(str(merged.path) for merged in synced.merged),
        }
    )
