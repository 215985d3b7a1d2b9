"""Dials: settings of an emulated API that tests turn while it runs, and the faults that they cause.

In: dial settings and a request's number. Out: whether a fault happens to that request, and damaged response bodies. A
dial from 0 to 1 is the share of requests that it hits, by a hash of (seed, dial, number). A whole number n above 1 hits
each n-th request. So the same seed and the same order of requests give the same faults.

Each API has its own dials: a dataclass that begins with those of `WireDials`. The type of a dial says which values it
takes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

import orjson

from engagement_pipeline.emulator.chance import share
from engagement_pipeline.emulator.world import HANDLES

Damage = Callable[[dict[str, Any]], None]  # changes the parsed body of a 200
HANDLE_NAMES = sorted(handle.name for handle in HANDLES)


def _same(value: Any) -> Any:  # noqa: ANN401  any dial's value
    return value


@dataclass(frozen=True)
class Kind:
    """The values that a dial takes: a test, the words for it, the stored form and the form in JSON."""

    wanted: str
    legal: Callable[[Any], bool]
    stored: Callable[[Any], Any] = _same
    shown: Callable[[Any], Any] = _same


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def some_of(*words: str) -> Kind:
    """Return the kind of a list that holds none but these words."""
    return Kind(
        f"some of {', '.join(words)}",
        lambda value: isinstance(value, list | tuple | set) and set(value) <= {*words},
        lambda value: tuple(sorted(value)),
        list,
    )


def one_of(*words: str) -> Kind:
    """Return the kind of a choice between these words."""
    return Kind(" or ".join(words), lambda value: value in words)


Chance = Annotated[
    float,
    Kind(
        "a share from 0 to 1, or a whole number n for each n-th request",
        lambda value: _is_number(value) and (0 <= value <= 1 or (value > 1 and value == int(value))),
    ),
]
Flag = Annotated[bool, Kind("true or false", lambda value: isinstance(value, bool))]
Seconds = Annotated[float, Kind("0 or more seconds", lambda value: _is_number(value) and value >= 0)]
Number = Annotated[float, Kind("a number", _is_number)]
Integer = Annotated[int, Kind("a whole number", lambda value: _is_number(value) and value == int(value), int)]
Whole = Annotated[
    int, Kind("0 or a whole number above", lambda value: _is_number(value) and value >= 0 and value == int(value), int)
]
Share = Annotated[float, Kind("a share from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)]
Handles = Annotated[tuple[str, ...], some_of(*HANDLE_NAMES)]
TweetIds = Annotated[
    tuple[int, ...],
    Kind(
        "Tweet IDs",
        lambda value: isinstance(value, list | tuple | set) and all(str(item).isdecimal() for item in value),
        lambda value: tuple(int(item) for item in value),
        lambda value: [str(item) for item in value],
    ),
]


@dataclass(frozen=True)
class WireDials:
    """What goes wrong with any API over HTTP, what nobody expects of its answers, and two settings of its world."""

    # Instead of an answer.
    status_429: Chance = 0
    status_500: Chance = 0
    status_502: Chance = 0
    status_503: Chance = 0
    html_error: Chance = 0  # 502 with a proxy's HTML page
    # During the transfer.
    slow: Chance = 0  # answered after `slow_seconds`
    reset: Chance = 0  # the connection closes in the middle of the body
    truncated_gzip: Chance = 0  # half of the compressed body, declared as complete
    broken_json: Chance = 0  # half of the JSON, correctly compressed
    # In the answer.
    unknown_keys: Chance = 0  # an unknown key at the root; of X API v2, in each object of `data` too
    unknown_headers: Chance = 0  # a header of the rate that nobody knows, and one of a network on the way
    unknown_texts: Chance = 0  # an error in words that nobody knows, in a 200 of counts
    fraction_counts: Chance = 0  # the first count of the answer has a fraction
    # Settings.
    slow_seconds: Seconds = 1.0
    revoked_handles: Handles = ()
    vanished_tweet_ids: TweetIds = ()
    rate_headers: Flag = True


# The headers of the dial unknown_headers.
UNKNOWN_HEADERS: Mapping[str, str] = {"x-rate-limit-burst": "12", "x-served-from": "cell-4"}

D = TypeVar("D", bound=WireDials)


class Faults(Generic[D]):
    """The dials of one API. Any thread may set them, and they hold for the requests that follow."""

    def __init__(self, seed: int, at_rest: D) -> None:
        self._seed = seed
        self._at_rest = at_rest
        self._kinds: dict[str, Kind] = {
            name: hint.__metadata__[0] for name, hint in get_type_hints(type(at_rest), include_extras=True).items()
        }
        self.dials = at_rest

    def set(self, **changes: Any) -> None:  # noqa: ANN401  each dial has its own type, checked below
        """Set dials; the others stay. Raises ValueError for an unknown dial or an impossible value."""
        if unknown := sorted(changes.keys() - self._kinds):
            raise ValueError(f"no such dial: {', '.join(unknown)}; there are {', '.join(sorted(self._kinds))}")
        for name, value in changes.items():
            if not self._kinds[name].legal(value):
                raise ValueError(f"{name} must be {self._kinds[name].wanted}, got {value!r}")
        self.dials = replace(self.dials, **{name: self._kinds[name].stored(value) for name, value in changes.items()})

    def reset(self) -> None:
        """Set all dials to off."""
        self.dials = self._at_rest

    def read(self) -> dict[str, Any]:
        """Return all dials in JSON's terms: lists, and Tweet IDs as text."""
        return {dial.name: self._kinds[dial.name].shown(getattr(self.dials, dial.name)) for dial in fields(self.dials)}

    def happens(self, dial: str, number: int) -> bool:
        """Tell whether a fault hits the request with that number; the first is 1."""
        setting: float = getattr(self.dials, dial)
        if setting > 1:
            return number % int(setting) == 0
        return share(self._seed, dial, number) < setting

    def damaged(self, body: bytes, number: int, damages: Mapping[str, Damage]) -> bytes:
        """Return the body of a 200 with those of the damages, by dial, that hit this request."""
        due = [damage for dial, damage in damages.items() if self.happens(dial, number)]
        if not due:
            return body
        parts = orjson.loads(body)
        for damage in due:
            damage(parts)
        return orjson.dumps(parts)
