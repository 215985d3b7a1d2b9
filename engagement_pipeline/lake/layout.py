"""The lake: where its files lie, what shape they have, how they are read and replaced.

    lake.json                                the format, so that an older program leaves a newer lake alone; and what is
                                             remembered: the source shown first, and which windows the API
                                             refuses (refused_windows.py)
    raw/                                     responses as received (raw.py)
    engagements/day=…/engagements.parquet    the tidy table, from /historical
    daily/MONTH.parquet                      the same with the hours summed (daily.py)
    marts/MART/MONTH.parquet                 answers of marts that are asked often; they are made anew (stored.py)
    revisions/pulled_on=…/PULL.parquet       counts that a later pull changed (revisions.py)
    totals/observed_on=…/totals.parquet      lifetime counts as observed that day, from /totals
    recent.parquet                           the last 28 hours, provisional, from /28hr
    coverage/endpoint=…/day=…/coverage.parquet   for each Tweet that was asked for: when, and what came of it
    set_aside.parquet                        Tweets that the API would not serve (set_aside.py)
    requests/MONTH.jsonl                     a line for each request that was sent (request_log.py)
    shapes.jsonl                             what the API sent that is not documented (shapes.py)
    tweets.parquet                           every Tweet that was ever in the roster
    forgotten.json                           what keeps Tweets away that were forgotten (forgotten.py)
    receipts/WHEN.json                       what a removal of Tweets has done
    saved.jsonl                              where reports were saved, which may show Tweets (saved.py)
    .lake.note, .lake.N.note, .pull.note     what is looked at under a lock (looking.py); so .rebuild.note (rebuilds.py)
    .catalog.note                            what engagement.duckdb holds, if this program wrote it last (seal.py)
    engagement.duckdb                        views over the Parquet (catalog.py)
    x_api_v2/                                the lake of another source: all of the above but what is one for all
    x_api_v2_media/                          the same for media: their numbers stand for Tweets

Every table is plain Parquet that is staged and then put in its place, so a glob never meets a half-written file.
storage.py alone touches the files on a disk, with disk.py, and bucket.py the objects in a bucket.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL, HOURLY, OF_TWEETS
from engagement_pipeline.core.errors import InputError, LakeError, raise_not_given
from engagement_pipeline.core.tables import DAILY
from engagement_pipeline.lake.storages import storage_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.lake.storages import Storage

logger = logging.getLogger(__name__)
FORMAT = 3  # of the lake; a change that older programs would misread raises it
PULL_LOCK, LAKE_LOCK = "pull", "lake"  # of who asks and lands; of who publishes, rebuilds or removes
MARKER_LOCK = "marker"  # of who changes lake.json, which takes a moment
UNFIT = re.compile("[?\\\\\ud800-\udfff]")  # Python shows a byte that is not UTF-8 as one of the last
ELSEWHERE = "get permission for it, or name another folder in ENGAGEMENT_DATA"
IN_A_STORE = "mend that, or name another place in ENGAGEMENT_DATA"


@dataclass(frozen=True, slots=True)
class Lake:
    """The files of one lake: where each lies, and in `storage` all that touches them, by default where the root is.

    A lake holds what one source gave. That of the Engagement API has those of other sources within it, so that their
    counts never mix. The roster's Tweets and the views are in the outer one alone.

    `notes` is the name under which whoever publishes into it notes what is looked at: that of a lock that is held.
    """

    root: Path
    storage: Storage = field(default=None, compare=False, repr=False)  # type: ignore[assignment]  # it is never None
    source: str = HISTORICAL.source
    notes: str = field(default=LAKE_LOCK, compare=False, repr=False)

    def __post_init__(self) -> None:
        place = str(self.root.absolute())
        if UNFIT.search(place):
            raise InputError(
                f"a lake cannot lie in {place!r}, since DuckDB opens no file where a path holds ?, a backslash or what "
                "is not UTF-8: name another folder in ENGAGEMENT_DATA"
            )
        object.__setattr__(self, "storage", self.storage or storage_of(self.root))

    @property
    def hourly(self) -> Endpoint:
        """The endpoint with the answers that fill its table engagements."""
        return HOURLY[self.source]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints with answers in it."""
        return tuple(endpoint for endpoint in ENDPOINTS.values() if endpoint.source == self.source)

    def of(self, source: str) -> Lake:
        """Return the lake of a source: this one, or one within it, which may not be there yet."""
        root = self.root / source
        within = source in HOURLY and source != self.source
        return Lake(root, source=source) if within else self

    @property
    def home(self) -> Lake:
        """The outer lake, which has the roster's Tweets, the views, and what is forgotten; a lake alone is its own."""
        within = self.source != HISTORICAL.source and self.root.name == self.source
        return Lake(self.root.parent) if within else self

    @property
    def shown(self) -> str:
        """The source that the views show first where two gave a count."""
        return str(self._told.get("shown", self.source))

    def show(self, source: str) -> None:
        """Have the views show a source first from their next writing on."""
        if source != self.shown:
            self.mark(shown=source)

    def remembered(self, name: str) -> object:
        """Return what the marker has under a name, as JSON has it; None where it has nothing."""
        return self._told.get(name)

    @property
    def of_each_source(self) -> tuple[Lake, ...]:
        """This lake, and those within it that are there."""
        within = (source for source in HOURLY if source != self.source and self.storage.exists(self.root / source))
        return (self, *map(self.of, within))

    @property
    def of_tweets(self) -> tuple[Lake, ...]:
        """This lake, and those within it that are there and have counts of Tweets."""
        return (self, *(lake for lake in self.of_each_source[1:] if lake.source in OF_TWEETS))

    @property
    def raw(self) -> Path:
        """The landed responses."""
        return self.root / "raw"

    @property
    def staging(self) -> Path:
        """The local folder of a publication's files before they are put in their places; outside every glob."""
        return self.storage.local / ".aside"

    def rebuilding(self, name: str) -> Path:
        """Return the local folder of a lake in which the rebuild of this name publishes."""
        return self.storage.local / f".{name}"

    @property
    def tweets(self) -> Path:
        """The Tweets that were ever in the roster, one row each."""
        return self.home.root / "tweets.parquet"

    @property
    def forgotten(self) -> Path:
        """What keeps Tweets away that were forgotten, from the lakes of all sources."""
        return self.home.root / "forgotten.json"

    @property
    def receipts(self) -> Path:
        """What each removal of Tweets has done, a file each."""
        return self.home.root / "receipts"

    @property
    def saved(self) -> Path:
        """Where reports were saved from the lake, a line each."""
        return self.home.root / "saved.jsonl"

    @property
    def catalog(self) -> Path:
        """The DuckDB file of views."""
        return self.root / "engagement.duckdb"

    @property
    def marts(self) -> list[Path]:
        """The files of marts that are kept, which can be removed at any time."""
        return self.storage.find("marts/*/*.parquet")

    @property
    def set_aside(self) -> Path:
        """The Tweets that the API would not serve."""
        return self.root / "set_aside.parquet"

    @property
    def requests(self) -> Path:
        """The log of requests, a file a month."""
        return self.root / "requests"

    def rows(self, table: Table, day: date) -> Path:
        """Return where a table's rows of one UTC day lie."""
        return self.root / table.place(day)

    def daily(self, day: date) -> Path:
        """Return where the rows of a UTC day's month lie with their hours summed."""
        return self.rows(DAILY, day)

    def revisions(self, pull: Pull) -> Path:
        """Return where it lies what a pull of hours changed."""
        name = f"{pull.path.parent.name}_{pull.path.name}.parquet"
        return self.root / "revisions" / f"pulled_on={pull.started_at.date()}" / name

    def coverage(self, endpoint: Endpoint, day: date) -> Path:
        """Return where it lies what an endpoint was asked for one UTC day, and what came of it."""
        return self.root / "coverage" / f"endpoint={endpoint}" / f"day={day}" / "coverage.parquet"

    def open(self, *, create: bool = True, older: bool = False) -> int:
        """Create the lake where there is none, or raise InputError; return its format.

        LakeError where a newer program wrote it, or an older one, unless `older` says that it is to be upgraded.
        """
        try:
            found = json.loads(self.storage.read(self._marker))["format"]
        except FileNotFoundError:
            if not create:
                raise InputError(
                    f"there is no lake in {self.root}: pull first, or name one in ENGAGEMENT_DATA"
                ) from None
            try:
                self.storage.make_folder(self.root)
            except OSError as error:
                raise LakeError(f"the lake {self.root} cannot be made: {error.strerror}; {ELSEWHERE}") from None
            self.mark()
            return FORMAT
        except OSError as error:
            advice = ELSEWHERE if self.storage.is_local else IN_A_STORE
            raise LakeError(f"{self._marker} cannot be read: {error.strerror}; {advice}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise LakeError(f'{self._marker} is damaged: it should hold {{"format": {FORMAT}}}') from None
        if found == FORMAT or (older and found in range(FORMAT)):
            return int(found)
        upgrade = "run engagement upgrade, which brings its files to this format in place"
        fix = upgrade if found in range(FORMAT) else "upgrade this program"
        raise LakeError(f"the lake {self.root} has format {found}, this program knows {FORMAT}: {fix}")

    def mark(self, **told: object) -> None:
        """Say that all tables have the format of this program, beside what is remembered and what is `told` now."""
        self._tell(lambda known: known | told)

    def remember(self, name: str, change: Callable[[object], object]) -> None:
        """Have what is remembered under a name changed from what it is by then, None where there is nothing."""
        self._tell(lambda known: known | {name: change(known.get(name))})

    def _tell(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Write the marker anew from what it says. Nobody else does so meanwhile, so that nothing told is lost."""
        with self.locked(MARKER_LOCK, "a change of lake.json"):
            self.storage.write_whole(self._marker, json.dumps({**change(self._told), "format": FORMAT}).encode())

    @property
    def _told(self) -> dict[str, Any]:
        """What the marker says."""
        try:
            told = json.loads(self.storage.read(self._marker))
        except (OSError, ValueError, RecursionError) as error:
            raise_not_given(error, self._marker)
            return {}
        return told if isinstance(told, dict) else {}

    @property
    def _marker(self) -> Path:
        return self.root / "lake.json"

    def locked(self, name: str, waiting_for: str, *, what: str = "") -> AbstractContextManager[None]:
        """Hold one of the lake's locks, and say what is waited for. `what` is said to those who wait for this one."""

        def tell(holder: str) -> None:
            logger.warning("waiting for %s of the lake %s to end", holder or waiting_for, self.root)

        return self.storage.lock(name, what=what, waiting=tell)


def judged(settings: Settings) -> Lake:
    """Return the lake with the days that Dagster shows and checks: that of the first source that a pull asks."""
    return Lake(settings.data).of(settings.sources[0])
