"""Do the hours of X API v2 sum up to what it says itself? Its sums of windows, compared in words.

In: a lake. Out: one Verdict, in words. Nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import WINDOW_TOTALS
from engagement_pipeline.core.words import first_few
from engagement_pipeline.observe.verdict import Verdict
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

NOTHING = "X API v2 has given no sums to compare its hours with"
BY_TYPE = """
    select
        engagement_type, count(*) as sums, count(*) filter (difference <> 0) as differ,
        count(*) filter (difference <> 0 and not young) as settled_differ,
        max(abs(difference)) as largest
    from window_audit
    group by engagement_type
    order by differ desc, engagement_type
"""


def window_audit(lake: Lake) -> Verdict:
    """Tell how many of the sums of X API v2 are those of its hours, and of which types they differ.

    It passes unless sums differ of a window that had ended a day before: younger ones still change. A damaged file in
    the way fails it.
    """
    try:
        is_asked = any(each.storage.holds(WINDOW_TOTALS.glob) for each in lake.of_tweets)
        types: list[dict[str, Any]] = catalog.query(lake, BY_TYPE).to_pylist() if is_asked else []
    except LakeError as error:
        return Verdict(passed=False, words=str(error))
    if not types:
        return Verdict(passed=True, words=NOTHING)
    sums, differ, settled = (sum(each[name] for each in types) for name in ("sums", "differ", "settled_differ"))
    words = [f"the hours of X API v2 sum up to its own totals in {sums - differ:,} of {sums:,} sums"]
    words += [
        first_few([f"{each['engagement_type']} by up to {each['largest']:,}" for each in types if each["differ"]])
    ]
    return Verdict(
        passed=not settled,
        words="; it differs: ".join(filter(None, words)),
        numbers={"sums": sums, "sums_that_differ": differ, "settled_sums_that_differ": settled},
    )
