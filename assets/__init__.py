"""The Dagster code location; the only place that imports Dagster.

Each process that loads it would begin with warnings of the two features below, which Dagster may still change. The
lock pins the version that the tests run, so these tell nobody anything; all other warnings show.
"""

import warnings

import dagster as dg

warnings.filterwarnings(
    "ignore", "Parameter `backfill_policy` of function `asset` is currently in beta", dg.BetaWarning
)
warnings.filterwarnings(
    "ignore", "Specifying a partitions_def on an AssetCheckSpec is currently in preview", dg.PreviewWarning
)
