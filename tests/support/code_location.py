"""The Dagster code location as a test loads and runs it."""

import importlib
import sys

import dagster as dg

POOL = "engagement_api"
KEYS = [dg.AssetKey(name) for name in ("responses", "engagements", "totals", "recent", "catalog")]
DAYS = [f"2026-01-{day:02d}" for day in range(4, 32)]
FEW = DAYS[-3:]  # what is asked for where 28 days would tell no more, and take seconds
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def load_definitions():
    """Import the code location anew, as a Dagster process does with its environment."""
    for name in [name for name in sys.modules if name == "assets" or name.startswith("assets.")]:
        del sys.modules[name]
    return importlib.import_module("assets.definitions").defs


def run_days(definitions, instance, first=FEW[0], last=FEW[-1]):
    job = definitions.resolve_job_def("daily")
    return job.execute_in_process(instance=instance, tags={RANGE_START: first, RANGE_END: last}, raise_on_error=False)


def failures(result):
    return [event.step_failure_data.user_failure_data.description for event in result.get_step_failure_events()]


def metadata(instance, asset):
    """Return the newest metadata of each partition of an asset, as plain values."""
    records = instance.fetch_materializations(dg.AssetKey(asset), limit=100).records
    return {
        record.partition_key: {name: value.value for name, value in record.asset_materialization.metadata.items()}
        for record in reversed(records)
    }


def tick(definitions, instance):
    """Return what the daily schedule asks for."""
    context = dg.build_schedule_context()
    context._instance_ref = context._instance = instance  # Dagster hands over none that is in memory
    return definitions.resolve_schedule_def("daily")(context)
