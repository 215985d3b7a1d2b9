"""The Dagster code location: what workspace.yaml loads."""

import dagster as dg

from assets.engagements import catalog, engagements, responses
from assets.schedules import daily, daily_job

defs = dg.Definitions(
    assets=[responses, engagements, catalog],
    jobs=[daily_job],
    schedules=[daily],
    executor=dg.in_process_executor,  # a process for each of three short steps costs 3 s more a run than it saves
)
