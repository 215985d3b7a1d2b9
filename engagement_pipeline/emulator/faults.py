"""The dials: everything that goes wrong with a real API, on request and repeatable.

In: dial settings and a request's number. Out: whether a fault happens to that request, and damaged response bodies. A
dial from 0 to 1 is the share of requests that it hits, by a hash of (seed, dial, number). A whole number n above 1 hits
each n-th request. So the same seed and the same order of requests give the same faults.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

import orjson

from engagement_pipeline.emulator import rules
from engagement_pipeline.emulator.chance import share
from engagement_pipeline.emulator.refusals import ForbiddenSpelling
from engagement_pipeline.emulator.world import HANDLES


@dataclass(frozen=True)
class Dials:
    """How often each fault happens, and the few settings that are not about chance."""

    # Instead of an answer.
    status_429: float = 0
    status_500: float = 0
    status_502: float = 0
    status_503: float = 0
    html_error: float = 0  # 502 with a proxy's HTML page
    # During the transfer.
    slow: float = 0  # answered after `slow_seconds`
    reset: float = 0  # the connection closes in the middle of the body
    truncated_gzip: float = 0  # half of the compressed body, declared as complete
    broken_json: float = 0  # half of the JSON, correctly compressed
    # In the content.
    missing_hours: float = 0  # hours without a count are left out, so the sums still match
    unknown_types: float = 0  # a type nobody asked for, in every grouping by type
    unknown_keys: float = 0  # an unknown key at the root
    numbers: float = 0  # counts as JSON numbers
    wrong_sums: float = 0  # one count of the first grouping is changed after the sums were made
    # Settings.
    slow_seconds: float = 1.0
    revoked_handles: tuple[str, ...] = ()
    vanished_tweet_ids: tuple[int, ...] = ()
    forbidden_spelling: ForbiddenSpelling = "author"
    app_not_approved: bool = False
    rate_headers: bool = True


STATUSES = (429, 500, 502, 503)
UNKNOWN_TYPE = "bookmarks"


class Faults:
    """The dials of one emulator. Any thread may set them, and they hold for the requests that follow."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.dials = Dials()

    def set(self, **changes: Any) -> None:  # noqa: ANN401  each dial has its own type, checked below
        """Set dials; the others stay. Raises ValueError for an unknown dial or an impossible value."""
        known = {dial.name for dial in fields(Dials)}
        if unknown := sorted(changes.keys() - known):
            raise ValueError(f"no such dial: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        self.dials = replace(self.dials, **{name: _checked(name, value) for name, value in changes.items()})

    def reset(self) -> None:
        """Set all dials to off."""
        self.dials = Dials()

    def read(self) -> dict[str, Any]:
        """Return all dials in JSON's terms: lists, and Tweet IDs as text."""
        dials = asdict(self.dials)
        dials["revoked_handles"] = list(self.dials.revoked_handles)
        dials["vanished_tweet_ids"] = [str(tweet_id) for tweet_id in self.dials.vanished_tweet_ids]
        return dials

    def happens(self, dial: str, number: int) -> bool:
        """Tell whether a fault hits the request with that number; the first is 1."""
        setting: float = getattr(self.dials, dial)
        if setting > 1:
            return number % int(setting) == 0
        return share(self._seed, dial, number) < setting

    def damage(self, body: bytes, number: int) -> bytes:
        """Return the body of a 200 with the content faults that hit this request."""
        due = [dial for dial in _DAMAGES if self.happens(dial, number)]
        if not due:
            return body
        parts = orjson.loads(body)
        names = [name for name in parts if name not in rules.RESERVED]
        for dial in due:
            _DAMAGES[dial](parts, names)
        return orjson.dumps(parts)


def _checked(name: str, value: Any) -> Any:  # noqa: ANN401  in and out: any dial's value
    """Return the value as `Dials` stores it. Raises ValueError for an impossible value."""
    if name in {"app_not_approved", "rate_headers"}:
        legal, wanted = isinstance(value, bool), "true or false"
    elif name == "forbidden_spelling":
        legal, wanted = value in get_args(ForbiddenSpelling), " or ".join(get_args(ForbiddenSpelling))
    elif name == "revoked_handles":
        handles = {handle.name for handle in HANDLES}
        legal = isinstance(value, list | tuple | set) and set(value) <= handles
        wanted = f"some of {', '.join(sorted(handles))}"
        value = tuple(sorted(value)) if legal else value
    elif name == "vanished_tweet_ids":
        legal = isinstance(value, list | tuple | set) and all(str(item).isdecimal() for item in value)
        wanted = "Tweet IDs"
        value = tuple(int(item) for item in value) if legal else value
    else:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == "slow_seconds":
            legal, wanted = is_number and value >= 0, "0 or more seconds"
        else:
            legal = is_number and (0 <= value <= 1 or (value > 1 and value == int(value)))
            wanted = "a share from 0 to 1, or a whole number n for each n-th request"
    if not legal:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return value


def _add_unknown_types(parts: dict[str, Any], names: Iterable[str]) -> None:
    def visit(branch: Any) -> None:  # noqa: ANN401  a nested grouping: dicts down to a count
        if not isinstance(branch, dict):
            return
        first = next(iter(branch), "")
        if first in rules.TYPES["totals"] or first in rules.TYPES["historical"]:
            branch[UNKNOWN_TYPE] = branch[first]
        else:
            for below in branch.values():
                visit(below)

    for name in names:
        visit(parts[name])


def _drop_empty_hours(parts: dict[str, Any], names: Iterable[str]) -> None:
    def visit(branch: Any) -> Any:  # noqa: ANN401  a nested grouping: dicts down to a count
        if not isinstance(branch, dict):
            return branch
        hour_digits = 2
        return {key: visit(below) for key, below in branch.items() if len(key) != hour_digits or below not in ("0", 0)}

    for name in names:
        parts[name] = visit(parts[name])


def _change_a_count(parts: dict[str, Any], names: Iterable[str]) -> None:
    branch = parts[next(iter(names))]
    while branch:
        key = next(iter(branch))
        if not isinstance(branch[key], dict):
            branch[key] = str(int(branch[key]) + 1)
            return
        branch = branch[key]


def _counts_as_numbers(parts: dict[str, Any], names: Iterable[str]) -> None:
    def visit(branch: Any) -> Any:  # noqa: ANN401  a nested grouping: dicts down to a count
        if isinstance(branch, dict):
            return {key: visit(below) for key, below in branch.items()}
        return int(branch)

    for name in names:
        parts[name] = visit(parts[name])


def _add_unknown_key(parts: dict[str, Any], _names: Iterable[str]) -> None:
    parts["request_trace"] = {"id": "0f3a", "shards": ["a", "b"]}


# In the order in which they change a body.
_DAMAGES = {
    "unknown_types": _add_unknown_types,
    "missing_hours": _drop_empty_hours,
    "wrong_sums": _change_a_count,
    "numbers": _counts_as_numbers,
    "unknown_keys": _add_unknown_key,
}
