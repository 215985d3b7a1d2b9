"""engagement.toml and ENGAGEMENT_* variables -> one frozen Settings, read once at the edge.

In: the file that ENGAGEMENT_CONFIG names, or ./engagement.toml if it exists; and the environment, which wins for each
key. Out: Settings with absolute paths. Paths in the file are relative to the file. Paths in the environment are
relative to the working directory.
"""

from __future__ import annotations

import difflib
import glob
import logging
import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import HISTORICAL_SINCE, METRICS, RENAMED
from engagement_pipeline.core.redaction import register

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)
DEFAULT_FILE = "engagement.toml"
PREFIX = "ENGAGEMENT_"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MAX_LOOKBACK_DAYS = 28  # one window of /historical; more would cost a second request a batch every day
OLDEST_DAY = HISTORICAL_SINCE
SECRETS = {"alert_webhook"}  # settings: no message shows their values
PATIENCE_MINUTES = 15  # where nobody waits for the pull
PATIENCE_AT_A_TERMINAL = 3  # minutes
LARGEST_PORT = 65_535
DAY_MINUTES = 24 * 60
LARGEST_NUMBER = 1_000_000  # of any setting; the system's clocks and time-outs allow little more


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, with their defaults. The names contain the units."""

    api_url: str = "https://data-api.twitter.com"
    auth_url: str = "https://api.twitter.com"
    data: Path = Path("data")
    accounts: Path = Path("accounts.toml")
    tweets: str = "data/tweets/*"
    skip_bad_rows: bool = False
    history_days: int | None = None
    first_day: date = date(2025, 1, 1)
    lookback_days: int = 28
    requests_per_minute: int = 60
    types: tuple[str, ...] = tuple(metric.name for metric in METRICS)
    patience_minutes: int | None = None
    tries: int = 6
    timeout_seconds: int = 60
    resume_hours: int = 24
    keep_raw_days: int = 90
    restated_percent: int = 50
    daily_at: time = time(2, 30)
    lifetime_at: time = time(3)
    hourly_minute: int = 10
    alert_webhook: str = field(default="", repr=False)  # whoever has the address can post there
    alert_mail: str = ""
    alert_smtp: str = "localhost:25"
    dagster_url: str = "http://127.0.0.1:3000"
    now: datetime | None = None

    def current_time(self) -> datetime:
        """Return the fixed `now` if it is set, otherwise the time of the clock, in UTC."""
        return self.now or datetime.now(UTC)

    def patience(self) -> int:
        """Return for how many minutes a pull waits for an API that is down; a terminal sets fewer."""
        return PATIENCE_MINUTES if self.patience_minutes is None else self.patience_minutes

    def oldest_day(self) -> date:
        """Return the first UTC day that /historical serves completely; the setting `history_days` limits it."""
        if self.history_days is None:
            return OLDEST_DAY
        return max(OLDEST_DAY, self.current_time().date() - timedelta(days=self.history_days - 1))

    def last_whole_day(self) -> date:
        """Return the last UTC day that is over: the newest that /historical serves completely."""
        return self.current_time().date() - timedelta(days=1)

    def look_back_day(self, last: date | None = None) -> date:
        """Return the first UTC day of the look-back that ends with `last`, by default the last whole day.

        It is after `last` where that is before first_day, or before the API's first day: there is no look-back then.
        """
        end = last or self.last_whole_day()
        reach = end.toordinal() - self.lookback_days + 1  # a user's `last` may be near the first day of the calendar
        return max(self.first_day, self.oldest_day(), date.fromordinal(max(1, reach)))


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raise InputError with the file or variable and the fix."""
    named = environ.get(PREFIX + "CONFIG")
    path = Path(named or DEFAULT_FILE)
    raw: dict[str, tuple[Any, Path, str]] = {}  # key -> value, the base of its paths, the place where it is set
    if named or path.exists():
        for key, value in _read(path).items():
            raw[key] = (value, path.absolute().parent, f"{path}: {key}")
    for variable, value in environ.items():
        key = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or key == "config" or not value:
            continue
        if key in _PARSERS:
            raw[key] = (value, Path.cwd(), variable)
        else:
            logger.warning("%s is not a setting of this program%s", variable, _suggestion(key))
    for key in SECRETS & raw.keys():
        _register_address(str(raw[key][0]))
    parsed = {key: _parse(key, value, base, where) for key, (value, base, where) in raw.items()}
    for key in ("data", "accounts", "tweets"):
        parsed.setdefault(key, _PARSERS[key](getattr(Settings(), key), Path.cwd()))
    return Settings(**parsed)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: create it or unset {PREFIX}CONFIG") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    for key in document:
        if key not in _PARSERS:
            raise InputError(f"{path}: unknown setting {key!r}{_suggestion(key)}")
    return document


def _register_address(address: str) -> None:
    """Have an address that is a secret masked, and the part of it that an HTTP library names alone."""
    host, path = re.sub(r"^\w+://", "", address.rstrip("/")).partition("/")[::2]
    password = host.rpartition("@")[0].partition(":")[2]
    register(address, address.rstrip("/"), f"/{path}", path.rpartition("/")[2], password)


def _suggestion(key: str) -> str:
    close = difflib.get_close_matches(key, _PARSERS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _parse(key: str, value: Any, base: Path, where: str) -> Any:  # noqa: ANN401 - TOML and text hold anything
    try:
        return _PARSERS[key](value, base)
    except ValueError as error:
        shown = "…" if key in SECRETS else value if isinstance(value, date) else repr(value)
        raise InputError(f"{where} = {shown}: {error}") from None


def _url(value: Any, _base: Path) -> str:  # noqa: ANN401
    parts = _parts(value)
    if parts is None:
        raise ValueError("must be a URL such as https://data-api.twitter.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be https: http is only for the emulator on this machine")
    return str(value).rstrip("/")


def _webhook(value: Any, _base: Path) -> str:  # noqa: ANN401
    parts = _parts(value)
    if parts is None or (parts.scheme == "http" and parts.hostname not in LOOPBACK):
        raise ValueError("must be a URL that begins with https://, as the channel gave it")
    return str(value)


def _page(value: Any, _base: Path) -> str:  # noqa: ANN401
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


def _mail_address(value: Any, _base: Path) -> str:  # noqa: ANN401
    if not re.fullmatch(r"[^@\s<>,;:\"()]+@[^@\s<>,;:\"()]+", str(value)):
        raise ValueError("must be one address such as team@example.com")
    return str(value)


def _relay(value: Any, _base: Path) -> str:  # noqa: ANN401
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= LARGEST_PORT or set(host) & set(" \t\n/@"):
        raise ValueError("must be a host and a port such as localhost:25")
    return str(value)


def _path(value: Any, base: Path) -> Path:  # noqa: ANN401
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError("must be a path, as text")
    try:
        return base / Path(value).expanduser()
    except RuntimeError:
        raise ValueError("the home folder of ~ is not known: write the path in full") from None


def _glob(value: Any, base: Path) -> str:  # noqa: ANN401
    return str(_path(value, Path(glob.escape(str(base)))))  # only the user's part is a pattern


def _yes_or_no(value: Any, _base: Path) -> bool:  # noqa: ANN401
    text = str(value).strip().lower()
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _day(value: Any, _base: Path) -> date:  # noqa: ANN401
    day = value if type(value) is date else parse_day(str(value))
    if day < OLDEST_DAY:
        raise ValueError(f"the API has no data before {OLDEST_DAY}")
    return day


def _at_least_one(value: Any, _base: Path) -> int:  # noqa: ANN401
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or not 1 <= int(text) <= LARGEST_NUMBER:
        raise ValueError(f"must be a whole number of at least 1 and at most {LARGEST_NUMBER:,}")
    return int(text)


def _minutes(value: Any, _base: Path) -> int:  # noqa: ANN401
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or int(text) > DAY_MINUTES:
        raise ValueError(f"must be a whole number of minutes, at most {DAY_MINUTES:,}; 0 does not wait")
    return int(text)


def _lookback(value: Any, base: Path) -> int:  # noqa: ANN401
    days = _at_least_one(value, base)
    if days > MAX_LOOKBACK_DAYS:
        raise ValueError(f"must be at most {MAX_LOOKBACK_DAYS}, the days that one request can hold")
    return days


def _time_of_day(value: Any, _base: Path) -> time:  # noqa: ANN401
    text = str(value)[: len("02:30")] if isinstance(value, time) else str(value)  # TOML has times too, with seconds
    try:
        moment = datetime.strptime(text, "%H:%M")  # noqa: DTZ007 - a time of the day; schedules are in UTC
    except ValueError:
        raise ValueError("must be a time of the day in UTC such as 02:30") from None
    return moment.time()


def _minute(value: Any, _base: Path) -> int:  # noqa: ANN401
    text = str(value).strip()
    if isinstance(value, bool | float) or not (text.isascii() and text.isdecimal()) or int(text) not in range(60):
        raise ValueError("must be a minute of the hour, 0 to 59")
    return int(text)


def _types(value: Any, _base: Path) -> tuple[str, ...]:  # noqa: ANN401
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list):
        raise ValueError('must be a list such as ["impressions", "engagements"]')  # noqa: TRY004 - all parsers raise this one
    known = [metric.name for metric in METRICS]
    unknown = [str(name) for name in names if name not in known]
    if unknown or not names:
        told = [f"{name} (now {RENAMED[name]})" if name in RENAMED else name for name in unknown]
        raise ValueError(f"{', '.join(told) or 'nothing'} is not an engagement type; choose from {', '.join(known)}")
    return tuple(sorted(set(names)))


def _now(value: Any, _base: Path) -> datetime:  # noqa: ANN401
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be a time such as 2026-02-01T00:00:00Z") from None
    if moment.date() <= OLDEST_DAY:
        raise ValueError(f"the API has no data before {OLDEST_DAY}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "api_url": _url,
    "auth_url": _url,
    "data": _path,
    "accounts": _path,
    "tweets": _glob,
    "skip_bad_rows": _yes_or_no,
    "history_days": _at_least_one,
    "first_day": _day,
    "lookback_days": _lookback,
    "requests_per_minute": _at_least_one,
    "types": _types,
    "patience_minutes": _minutes,
    "tries": _at_least_one,
    "timeout_seconds": _at_least_one,
    "resume_hours": _at_least_one,
    "keep_raw_days": _at_least_one,
    "restated_percent": _at_least_one,
    "daily_at": _time_of_day,
    "lifetime_at": _time_of_day,
    "hourly_minute": _minute,
    "alert_webhook": _webhook,
    "alert_mail": _mail_address,
    "alert_smtp": _relay,
    "dagster_url": _page,
    "now": _now,
}
assert set(_PARSERS) == {field.name for field in fields(Settings)}


def parse_day(text: str) -> date:
    """Read `2026-01-31`; raise ValueError with the fix."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python accepts more: weeks, and digits with a suffix
        raise ValueError(f"{text!r} is not a day such as 2026-01-31")
    return day
