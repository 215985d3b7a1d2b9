"""The sums of a day's hours on their way into their month: staged once, read once, and then gone.

In: rows of DAILY, sorted by Tweet. Out: the same rows, up to a Tweet at a time.

    DayFile ─> SumsWriter ─> a file of Arrow's own, which is mapped ─> SumsReader ─> daily.write_months

Such a file takes 21 bytes a row, ten to twenty times as many as one of Parquet. But nothing is packed or unpacked,
which would take half the time of writing a month.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engagement_pipeline.core.tables import DAILY

if TYPE_CHECKING:
    from pathlib import Path


class SumsWriter:
    """A file of a day's sums, for a SumsReader; what is appended at a time is in memory when it is read."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("wb"))
            self._sink = stack.enter_context(pa.ipc.new_file(file, DAILY.schema))
            self._open = stack.pop_all()

    def append(self, sums: pa.Table) -> None:
        """Append rows of Tweets behind those before."""
        for batch in sums.combine_chunks().to_batches():
            self._sink.write_batch(batch)

    def close(self) -> None:
        """Write the end of the file."""
        self._open.close()


class SumsReader:
    """A file of a day's sums, read once from its first Tweet to its last."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as stack:
            file = pa.ipc.open_file(stack.enter_context(pa.memory_map(str(path))))
            self._batches = [file.get_batch(number) for number in range(file.num_record_batches)]
            self._open = stack.pop_all()
        self.ends = [batch["tweet_id"][-1].as_py() for batch in self._batches]
        self._batch = self._row = 0

    def up_to(self, tweet: int) -> pa.Table:
        """Return the rows that were not returned yet, up to a Tweet and with it."""
        parts = []
        while self._batch < len(self._batches):
            batch = self._batches[self._batch]
            end = int(np.searchsorted(batch["tweet_id"].to_numpy(), tweet, "right"))
            parts.append(batch.slice(self._row, end - self._row))
            self._row = end
            if end < len(batch):
                break
            self._batch, self._row = self._batch + 1, 0
        return pa.Table.from_batches(parts, DAILY.schema)

    def close(self) -> None:
        """Give the file back."""
        self._open.close()
