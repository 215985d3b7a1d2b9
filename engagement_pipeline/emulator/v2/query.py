"""Reads query parameters as the description of X API v2 declares them.

In: the parameters of a request. Out: typed values, or a `Problem` (400) that names the parameter. Rules that the
description leaves open are marked "ours".
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from engagement_pipeline.emulator.v2.problems import invalid

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,9}")


def given(pairs: Sequence[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """Return the parameters of a request by name. Raises Problem for an unknown or, ours, a repeated one."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise invalid(name, [value], f"The query parameter [{name}] is not one of [{','.join(known)}]")
        if name in found:
            raise invalid(name, [found[name], value], f"The query parameter [{name}] is given more than once")
        found[name] = value
    return found


def listed(query: Mapping[str, str], name: str, *, pattern: re.Pattern[str], most: int) -> tuple[str, ...]:
    """Return a required list of 1 to `most` values, each once. Ours: repeated values count to the limit."""
    values = query.get(name, "").split(",")
    if values == [""]:
        raise invalid(name, [], f"The `{name}` query parameter can not be empty")
    if len(values) > most:
        raise invalid(
            name,
            values,
            f"The number of values in the `{name}` query parameter list [{len(values)}] is not between 1 and {most}",
        )
    for value in values:
        if not pattern.fullmatch(value):
            raise invalid(
                name, [value], f"The `{name}` query parameter value [{value}] does not match {pattern.pattern}"
            )
    return tuple(dict.fromkeys(values))


def fields(query: Mapping[str, str], name: str, *, legal: Collection[str]) -> tuple[str, ...]:
    """Return the values of an optional list, each of `legal` and once."""
    if name not in query:
        return ()
    values = query[name].split(",")
    for value in values:
        if value not in legal:
            raise invalid(
                name, [value], f"The `{name}` query parameter value [{value}] is not one of [{','.join(legal)}]"
            )
    return tuple(dict.fromkeys(values))


def choice(query: Mapping[str, str], name: str, *, legal: Collection[str], default: str) -> str:
    """Return one of `legal`."""
    value = query.get(name, default)
    if value not in legal:
        raise invalid(name, [value], f"The `{name}` query parameter value [{value}] is not one of [{','.join(legal)}]")
    return value


def whole(query: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    """Return a whole number from `least` to `most`."""
    value = query.get(name, str(default))
    if not WHOLE.fullmatch(value) or not least <= int(value) <= most:
        raise invalid(name, [value], f"The `{name}` query parameter value [{value}] is not between {least} and {most}")
    return int(value)


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a time in UTC, or None if it is not given."""
    value = query.get(name)
    if value is None:
        return None
    try:
        if MOMENT.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:  # 30 February
        pass
    raise invalid(name, [value], f"Invalid '{name}':'{value}'. It must be a date-time of RFC 3339 in UTC")
