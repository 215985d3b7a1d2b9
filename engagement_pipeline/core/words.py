"""Numbers and lists in a sentence.

In: a number and what it counts, or things. Out: words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW = 3  # examples that a sentence names


def counted(number: int, noun: str) -> str:
    """Return `1 request`, `1,200 requests`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def first_few(things: Sequence[object], most: int = FEW) -> str:
    """Return the first few things, and the number of the rest: `1, 2, 3 and 1,200 more`."""
    more = f" and {len(things) - most:,} more" if len(things) > most else ""
    return ", ".join(map(str, things[:most])) + more
