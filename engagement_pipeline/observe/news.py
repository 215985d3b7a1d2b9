"""What the APIs have sent that is not documented, told to a person once.

    untold ──> whoever shows it ──> told

In: the outer lake. Out: rows of the table `shapes`, their words, and the message of an alert. A process that is killed
between the two tells it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.lake import shapes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.shapes import Seen

SHOWN = 20  # in a message; the table has all


def untold(home: Lake) -> list[Seen]:
    """Return what nobody was told yet of the lakes of all sources."""
    return [seen for lake in home.of_each_source for seen in shapes.untold(lake.storage)]


def told(home: Lake, seen: Collection[Seen], *, at: datetime) -> None:
    """Write down that a person was told of these."""
    for lake in home.of_each_source if seen else ():
        shapes.tell(lake.storage, seen, at=at)


def words(seen: Sequence[Seen]) -> list[str]:
    """Return a line for each, and how many are left out where there are many."""
    more = [f"and {len(seen) - SHOWN:,} more: see the view shapes"] if len(seen) > SHOWN else []
    return [each.meaning for each in seen[:SHOWN]] + more


def message(seen: Sequence[Seen], *, dagster_url: str) -> str:
    """Return the text of an alert: the first line says what it is about, the last one where to look."""
    head = "engagement-pipeline: an API sends what its documents do not have"
    return "\n".join([head, *words(seen), f"next: look at the view shapes; Dagster: {dagster_url}"])
