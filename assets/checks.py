"""The checks of each published day, with one result a partition; and of the lake as a whole, fresh and whole."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets.dagster_internals import no_outputs
from assets.engagements import catalog, days, engagements
from assets.runs import ENGAGEMENTS, days_of, evaluations, one_line
from assets.snapshots import totals
from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.lake.layout import Lake, judged
from engagement_pipeline.lake.shapes import Seen
from engagement_pipeline.observe import agreement, alert, combined, freshness, news, spending, window_audit
from engagement_pipeline.observe.doctor import Examination
from engagement_pipeline.transport import accounts

SHOWN = 20  # findings; the command shows all
OF_THE_LAKE = {
    "whole": "The lake is whole, as `engagement doctor --quick` sees it. Each finding says what mends it.",
    "agreement": "X API v2 and the Engagement API gave the same counts, where both gave one of a settled hour.",
    "window_sums": "The hours of X API v2 sum up to its own totals of their windows, once these are settled.",
    "spend": "Less than 80 % of each limit of the month are used: requests, handles and Posts read.",
    "shapes": "The APIs send nothing new that their documents do not have. Each piece of news is told once.",
}


@dg.multi_asset_check(
    name="day_checks",
    specs=[
        dg.AssetCheckSpec(
            group.name, asset=engagements, description=group.meaning, blocking=group.blocking, partitions_def=days
        )
        for group in combined.GROUPS
    ],
    can_subset=True,
)
def day_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Check each day of the run. The asset catalog waits for the blocking checks: nobody should build on wrong data."""
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
            description="Every day of the look-back that the last daily run should have filled is complete.",
        )
    ],
)
def fresh(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Look for days that should be complete and are not. The hourly job runs this, even if no daily run starts.

    If days lack Tweets, the hourly run fails and so tells a person, but not before a first day has been published. A
    run over days does not fail for other days. The result blocks and not the check, or catalog would wait for it.
    """
    with one_line():
        chosen = settings.load()
        lake = judged(chosen)
        verdict = freshness.fresh(lake, chosen)
    yield dg.AssetCheckEvaluation(
        asset_key=ENGAGEMENTS,
        check_name="fresh",
        passed=verdict.passed,
        description=verdict.words,
        metadata=dict(verdict.numbers),
        blocking=context.run.job_name == "hourly" and lake.storage.holds("engagements/*/*.parquet"),
    )
    yield from no_outputs(context)


@dg.multi_asset_check(
    name="whole",
    specs=[
        dg.AssetCheckSpec(
            name,
            asset=catalog,  # which has no partitions, as the lake has none
            additional_deps=[totals],  # the job that makes these looks at the lake with them
            description=description,
        )
        for name, description in OF_THE_LAKE.items()
    ],
)
def whole(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Look the lake over, compare its APIs with each other and with their own sums, and look at the month's limits.

    What is new of the APIs is told too. It blocks nothing: what is wrong may be far from the run's days.
    """
    with one_line():
        chosen = settings.load()
        home = Lake(chosen.data)
        found = pipeline.examine(chosen, quick=True)
        warned = {
            "agreement": agreement.agreement(home),
            "window_sums": window_audit.window_audit(home),
            "spend": spending.within(chosen),
        }
    yield _wholeness(found)
    for name, verdict in warned.items():
        yield dg.AssetCheckEvaluation(
            asset_key=catalog.key,
            check_name=name,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.WARN,  # what to do is for a person to say
            description=verdict.words,
            metadata=dict(verdict.numbers),
        )
    seen = news.untold(home)
    problem = _not_alerted(chosen, seen)
    yield _news(seen, problem)
    if not problem:
        with one_line():
            news.told(home, seen, at=chosen.current_time())
    yield from no_outputs(context)


def _wholeness(found: Examination) -> dg.AssetCheckEvaluation:
    """Return what the doctor found, as a check."""
    told = [printable(redacted(str(finding))) for finding in found.findings]
    return dg.AssetCheckEvaluation(
        asset_key=catalog.key,
        check_name="whole",
        passed=not told,
        description="\n".join(told[:SHOWN]) or "the lake is whole",
        metadata={"findings": len(told), "days": found.days, "rows": found.rows, "gaps": found.gaps},
    )


def _news(seen: Sequence[Seen], problem: Sequence[str]) -> dg.AssetCheckEvaluation:
    """Return what is new of the APIs, and why nobody could be told of it, as a check."""
    return dg.AssetCheckEvaluation(
        asset_key=catalog.key,
        check_name="shapes",
        passed=not seen,
        severity=dg.AssetCheckSeverity.WARN,  # nothing that is stored is wrong
        description="\n".join([*news.words(seen), *problem]) or "the APIs send nothing new",
        metadata={"news": len(seen)},
    )


def _not_alerted(chosen: Settings, seen: Sequence[Seen]) -> list[str]:
    """Tell a person the news, if there is any and somebody to tell it to; return what went wrong."""
    if not (seen and alert.is_wanted(chosen)):
        return []
    try:
        accounts.remember(chosen.accounts)  # this process may have asked for nothing, and so know no secret
        alert.send(chosen, news.message(seen, dagster_url=chosen.dagster_url))
    except EngagementError as error:
        return [redacted(f"{error}; the next run tells it again")]
    return []
