"""The lake: where its files lie, what shape they have, how they are read and replaced.

    lake.json                                the format, so that an older program leaves a newer lake alone
    raw/                                     responses as received (raw.py)
    engagements/day=…/engagements.parquet    the tidy table, from /historical
    daily/MONTH.parquet                      the same with the hours summed (daily.py)
    revisions/pulled_on=…/PULL.parquet       counts that a later pull changed (revisions.py)
    totals/observed_on=…/totals.parquet      lifetime counts as observed that day, from /totals
    recent.parquet                           the last 28 hours, provisional, from /28hr
    coverage/endpoint=…/day=…/coverage.parquet   for each Tweet that was asked for: when, and what came of it
    set_aside.parquet                        Tweets that the API would not serve (set_aside.py)
    requests/MONTH.jsonl                     a line for each request that was sent (request_log.py)
    tweets.parquet                           every Tweet that was ever in the roster
    engagement.duckdb                        views over the Parquet (catalog.py)

Every file is plain Parquet that is written aside and renamed, so a glob never meets a half-written one.
"""

from __future__ import annotations

import json
import logging
import os
from calendar import monthrange
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from engagement_pipeline import raw
from engagement_pipeline.errors import InputError, LakeError
from engagement_pipeline.flatten import LIFETIME, PARTIAL, SCHEMA, TYPE_NAMES
from engagement_pipeline.metrics import HISTORICAL, RECENT, TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engagement_pipeline.raw import Pull

logger = logging.getLogger(__name__)

FORMAT = 2  # of the lake; a change that older programs would misread raises it
ELSEWHERE = "give yourself the right to, or name another folder in ENGAGEMENT_DATA"
TIMESTAMP = pa.timestamp("us", "UTC")
STORED = "stored"
COVERAGE = pa.schema(
    [
        pa.field("tweet_id", pa.int64(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("asked_at", TIMESTAMP, nullable=False),  # the newest request that named the Tweet
        pa.field("outcome", pa.string(), nullable=False),  # of that request: stored, or why not
        pa.field("text", pa.string()),  # the API's own words for a refusal
        pa.field("first_pulled_at", TIMESTAMP),  # the first request that gave rows of the Tweet's day
        pa.field("pulled_at", TIMESTAMP),  # the request that gave the stored rows; null: there are none
        pa.field("rows", pa.int32(), nullable=False),  # stored rows
        pa.field("source", pa.string()),  # the raw response that holds them, relative to the lake
    ]
)


DAILY = pa.schema([SCHEMA.field(name) for name in ("tweet_id", "engagement_type", "day", "count")])
OBSERVED_AT = pa.field("observed_at", TIMESTAMP, nullable=False)  # when the answer was asked for
TABLES = {  # what each endpoint fills
    HISTORICAL: SCHEMA,
    TOTALS: LIFETIME.append(OBSERVED_AT),
    RECENT: SCHEMA.append(PARTIAL).append(OBSERVED_AT),
}


@dataclass(frozen=True, slots=True)
class Lake:
    """The files of one lake."""

    root: Path

    @property
    def raw(self) -> Path:
        """The landed responses."""
        return self.root / "raw"

    @property
    def aside(self) -> Path:
        """Files of a publication before they are renamed; on the same file system, outside every glob."""
        return self.root / ".aside"

    @property
    def tweets(self) -> Path:
        """The Tweets that were ever in the roster, one row each."""
        return self.root / "tweets.parquet"

    @property
    def catalog(self) -> Path:
        """The DuckDB file of views."""
        return self.root / "engagement.duckdb"

    @property
    def set_aside(self) -> Path:
        """The Tweets that the API would not serve."""
        return self.root / "set_aside.parquet"

    @property
    def requests(self) -> Path:
        """The log of requests, a file a month."""
        return self.root / "requests"

    def rows(self, endpoint: str, day: date) -> Path:
        """Return where an endpoint's rows of one UTC day lie."""
        return {
            HISTORICAL: self.root / "engagements" / f"day={day}" / "engagements.parquet",
            TOTALS: self.root / "totals" / f"observed_on={day}" / "totals.parquet",
            RECENT: self.root / "recent.parquet",
        }[endpoint]

    def daily(self, day: date) -> Path:
        """Return where the rows of /historical of a UTC day's month lie with their hours summed."""
        return self.root / "daily" / f"{day:%Y-%m}.parquet"

    def revisions(self, pull: Pull) -> Path:
        """Return where it lies what a pull of /historical changed."""
        name = f"{pull.path.parent.name}_{pull.path.name}.parquet"
        return self.root / "revisions" / f"pulled_on={pull.started_at.date()}" / name

    def coverage(self, endpoint: str, day: date) -> Path:
        """Return where it lies what an endpoint was asked for one UTC day, and what came of it."""
        return self.root / "coverage" / f"endpoint={endpoint}" / f"day={day}" / "coverage.parquet"

    def open(self, *, create: bool = True, older: bool = False) -> None:
        """Create the lake where there is none, or raise InputError.

        LakeError where a newer program wrote it, or an older one, unless `older` says that it is to be rebuilt.
        """
        try:
            found = json.loads(self._marker.read_bytes())["format"]
        except FileNotFoundError:
            if not create:
                raise InputError(
                    f"there is no lake in {self.root}: pull first, or name one in ENGAGEMENT_DATA"
                ) from None
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LakeError(f"the lake {self.root} cannot be made: {error.strerror}; {ELSEWHERE}") from None
            self.mark()
            return
        except OSError as error:
            raise LakeError(f"{self._marker} cannot be read: {error.strerror}; {ELSEWHERE}") from None
        except (ValueError, KeyError, TypeError):
            raise LakeError(f'{self._marker} is damaged: it should hold {{"format": {FORMAT}}}') from None
        if found == FORMAT or (older and found in range(FORMAT)):
            return
        fix = (
            "run engagement rebuild, which makes its tables anew" if found in range(FORMAT) else "upgrade this program"
        )
        raise LakeError(f"the lake {self.root} has format {found}, this program knows {FORMAT}: {fix}")

    def mark(self) -> None:
        """Say that all tables have the format of this program."""
        raw.write_whole(self._marker, json.dumps({"format": FORMAT}).encode())

    @property
    def _marker(self) -> Path:
        return self.root / "lake.json"

    @contextmanager
    def locked(self, name: str, waiting_for: str) -> Iterator[None]:
        """Hold one of the lake's locks, and say what for where it must be waited for.

        The operating system frees it when its holder dies.
        """
        lock = FileLock(self.root / f".{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            logger.warning("waiting for %s of the lake %s to end", waiting_for, self.root)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def replace(self, files: dict[Path, Path]) -> None:
        """Rename files from aside to their places, in the order given, as fast as the system does it.

        They are on the disk first: a power cut must not leave an empty file under a good name.
        """
        for target in files.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        for aside in files:
            with aside.open("rb") as file:
                os.fsync(file.fileno())
        for aside, target in files.items():
            aside.replace(target)
        # With those above, which may be new too.
        for folder in {folder for target in files.values() for folder in target.parents}:
            if folder.is_relative_to(self.root):
                raw.sync_folder(folder)


def read(path: Path, schema: pa.Schema, *, filters: object = None, columns: Sequence[str] = ()) -> pa.Table:
    """Read a file of the lake, or some columns; no rows where there is none, LakeError where it is damaged."""
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    if not path.exists():
        return schema.empty_table()
    try:
        table = pq.read_table(
            path, filters=filters, columns=schema.names, partitioning=None, page_checksum_verification=True
        )
        return plausible(table.cast(schema), path)
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise damaged(path, error) from None


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file of the lake, to be read in parts; whatever is damaged in it is a LakeError."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise damaged(path, error) from None


def write(table: pa.Table, path: Path) -> None:
    """Write a whole file, with checksums that tell a flipped bit when it is read."""
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def plausible(table: pa.Table, path: Path) -> pa.Table:
    """Return rows of a file as they are; raise where they name a type that there is not, or a day that is not its."""
    if "engagement_type" in table.column_names:
        for chunk in table["engagement_type"].chunks:
            names = chunk.dictionary if pa.types.is_dictionary(chunk.type) else pc.unique(chunk)
            strange = {*names.to_pylist()} - {*TYPE_NAMES}
            if strange:
                raise ValueError(f"column engagement_type holds {min(map(repr, strange))}")
    day = _day_of(path)
    if day and len(table) and "day" in table.column_names and not pc.all(pc.equal(table["day"], day)).as_py():
        raise ValueError("it holds rows of other days")
    return table


def is_sound(path: Path, schema: pa.Schema) -> bool:
    """Tell whether a file, if there is one, can be read to its end and has the right columns."""
    try:
        if path.exists():
            with opened(path) as file:
                check_columns(file.schema_arrow, schema)
                for group in range(file.num_row_groups):
                    plausible(file.read_row_group(group, columns=schema.names), path)
    except LakeError:
        return False
    return True


def check_columns(found: pa.Schema, wanted: pa.Schema) -> None:
    """Raise where a file lacks a column or has one of another type, so that a view over it and others would fail."""
    for field in wanted:
        kind = found.field(field.name).type
        if kind != field.type:
            raise ValueError(f"column {field.name} is {kind}, not {field.type}")


def damaged(path: Path, error: Exception) -> LakeError:
    """Return the error that names a file of the lake, why its reader could not read it, and the fix."""
    if isinstance(error, PermissionError):
        return LakeError(f"{path} cannot be read: {error.strerror}; give yourself the right to", day=_day_of(path))
    detail = (str(error).splitlines() or [repr(error)])[0]
    fix = "move it away and pull again"
    day = _day_of(path)
    if path.name == "recent.parquet":
        fix = "engagement rebuild --table recent makes it anew from raw"
    elif day:
        fix = f"engagement rebuild --from {day} --to {day} makes it anew from raw"
    elif path.parent.name == "daily":
        fix = f"{rebuild_of_month(date.fromisoformat(f'{path.stem}-01'))} makes it anew from raw"
    elif path.parent.name.startswith("pulled_on="):
        fix = "engagement rebuild makes it anew from raw"
    return LakeError(f"{path} is damaged ({detail}): {fix}", day=day)


def rebuild_of_month(day: date) -> str:
    """Return the command that makes all days of a UTC day's month anew."""
    last = monthrange(day.year, day.month)[1]
    return f"engagement rebuild --from {day.replace(day=1)} --to {day.replace(day=last)}"


def _day_of(path: Path) -> date | None:
    """Return the UTC day that a file is of, None where its folder names none."""
    kind, _, day = path.parent.name.partition("=")
    return date.fromisoformat(day) if kind in {"day", "observed_on"} else None
