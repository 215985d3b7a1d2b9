"""Columns of numbers -> rows in Arrow, with the types of the tables.

In: numpy columns. Out: Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from engagement_pipeline.core.kinds import Kind
from engagement_pipeline.core.tables import ENGAGEMENTS, HOUR, TYPE_NAMES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TIMESTAMP = Kind.MOMENT.arrow


def engagements_table(
    tweets: npt.NDArray[np.int64],
    types: npt.NDArray[np.int8],
    days: npt.NDArray[np.int32],
    hours: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
) -> pa.Table:
    """Return columns of one length as rows of ENGAGEMENTS. `types` are places in TYPE_NAMES, `days` count from 1970."""
    arrays = [
        pa.array(tweets),
        type_column(types),
        pa.array(days).view(pa.date32()),
        pa.array(hours).cast(HOUR.type),
        pa.array(counts),
    ]
    return pa.Table.from_arrays(arrays, schema=ENGAGEMENTS.schema)


def type_column(codes: npt.NDArray[np.int8]) -> pa.DictionaryArray:
    """Return places in TYPE_NAMES as the column engagement_type."""
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(TYPE_NAMES))
