"""The checks of a published day, a result a partition; and whether the lake is fresh, which knows its days."""

from collections.abc import Iterator

import dagster as dg

from assets.dagster_internals import no_outputs
from assets.engagements import days, engagements
from assets.runs import ENGAGEMENTS, days_of, evaluations, one_line
from engagement_pipeline.core import settings
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe import checks


@dg.multi_asset_check(
    name="day_checks",
    specs=[
        dg.AssetCheckSpec(
            check.name, asset=engagements, description=check.meaning, blocking=check.blocking, partitions_def=days
        )
        for check in checks.CHECKS
    ],
    can_subset=True,
)
def day_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Look at each day of the run. Catalog waits for the blocking ones: nobody should build on what is wrong."""
    with one_line():
        chosen = settings.load()
        names = {key.name for key in context.selected_asset_check_keys}
        yield from evaluations(context, chosen, days_of(context, chosen), names=names)
    yield from no_outputs(context)


@dg.multi_asset_check(
    name="fresh",
    specs=[
        dg.AssetCheckSpec(
            "fresh",
            asset=engagements,
            description="No day of the look-back whose daily run is over lacks what it was to bring.",
        )
    ],
)
def fresh(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Look for days that lack, however new the last partition is; the hourly job asks, so that it is asked at all.

    The hourly run fails for them, and so tells a person, once anything is published that can age; a run over days has
    done what it was asked for. It is the result that blocks, not the check: for that one catalog would wait.
    """
    with one_line():
        chosen = settings.load()
        lake = Lake(chosen.data)
        verdict = checks.fresh(lake, chosen)
    yield dg.AssetCheckEvaluation(
        asset_key=ENGAGEMENTS,
        check_name="fresh",
        passed=verdict.passed,
        description=verdict.words,
        metadata=dict(verdict.numbers),
        blocking=context.run.job_name == "hourly" and lake.storage.holds("engagements/*/*.parquet"),
    )
    yield from no_outputs(context)
