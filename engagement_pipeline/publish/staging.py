"""What a publication stages of rows: files in the lake's staging folder, to be renamed all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staged:
    """The rows of a pull, staged.

    `groups` are files to be renamed in their order, each group once the one before it is on the disk. `stored` counts
    the rows that the pull gave, by Tweet and day of its Pending; `unavailable` has the Tweets that their newest answer
    did not serve, with its words. `revised` counts the counts that the pull changed, `days_written` are the days whose
    rows it changed.
    """

    groups: tuple[dict[Path, Path], ...]
    stored: npt.NDArray[np.int32]
    unavailable: dict[int, str]
    revised: int = 0
    days_written: tuple[date, ...] = ()
