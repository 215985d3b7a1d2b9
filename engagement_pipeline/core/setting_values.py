"""What somebody writes for a setting -> its value.

In: a value as TOML or a variable has it, and the folder that a path in it is relative to. Out: the value. Each function
raises ValueError that says what must stand there.
"""

from __future__ import annotations

import glob
import math
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import OF_TWEETS
from engagement_pipeline.core.handles import parse_handle
from engagement_pipeline.core.loopback import is_loopback
from engagement_pipeline.core.metrics import HISTORICAL_SINCE, METRICS, RENAMED
from engagement_pipeline.core.places import FORM, in_bucket, is_address

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LOOKBACK_DAYS = 28  # one window of /historical; more would cost a second request a batch every day
OLDEST_DAY = HISTORICAL_SINCE
BOTH = "both"  # of the setting source: each in turn
LARGEST_PORT = 65_535
DAY_MINUTES = 24 * 60
LAST_YEAR = 9998  # of `now`: there must be days after it
LARGEST_NUMBER = 1_000_000  # of most settings; the system's clocks and time-outs allow little more
LARGEST_OF_A_MONTH = 10**12  # requests, handles or Posts


def url(value: Any, _base: Path) -> str:  # noqa: ANN401
    """Read the address of an API."""
    parts = _parts(value)
    if parts is None:
        raise ValueError("must be a URL such as https://data-api.twitter.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: http is only for the emulator on this machine")
    if "@" in str(value):
        raise ValueError("must have no login in it: the keys and tokens of the accounts file sign each request")
    return str(value).rstrip("/")


def one_of(*names: str) -> Callable[[Any, Path], str]:
    """Return the reader of one of some names."""

    def parsed(value: Any, _base: Path) -> str:  # noqa: ANN401
        if value not in names:
            raise ValueError(f"must be {' or '.join(names)}")
        return str(value)

    return parsed


def source_of(value: Any, base: Path) -> tuple[tuple[str, str], ...] | None:  # noqa: ANN401
    """Read the source of each of some handles."""
    parts = [part.partition("=") for part in value.split()] if isinstance(value, str) else []
    written = {handle: source for handle, _, source in parts} if isinstance(value, str) else value
    if not isinstance(written, dict) or not all(sign for _, sign, _ in parts):
        raise ValueError('must be a table such as { some_handle = "x_api_v2" }, in a variable some_handle=x_api_v2')
    one = one_of(*OF_TWEETS, BOTH)
    return tuple(sorted((parse_handle(handle), one(source, base)) for handle, source in written.items())) or None


def webhook(value: Any, _base: Path) -> str:  # noqa: ANN401
    """Read the address of a channel."""
    parts = _parts(value)
    if parts is None or (parts.scheme == "http" and not is_loopback(parts.hostname)):
        raise ValueError("must be a URL that begins with https://, as the channel gave it")
    return str(value)


def page(value: Any, _base: Path) -> str:  # noqa: ANN401
    """Read the address of a page."""
    if _parts(value) is None:
        raise ValueError("must be a URL such as http://127.0.0.1:3000")
    return str(value).rstrip("/")


def _parts(value: Any) -> SplitResult | None:  # noqa: ANN401
    """Split a web address into its parts; return None if it is not one."""
    try:
        parts = urlsplit(str(value))
        (parts.hostname or "").encode("idna")  # as a look-up of the name will do
        legal = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # not a port, a name or an IPv6 address
        return None
    return parts if legal else None


def mail_address(value: Any, _base: Path) -> str:  # noqa: ANN401
    """Read an address for mail."""
    if not re.fullmatch(r"[^@\s<>,;:\"()]+@[^@\s<>,;:\"()]+", str(value)):
        raise ValueError("must be one address such as team@example.com")
    return str(value)


def relay(value: Any, _base: Path) -> str:  # noqa: ANN401
    """Read a host and a port."""
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= LARGEST_PORT or set(host) & set(" \t\n/@"):
        raise ValueError("must be a host and a port such as localhost:25, without a login")
    return str(value)


def path(value: Any, base: Path) -> Path:  # noqa: ANN401
    """Read a path."""
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError("must be a path, as text")
    try:
        return base / Path(value).expanduser()
    except RuntimeError:
        raise ValueError("the home folder of ~ is not known: write the path in full") from None


def lake(value: Any, base: Path) -> Path:  # noqa: ANN401
    """Read the place of a lake: a path, or an address in object storage."""
    return in_bucket(value.strip()) if isinstance(value, str) and is_address(value.strip()) else path(value, base)


def bucket(value: Any, _base: Path) -> Path:  # noqa: ANN401
    """Read a place in a bucket."""
    if not is_address(str(value).strip()):
        raise ValueError(f"must be an address such as {FORM}")
    return in_bucket(str(value).strip())


def pattern(value: Any, base: Path) -> str:  # noqa: ANN401
    """Read a pattern of paths."""
    return str(path(value, Path(glob.escape(str(base)))))  # only the user's part is a pattern


def yes_or_no(value: Any, _base: Path) -> bool:  # noqa: ANN401
    """Read true or false."""
    text = str(value).strip().lower()
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def day(value: Any, _base: Path) -> date:  # noqa: ANN401
    """Read a day that the API has."""
    day = value if type(value) is date else parse_day(str(value))
    if day < OLDEST_DAY:
        raise ValueError(f"the API has no data before {OLDEST_DAY}")
    return day


def at_least_one(value: Any, _base: Path) -> int:  # noqa: ANN401
    """Read a whole number."""
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or not 1 <= int(text) <= LARGEST_NUMBER:
        raise ValueError(f"must be a whole number of at least 1 and at most {LARGEST_NUMBER:,}")
    return int(text)


def of_a_month(value: Any, _base: Path) -> int:  # noqa: ANN401
    """Read what a month may use."""
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or not 1 <= int(text) <= LARGEST_OF_A_MONTH:
        raise ValueError(f"must be a whole number of at least 1 and at most {LARGEST_OF_A_MONTH:,}")
    return int(text)


def price(value: Any, _base: Path) -> float:  # noqa: ANN401
    """Read a price."""
    try:
        price = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError):
        price = math.nan
    if not 0 < price <= LARGEST_NUMBER:  # which no NaN is
        raise ValueError("must be a number above 0 such as 0.005, in a currency of your own")
    return price


def minutes(value: Any, _base: Path) -> int:  # noqa: ANN401
    """Read minutes."""
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or int(text) > DAY_MINUTES:
        raise ValueError(f"must be a whole number of minutes, at most {DAY_MINUTES:,}; 0 does not wait")
    return int(text)


def lookback(value: Any, base: Path) -> int:  # noqa: ANN401
    """Read the days of a window."""
    days = at_least_one(value, base)
    if days > MAX_LOOKBACK_DAYS:
        raise ValueError(f"must be at most {MAX_LOOKBACK_DAYS}, the days that one request can hold")
    return days


def time_of_day(value: Any, _base: Path) -> time:  # noqa: ANN401
    """Read a time of the day in UTC."""
    text = str(value)[: len("02:30")] if isinstance(value, time) else str(value)  # TOML has times too, with seconds
    try:
        moment = datetime.strptime(text, "%H:%M")  # noqa: DTZ007 - a time of the day; schedules are in UTC
    except ValueError:
        raise ValueError("must be a time of the day in UTC such as 02:30") from None
    return moment.time()


def minute(value: Any, _base: Path) -> int:  # noqa: ANN401
    """Read a minute of the hour."""
    text = str(value).strip()
    if isinstance(value, bool | float) or not (text.isascii() and text.isdecimal()) or int(text) not in range(60):
        raise ValueError("must be a minute of the hour, 0 to 59")
    return int(text)


def types(value: Any, _base: Path) -> tuple[str, ...]:  # noqa: ANN401
    """Read the names of engagement types."""
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list):
        raise ValueError('must be a list such as ["impressions", "engagements"]')  # noqa: TRY004 - all parsers raise this one
    known = [metric.name for metric in METRICS]
    unknown = [str(name) for name in names if name not in known]
    if unknown or not names:
        told = [f"{name} (now {RENAMED[name]})" if name in RENAMED else name for name in unknown]
        raise ValueError(f"{', '.join(told) or 'nothing'} is not an engagement type; choose from {', '.join(known)}")
    return tuple(sorted(set(names)))


def now(value: Any, _base: Path) -> datetime:  # noqa: ANN401
    """Read a moment; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be a time such as 2026-02-01T00:00:00Z") from None
    if moment.date() <= OLDEST_DAY:
        raise ValueError(f"the API has no data before {OLDEST_DAY}")
    if moment.year > LAST_YEAR:
        raise ValueError(f"must be before the year {LAST_YEAR + 1}, in which the calendar ends")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
