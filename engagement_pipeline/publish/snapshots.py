"""Tables of endpoints that know the present alone: /totals and /28hr.

In: a pull's answers. Out: rows that say when they were observed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from engagement_pipeline.core.tables import OBSERVED_AT, TIMESTAMP

if TYPE_CHECKING:
    from engagement_pipeline.lake.raw import Landed

RECENT_PERIOD = timedelta(hours=28)  # of /28hr: what was observed before has nothing of it
RECENT_RAW = 2 * RECENT_PERIOD  # recent.parquet is made of pulls begun in so long: a pull may have gone on for a while


def observed(rows: pa.Table, landed: Landed) -> pa.Table:
    """Say with each row when it was asked for."""
    return rows.append_column(OBSERVED_AT.field, pa.repeat(pa.scalar(landed.asked_at, TIMESTAMP), len(rows)))
