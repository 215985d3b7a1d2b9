"""What a check found, in words.

In: findings. Out: a Verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found: whether what it looked at passed, the finding in words, and the numbers behind it.

    `warns`: what it found may be right.
    """

    passed: bool
    words: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    warns: bool = False
