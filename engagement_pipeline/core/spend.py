"""What a month uses of what the contracts count: requests, handles and Posts read.

In: the settings with the limits, and what the log of requests says. Out: frozen values. A month is a calendar month of
UTC. Each try of a request counts as one, however it ended. Handles are those that the Engagement API was asked for. A
Post that X API v2 gave counts once a UTC day. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a month may use, None without a limit, and the price of a Post read; each is the setting of its name."""

    requests_per_month: int | None = None
    handles_per_month: int | None = None
    posts_per_month: int | None = None
    price_per_read: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a month has used.

    requests: the tries of all requests.
    answered: the requests that the API answered.
    handles: the handles that the Engagement API was asked for.
    posts: the Posts that X API v2 gave, by UTC day.
    unnamed: further Posts that it gave, which are forgotten since.
    """

    requests: int = 0
    answered: int = 0
    handles: frozenset[str] = frozenset()
    posts: Mapping[date, frozenset[int]] = field(default_factory=dict)
    unnamed: int = 0

    @property
    def posts_read(self) -> int:
        """How many Posts were read, each counted once a UTC day."""
        return sum(map(len, self.posts.values())) + self.unnamed
