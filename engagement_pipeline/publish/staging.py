"""What a publication stages: files in a folder of their own, to be renamed all at once.

In: a lake. Out: its empty staging folder, and what was staged of rows.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from engagement_pipeline.lake.layout import Lake


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staged:
    """The rows of a pull, staged.

    `files` are to be renamed in their order. `stored` counts the rows that the pull gave, by Tweet and day of its
    Pending; `unavailable` has the Tweets that their newest answer did not serve, with its words. `revised` counts the
    counts that the pull changed, `days_written` are the days whose rows it changed.
    `early` counts the rows that the pull gave of hours before their Tweet was posted.
    """

    files: dict[Path, Path]
    stored: npt.NDArray[np.int32]
    unavailable: dict[int, str]
    revised: int = 0
    days_written: tuple[date, ...] = ()
    early: int = 0


@contextmanager
def staging(lake: Lake) -> Iterator[None]:
    """Have an empty staging folder, and none afterwards."""
    shutil.rmtree(lake.staging, ignore_errors=True)  # of a publication that was killed
    try:
        lake.staging.mkdir()
        yield
    finally:
        shutil.rmtree(lake.staging, ignore_errors=True)
