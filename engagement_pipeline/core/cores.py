"""How many cores this process may use.

In: what the system says of it. Out: a number. On Linux, it is the cores that the process may run on, or fewer where its
control groups give it less of them, as those of a container do.
"""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = Path("/sys/fs/cgroup")  # version 2, as all current systems have it
MEMBERSHIP = Path("/proc/self/cgroup")
LIMIT = "cpu.max"  # microseconds of all cores together in a period, and the period


def allowed(*, groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return how many cores this process may use, one at the least; of a part of a core, the whole."""
    runs_on = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([runs_on, *_quotas(groups, membership)]))


def _quotas(groups: Path, membership: Path) -> Iterator[int]:
    """Yield what each control group of this process gives it: its own, and those around it."""
    told = membership.read_text().splitlines() if membership.exists() else []
    for own in (line.removeprefix("0::/") for line in told if line.startswith("0::/")):
        place = groups / own
        for folder in (place, *place.parents):
            if folder.is_relative_to(groups) and (folder / LIMIT).exists():
                microseconds, period = (folder / LIMIT).read_text().split()
                if microseconds != "max":
                    yield ceil(int(microseconds) / int(period))
