"""Do two APIs agree? The counts of the hours that both gave, compared in words.

In: a lake. Out: one Verdict, in words. Nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.words import first_few
from engagement_pipeline.observe.verdict import Verdict
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

NOTHING = "only one API has given counts, so there is nothing to compare"
LEAST = 0.0005  # of a type's counts: a smaller difference is not worth a word
MILLION = 1_000_000
BY_TYPE = """
    select
        engagement_type, sum(hours) as hours, sum(hours_that_differ) as differ,
        sum(hours_that_differ - young_hours_that_differ) as settled_differ,
        sum(engagement - young_engagement) as settled, sum(x_api_v2 - young_x_api_v2) as settled_v2,
        sum(young_engagement) as young, sum(young_x_api_v2) as young_v2
    from source_agreement
    group by engagement_type
    order by differ desc, engagement_type
"""


def agreement(lake: Lake) -> Verdict:
    """Tell on how many hours two APIs agree, and of which types their counts differ.

    It passes unless counts differ that both gave when the hour was a day old: younger ones still change. A damaged file
    in the way fails it.
    """
    try:
        types: list[dict[str, Any]] = catalog.query(lake, BY_TYPE).to_pylist() if len(lake.of_tweets) > 1 else []
    except LakeError as error:
        return Verdict(passed=False, words=str(error))
    if not types:
        return Verdict(passed=True, words=NOTHING)
    hours, differ, settled = (sum(each[name] for each in types) for name in ("hours", "differ", "settled_differ"))
    share = _percent((hours - differ) / hours)
    words = [f"X API v2 agrees with the Engagement API on {share} of {_number(hours)} hours"]
    words += _apart(types, "settled", "in hours of a day or more")
    words += _apart(types, "young", "in hours younger than a day")
    return Verdict(
        passed=not settled,
        words="; ".join(words),
        numbers={"hours": hours, "hours_that_differ": differ, "settled_hours_that_differ": settled},
    )


def _apart(types: list[dict[str, Any]], which: str, when: str) -> list[str]:
    """Return the types that have other sums in the two APIs, by how much they differ."""
    found: list[str] = []
    for each in types:
        ours, theirs = int(each[which]), int(each[f"{which}_v2"])
        if abs(theirs - ours) > LEAST * ours:
            verb = "" if found else "differ "
            share = _percent(abs(theirs - ours) / ours) if ours else f"{theirs:,}"
            found.append(f"{each['engagement_type']} {verb}by {share}")
    return [f"{first_few(found)} {when}"] if found else []


def _percent(share: float) -> str:
    """Return a share in percent; one below a whole is never shown as 100 %."""
    text = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return f"{'99.99' if text == '100' and share < 1 else text} %"


def _number(number: int) -> str:
    """Return `1.2 million`, or a smaller number as it is."""
    return f"{number / MILLION:.1f} million" if number >= MILLION else f"{number:,}"
