"""What the library, assets/ and deploy/ agree on about Dagster's runs. Plain values: nothing here imports Dagster.

Out: the API's pool, the tags of a run over a range of days, and the longest time that a run may take. Also the
pause after an outage, and how soon Dagster shows what somebody else pulled. Tests check that deploy/ and Dagster's own
names equal these.
"""

from datetime import timedelta

# The pool of every run that asks the API. It has one slot, because one pull uses the whole contracted rate.
API_POOL = "engagement_api"
# A run with both tags covers the daily partitions from the first to the second, both included.
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
# Dagster ends a run that takes longer: max_runtime_seconds in deploy/dagster.yaml and deploy/systemd/dagster.yaml.
MAX_RUNTIME = timedelta(hours=4)
# So long does a run that met an outage of the API wait before it tries again. With patience before and after, an outage
# of hours wastes less than a request a minute.
OUTAGE_PAUSE = timedelta(minutes=5)
# So soon does Dagster show a whole day that the command line pulled: its sensor looks twice as often.
SHOWN_WITHIN = timedelta(minutes=2)
