"""The Dagster code location. No other place imports Dagster.

Dagster may still change the two features below, and would warn about them in each process that loads this folder. The
lock pins the version that the tests run, so these two warnings help nobody. All others are shown.
"""

import warnings

import dagster as dg

warnings.filterwarnings(
    "ignore", "Parameter `backfill_policy` of function `asset` is currently in beta", dg.BetaWarning
)
warnings.filterwarnings(
    "ignore", "Specifying a partitions_def on an AssetCheckSpec is currently in preview", dg.PreviewWarning
)
