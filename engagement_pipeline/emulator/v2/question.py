"""What an endpoint of X API v2 gets to answer: who asks for what, of which world, under which dials."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engagement_pipeline.emulator.dials import Faults
from engagement_pipeline.emulator.v2.dials import Dials
from engagement_pipeline.emulator.world import World

Kind = Literal["OAuth 1.0a User Context", "OAuth 2.0 User Context", "OAuth 2.0 Application-Only"]


@dataclass(frozen=True)
class Caller:
    """Who asks: a handle, or None for the app alone. `scopes` are those of an OAuth 2 token; OAuth 1.0a has all."""

    kind: Kind
    handle: str | None
    scopes: frozenset[str] | None = None


class Reads:
    """The Posts that the project has read by UTC day, each counted once a day, as the vendor bills them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_day: dict[str, set[str]] = {}

    def add(self, post_ids: Iterable[str]) -> None:
        """Count Posts that an answer holds."""
        self._by_day.setdefault(f"{self._world.now().date()}", set()).update(post_ids)

    def by_day(self) -> Mapping[str, int]:
        """Return the number of Posts by day, oldest first."""
        return {day: len(self._by_day[day]) for day in sorted(self._by_day)}


@dataclass(frozen=True)
class Question:
    """One request that has passed auth, rate and faults; `number` counts from 1."""

    pairs: Sequence[tuple[str, str]]
    path: Mapping[str, str]
    caller: Caller
    world: World
    faults: Faults[Dials]
    reads: Reads
    number: int

    @property
    def dials(self) -> Dials:
        """Return the dials as they are now."""
        return self.faults.dials

    def hit_by(self, dial: str) -> bool:
        """Tell whether a fault hits this request."""
        return self.faults.happens(dial, self.number)
