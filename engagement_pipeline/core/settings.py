"""Variables and files -> one frozen Settings, read once at the edge.

In: the environment, and the files that setting_files.py finds. Out: Settings with absolute paths. For each setting, the
first of these that has it wins:

    ENGAGEMENT_<KEY>                                    a variable
    the file of --config, or else of ENGAGEMENT_CONFIG   read in place of the next three
    ./engagement.local.toml                             this folder's, which git ignores
    $XDG_CONFIG_HOME/engagement/engagement.toml         the user's; by default in ~/.config
    ./engagement.toml                                   the project's, which states the defaults
    Settings                                            the defaults of the program

Paths in a file are relative to the file. Paths in the environment are relative to the working directory.
"""

from __future__ import annotations

import glob
import logging
import math
import os
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from engagement_pipeline.core import setting_files
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.endpoints import MEDIA, OF_TWEETS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import parse_handle
from engagement_pipeline.core.loopback import is_loopback
from engagement_pipeline.core.metrics import HISTORICAL_SINCE, METRICS, RENAMED
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.redaction import register_address
from engagement_pipeline.core.spend import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engagement_pipeline.core.endpoints import Endpoint

logger = logging.getLogger(__name__)
PREFIX = "ENGAGEMENT_"
MAX_LOOKBACK_DAYS = 28  # one window of /historical; more would cost a second request a batch every day
OLDEST_DAY = HISTORICAL_SINCE
SECRETS = {"alert_webhook"}  # settings: no message shows their values
PATHS = {"data", "accounts", "tweets", "reports"}  # settings whose defaults are relative to the working directory
AUDITS = ("off", "first", "always")  # of the setting x_audit
BOTH = "both"  # of the setting source: each in turn
DEFAULT = "default"  # the origin of what nobody has set
PATIENCE_MINUTES = 15  # where nobody waits for the pull
PATIENCE_AT_A_TERMINAL = 3  # minutes
LARGEST_PORT = 65_535
DAY_MINUTES = 24 * 60
LAST_YEAR = 9998  # of `now`: there must be days after it
LARGEST_NUMBER = 1_000_000  # of most settings; the system's clocks and time-outs allow little more
LARGEST_OF_A_MONTH = 10**12  # requests, handles or Posts


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, with their defaults. The names contain the units."""

    source: str = "engagement"
    source_of: tuple[tuple[str, str], ...] | None = None  # by handle
    shown_source: str = "engagement"
    media: bool = False
    api_url: str = "https://data-api.twitter.com"
    x_api_url: str = "https://api.x.com"
    auth_url: str = "https://api.twitter.com"
    data: Path = Path("data")
    accounts: Path = Path("accounts.toml")
    tweets: str = "data/tweets/*"
    skip_bad_rows: bool = False
    history_days: int | None = None
    requests_per_month: int | None = None
    handles_per_month: int | None = None
    posts_per_month: int | None = None
    price_per_read: float | None = None
    first_day: date = date(2025, 1, 1)
    lookback_days: int = 28
    requests_per_minute: int = 60
    x_requests_per_15_minutes: int = 300
    x_window_days: int = 28
    x_audit: str = "first"
    types: tuple[str, ...] = tuple(metric.name for metric in METRICS)
    patience_minutes: int | None = None
    tries: int = 6
    timeout_seconds: int = 60
    resume_hours: int = 24
    keep_raw_days: int = 90
    forget_deleted_days: int | None = None
    restated_percent: int = 50
    roster_at: time = time(1, 30)
    daily_at: time = time(2, 30)
    lifetime_at: time = time(3)
    hourly_minute: int = 10
    alert_webhook: str = field(default="", repr=False)  # whoever has the address can post there
    alert_mail: str = ""
    alert_smtp: str = "localhost:25"
    reports: Path = Path("reports")
    report_mail: str = ""
    dagster_url: str = "http://127.0.0.1:3000"
    now: datetime | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that a pull asks for the counts of Tweets, in this order; the first is that of most accounts."""
        named = (self.source, *dict(self.source_of or ()).values())
        return tuple(dict.fromkeys(source for name in named for source in _sources(name)))

    def sources_of(self, handle: str) -> tuple[str, ...]:
        """Return the sources that a pull asks for the Tweets of a handle, in this order."""
        return _sources(dict(self.source_of or ()).get(handle, self.source))

    @property
    def hourly(self) -> tuple[Endpoint, ...]:
        """The endpoints that a pull asks for hours, in this order."""
        return (*(OF_TWEETS[source] for source in self.sources), *([MEDIA] if self.media else []))

    @property
    def limits(self) -> Limits:
        """What a month may use."""
        return Limits(**{each.name: getattr(self, each.name) for each in fields(Limits)})

    def current_time(self) -> datetime:
        """Return the fixed `now` if it is set, otherwise the time of the clock, in UTC."""
        return self.now or datetime.now(UTC)

    def patience(self) -> int:
        """Return for how many minutes a pull waits for an API that is down; a terminal sets fewer.

        Whoever wants one try of a request does not want to wait, unless the minutes are set too.
        """
        if self.patience_minutes is None:
            return PATIENCE_MINUTES if self.tries > 1 else 0
        return self.patience_minutes

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


def _sources(name: str) -> tuple[str, ...]:
    """Return what a value of the settings source and source_of stands for."""
    return tuple(OF_TWEETS) if name == BOTH else (name,)


class Chosen(NamedTuple):
    """The value of a setting, and its origin: a variable, a file, or DEFAULT."""

    value: Any
    origin: str


class _Written(NamedTuple):
    """What somebody wrote for a setting: as it stands there, the base of paths in it, its origin and its place."""

    value: Any
    base: Path
    origin: str
    place: str


def load(environ: Mapping[str, str] = os.environ, *, config: Path | None = None) -> Settings:
    """Read the settings; raise InputError with the file or variable and the fix. `config` is the file of --config."""
    return Settings(**{key: each.value for key, each in chosen(environ, config=config).items()})


def chosen(environ: Mapping[str, str] = os.environ, *, config: Path | None = None) -> dict[str, Chosen]:
    """Return each setting by its name, with its origin. Arguments and errors are those of `load`."""
    files = setting_files.found(environ, named=config)
    written: dict[str, _Written] = {}
    for layer in (*map(_of_file, reversed(files)), _of_variables(environ)):
        for key in SECRETS & layer.keys():
            register_address(str(layer[key].value))  # also where another origin wins
        written |= layer
    defaults = Settings()
    return {
        key: _parsed(key, written[key]) if key in written else Chosen(_default(key, defaults), DEFAULT)
        for key in (each.name for each in fields(Settings))
    }


def checked(key: str, text: str) -> Any:  # noqa: ANN401 - a setting of any type
    """Return the value of a setting that somebody types; raise InputError with the fix."""
    return _parsed(key, _Written(text, Path.cwd(), "", key)).value


def _of_variables(environ: Mapping[str, str]) -> dict[str, _Written]:
    written = {}
    for variable, value in environ.items():
        key = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable == setting_files.NAMING or not value:
            continue
        if key in _PARSERS:
            written[key] = _Written(value, Path.cwd(), variable, variable)
        else:
            logger.warning("%s is not a setting of this program%s", variable, _suggestion(key))
    return written


def _of_file(path: Path) -> dict[str, _Written]:
    document = setting_files.read(path)
    for key in document:
        if key not in _PARSERS:
            raise InputError(f"{path}: unknown setting {key!r}{_suggestion(key)}")
    base = path.absolute().parent
    return {key: _Written(value, base, str(path), f"{path}: {key}") for key, value in document.items()}


def _default(key: str, defaults: Settings) -> Any:  # noqa: ANN401 - a setting of any type
    value = getattr(defaults, key)
    return _PARSERS[key](value, Path.cwd()) if key in PATHS else value


def _suggestion(key: str) -> str:
    close = nearest(key, _PARSERS)
    return f"; did you mean {close}?" if close else ""


def _parsed(key: str, written: _Written) -> Chosen:
    value = written.value
    try:
        return Chosen(_PARSERS[key](value, written.base), written.origin)
    except ValueError as error:
        shown = "…" if key in SECRETS else value if isinstance(value, date) else repr(value)
        raise InputError(f"{written.place} = {shown}: {error}") from None


def _url(value: Any, _base: Path) -> str:  # noqa: ANN401
    parts = _parts(value)
    if parts is None:
        raise ValueError("must be a URL such as https://data-api.twitter.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https: http is only for the emulator on this machine")
    return str(value).rstrip("/")


def _one_of(*names: str) -> Callable[[Any, Path], str]:
    def parsed(value: Any, _base: Path) -> str:  # noqa: ANN401
        if value not in names:
            raise ValueError(f"must be {' or '.join(names)}")
        return str(value)

    return parsed


def _source_of(value: Any, base: Path) -> tuple[tuple[str, str], ...] | None:  # noqa: ANN401
    parts = [part.partition("=") for part in value.split()] if isinstance(value, str) else []
    written = {handle: source for handle, _, source in parts} if isinstance(value, str) else value
    if not isinstance(written, dict) or not all(sign for _, sign, _ in parts):
        raise ValueError('must be a table such as { some_handle = "x_api_v2" }, in a variable some_handle=x_api_v2')
    one = _one_of(*OF_TWEETS, BOTH)
    return tuple(sorted((parse_handle(handle), one(source, base)) for handle, source in written.items())) or None


def _webhook(value: Any, _base: Path) -> str:  # noqa: ANN401
    parts = _parts(value)
    if parts is None or (parts.scheme == "http" and not is_loopback(parts.hostname)):
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


def _of_a_month(value: Any, _base: Path) -> int:  # noqa: ANN401
    text = str(value).strip()
    if isinstance(value, bool | float) or not text.isdecimal() or not 1 <= int(text) <= LARGEST_OF_A_MONTH:
        raise ValueError(f"must be a whole number of at least 1 and at most {LARGEST_OF_A_MONTH:,}")
    return int(text)


def _price(value: Any, _base: Path) -> float:  # noqa: ANN401
    try:
        price = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, TypeError):
        price = math.nan
    if not 0 < price <= LARGEST_NUMBER:  # which no NaN is
        raise ValueError("must be a number above 0 such as 0.005, in a currency of your own")
    return price


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
    if moment.year > LAST_YEAR:
        raise ValueError(f"must be before the year {LAST_YEAR + 1}, in which the calendar ends")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "source": _one_of(*OF_TWEETS, BOTH),
    "source_of": _source_of,
    "shown_source": _one_of(*OF_TWEETS),
    "media": _yes_or_no,
    "api_url": _url,
    "x_api_url": _url,
    "auth_url": _url,
    "data": _path,
    "accounts": _path,
    "tweets": _glob,
    "skip_bad_rows": _yes_or_no,
    "history_days": _at_least_one,
    "requests_per_month": _of_a_month,
    "handles_per_month": _of_a_month,
    "posts_per_month": _of_a_month,
    "price_per_read": _price,
    "first_day": _day,
    "lookback_days": _lookback,
    "requests_per_minute": _at_least_one,
    "x_requests_per_15_minutes": _at_least_one,
    "x_window_days": _lookback,
    "x_audit": _one_of(*AUDITS),
    "types": _types,
    "patience_minutes": _minutes,
    "tries": _at_least_one,
    "timeout_seconds": _at_least_one,
    "resume_hours": _at_least_one,
    "keep_raw_days": _at_least_one,
    "forget_deleted_days": _at_least_one,
    "restated_percent": _at_least_one,
    "roster_at": _time_of_day,
    "daily_at": _time_of_day,
    "lifetime_at": _time_of_day,
    "hourly_minute": _minute,
    "alert_webhook": _webhook,
    "alert_mail": _mail_address,
    "alert_smtp": _relay,
    "reports": _path,
    "report_mail": _mail_address,
    "dagster_url": _page,
    "now": _now,
}
assert set(_PARSERS) == {field.name for field in fields(Settings)}
