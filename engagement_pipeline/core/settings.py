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

import logging
import os
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engagement_pipeline.core import cores, setting_files, setting_values
from engagement_pipeline.core.endpoints import MEDIA, OF_TWEETS
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.core.places import is_address
from engagement_pipeline.core.redaction import MASK, register_address, without_password
from engagement_pipeline.core.spend import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engagement_pipeline.core.endpoints import Endpoint

logger = logging.getLogger(__name__)
PREFIX = "ENGAGEMENT_"
SECRETS = {"alert_webhook"}  # settings: no message shows their values
PATHS = {"data", "accounts", "tweets", "reports"}  # settings whose defaults are relative to the working directory
AUDITS = ("off", "first", "always")  # of the setting x_audit
DEFAULT = "default"  # the origin of what nobody has set
PATIENCE_MINUTES = 15  # where nobody waits for the pull
PATIENCE_AT_A_TERMINAL = 3  # minutes


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
    app_lock: Path | None = None  # a place in a bucket
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
    workers: int | None = None
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

    def most_workers(self) -> int:
        """Return the most processes that publish, and threads that ask DuckDB of days; by default, the cores to use."""
        return self.workers or cores.allowed()

    def oldest_day(self) -> date:
        """Return the first UTC day that /historical serves completely; the setting `history_days` limits it."""
        if self.history_days is None:
            return setting_values.OLDEST_DAY
        return max(setting_values.OLDEST_DAY, self.current_time().date() - timedelta(days=self.history_days - 1))

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
    return tuple(OF_TWEETS) if name == setting_values.BOTH else (name,)


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
        told = shown(key, value)
        quoted = told if key in SECRETS or isinstance(value, date) else repr(told)
        raise InputError(f"{written.place} = {quoted}: {error}") from None


def shown(key: str, value: Any) -> Any:  # noqa: ANN401 - a setting of any type
    """Return the value of a setting as it may be seen: no secret, and no login in an address."""
    if key in SECRETS:
        return MASK
    return without_password(str(value)) if key in ADDRESSES or is_address(str(value)) else value


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "source": setting_values.one_of(*OF_TWEETS, setting_values.BOTH),
    "source_of": setting_values.source_of,
    "shown_source": setting_values.one_of(*OF_TWEETS),
    "media": setting_values.yes_or_no,
    "api_url": setting_values.url,
    "x_api_url": setting_values.url,
    "auth_url": setting_values.url,
    "data": setting_values.lake,
    "accounts": setting_values.path,
    "app_lock": setting_values.bucket,
    "tweets": setting_values.pattern,
    "skip_bad_rows": setting_values.yes_or_no,
    "history_days": setting_values.at_least_one,
    "requests_per_month": setting_values.of_a_month,
    "handles_per_month": setting_values.of_a_month,
    "posts_per_month": setting_values.of_a_month,
    "price_per_read": setting_values.price,
    "first_day": setting_values.day,
    "lookback_days": setting_values.lookback,
    "requests_per_minute": setting_values.at_least_one,
    "x_requests_per_15_minutes": setting_values.at_least_one,
    "x_window_days": setting_values.lookback,
    "x_audit": setting_values.one_of(*AUDITS),
    "types": setting_values.types,
    "patience_minutes": setting_values.minutes,
    "tries": setting_values.at_least_one,
    "timeout_seconds": setting_values.at_least_one,
    "resume_hours": setting_values.at_least_one,
    "keep_raw_days": setting_values.at_least_one,
    "workers": setting_values.at_least_one,
    "forget_deleted_days": setting_values.at_least_one,
    "restated_percent": setting_values.at_least_one,
    "roster_at": setting_values.time_of_day,
    "daily_at": setting_values.time_of_day,
    "lifetime_at": setting_values.time_of_day,
    "hourly_minute": setting_values.minute,
    "alert_webhook": setting_values.webhook,
    "alert_mail": setting_values.mail_address,
    "alert_smtp": setting_values.relay,
    "reports": setting_values.path,
    "report_mail": setting_values.mail_address,
    "dagster_url": setting_values.page,
    "now": setting_values.now,
}
_OF_ADDRESSES = {setting_values.url, setting_values.page, setting_values.relay}
ADDRESSES = frozenset(key for key, parser in _PARSERS.items() if parser in _OF_ADDRESSES)  # not the webhook
assert set(_PARSERS) == {field.name for field in fields(Settings)}
