"""The days, months and moments in the names of a lake's files: as globs, and which of them there are.

In: names. Out: whether they are of real days. A glob lets 2026-02-30 through, and 2026-19: whoever finds files by one
leaves out what is not real.
"""

from __future__ import annotations

import re
from datetime import date, datetime

# Exact names, as globs: what a sync tool or a person copies beside a file of the lake is no row of any table.
A_YEAR = "[1-9][0-9][0-9][0-9]"
A_MONTH = f"{A_YEAR}-[01][0-9]"
A_DAY = f"{A_MONTH}-[0-3][0-9]"
A_STAMP = f"{'[0-9]' * 8}T{'[0-9]' * 6}.{'[0-9]' * 6}Z"  # when a pull was started
STAMP = "%Y%m%dT%H%M%S.%fZ"  # the same for strptime; it sorts as text in the order of time
ANY_DAY = re.compile(r"(?<!\d)\d{4}-\d\d(?:-\d\d)?(?!\d)")  # or a month
ANY_STAMP = re.compile(r"(?<!\d)\d{8}T\d{6}\.\d{6}Z")


def is_real(name: str) -> bool:
    """Tell whether a name, or a path, has no day, month or moment in it that there is not."""
    try:
        for text in ANY_DAY.findall(name):
            date.fromisoformat(f"{text}-01"[:10])
        for text in ANY_STAMP.findall(name):
            datetime.strptime(text, STAMP)  # noqa: DTZ007 - it is read, and not kept
    except ValueError:
        return False
    return True
