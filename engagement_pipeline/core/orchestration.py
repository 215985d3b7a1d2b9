"""What the library, assets/ and deploy/ agree on about Dagster's runs. Plain values: nothing here imports Dagster.

Out: the pool of the API, the tags of a run over a range of days, and how long a run may take. Tests hold deploy/ and
Dagster's own names equal to these.
"""

from datetime import timedelta

# The pool of all that asks the API. It has one slot: one puller spends the whole contracted rate.
API_POOL = "engagement_api"
# A run with both tags covers the daily partitions from the one to the other, both included.
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
# Dagster ends a run that is older: max_runtime_seconds of deploy/dagster.yaml and deploy/systemd/dagster.yaml.
MAX_RUNTIME = timedelta(hours=4)
