"""What a publication stages of rows: files in the lake's staging folder, to be renamed all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from engagement_pipeline.core.model import NotServed
    from engagement_pipeline.publish.left_out import AnswerSums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Staged:
    """The rows of a pull, staged.

    `files` are those of the rows, and `before` are to be renamed before them. `daily` has the sums of the days' hours,
    None where there are none. `stored` counts the rows that the pull gave, by Tweet and day of its Pending. `sums` has,
    by day, what they sum to beside what stays; no table but that of hours has any. `not_served` has the Tweets that
    their newest answer did not serve, with its reason. `revised` counts the counts that the pull changed,
    `days_written` are the days whose rows it changed. `early` counts the rows that the pull gave of hours before their
    Tweet was posted.
    """

    files: Mapping[Path, Path]
    before: Mapping[Path, Path] = field(default_factory=dict)
    daily: Mapping[date, Path] | None = None
    stored: npt.NDArray[np.int32]
    not_served: dict[int, NotServed]
    sums: Mapping[int, AnswerSums] = field(default_factory=dict)
    revised: int = 0
    days_written: tuple[date, ...] = ()
    early: int = 0
