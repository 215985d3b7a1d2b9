"""The lake as the doctor finds it, and what it says of it.

In: a lake and the settings. Out: a Patient: what lies in the lake, what each file of a table holds, which pulls there
are. Each is looked at once, when the first check asks. Nothing is written, and nobody is kept waiting.
"""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from engagement_pipeline.core.endpoints import ENDPOINTS, OF_TWEETS
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake import inventory, raw
from engagement_pipeline.observe.by_hand import moved
from engagement_pipeline.observe.looks import day_of, look_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.inventory import Inventory
    from engagement_pipeline.lake.landed_file import Landed
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.raw import Pull
    from engagement_pipeline.observe.looks import Covered, Look

AT_ONCE = 4  # files that are read at a time, unless the setting `workers` says


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong: what, where, what it means, and the command or the words that mend it."""

    path: Path
    what: str
    meaning: str
    fix: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.meaning}: {self.fix}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Patient:
    """A lake to be examined at a moment. `audit` reads a response and raises EngagementError; None for a quick look.

    `home` is the lake around it, which has the roster's Tweets, if it is that of another source.
    """

    lake: Lake
    settings: Settings
    now: datetime
    audit: Callable[[Landed], object] | None
    home: Patient | None = None

    @property
    def at_once(self) -> int:
        """How many files are read at a time: more than there are cores, because a store may take long to answer."""
        return self.settings.workers or AT_ONCE

    @cached_property
    def inventory(self) -> Inventory:
        """What lies in the lake."""
        return inventory.take(self.lake, own=self._is_of_the_user)

    @cached_property
    def looks(self) -> dict[Path, Look]:
        """What each Parquet file of a table holds."""
        tables = [table for table in TABLES.values() if table.glob.endswith(".parquet")]
        paths = [(entry.path, table) for table in tables for entry in self.inventory.of(table)]
        with ThreadPoolExecutor(self.at_once) as pool, duckdb.connect() as connection:
            connection.execute(f"set threads = {self.settings.most_workers()}")
            self.lake.storage.admit(connection)
            reader = None if self.audit is None else connection
            found = pool.map(lambda file: look_at(self.lake, *file, reader=reader), paths)
            return {look.path: look for look in found if look}

    @cached_property
    def pulls(self) -> dict[Path, Pull]:
        """The pulls in raw, by their folder; without those with a damaged pull.json."""
        found = {}
        for entry in self.inventory.of(inventory.PULL):
            try:
                found[entry.path.parent] = raw.load(self.lake, entry.path.parent)
            except (LakeError, OSError):  # what cannot be read is told by who looks at the files
                continue
        return found

    @cached_property
    def responses(self) -> dict[Path, list[Path]]:
        """The responses that count, by the folder of their pull, each sorted."""
        found: dict[Path, list[Path]] = {}
        for entry in self.inventory.of(inventory.RESPONSE):
            found.setdefault(entry.path.parent, []).append(entry.path)
        return found

    @cached_property
    def covered(self) -> dict[tuple[Endpoint, date], Covered]:
        """What the sound coverage of each endpoint and day says."""
        found = {}
        for look in self.looks.values():
            if look.covered:
                day, endpoint = (folder.name.partition("=")[2] for folder in look.path.parents[:2])
                found[ENDPOINTS[endpoint], date.fromisoformat(day)] = look.covered
        return found

    @cached_property
    def followed(self) -> pa.Array:
        """The Tweets that are in the roster now; of media, whatever was asked for."""
        if self.lake.source not in OF_TWEETS:
            asked = [covered.outcomes["tweet_id"] for covered in self.covered.values()]
            return pa.array(sorted({number for numbers in asked for number in numbers.to_pylist()}), pa.int64())
        if self.home:
            return self.home.followed
        look = self.looks.get(self.lake.tweets)
        return pa.array(sorted(look.tweets) if look else [], pa.int64())

    def of_table(self, table: Table) -> list[Look]:
        """Return the looks at a table's files."""
        return [look for look in self.looks.values() if look.table is table]

    def rows(self, table: Table) -> dict[date, Look]:
        """Return the looks at the sound files of a table with a file a UTC day."""
        of_day = {day_of(look.path): look for look in self.of_table(table)}
        return {day: look for day, look in of_day.items() if day and not look.problem}

    def published(self, endpoint: Endpoint) -> list[tuple[Pull, list[Path]]]:
        """Return the published pulls that its table is made of, as far as raw has responses of them, with these.

        Where the endpoint has a period, only the newest pull: of those before, the table holds nothing any more.
        """
        found = [(pull, self.responses.get(folder, [])) for folder, pull in self.pulls.items()]
        found = [(pull, paths) for pull, paths in found if pull.endpoint is endpoint and pull.published and paths]
        return sorted(found, key=lambda each: each[0].started_at)[-1 if endpoint.period else 0 :]

    def in_raw(self, endpoint: Endpoint, day: date) -> bool:
        """Tell whether raw holds all that the rows of a day came from, as far as its coverage is there to say."""
        covered = self.covered.get((endpoint, day))
        if covered:
            return all(self.lake.root / source in self._responses for source in covered.sources)
        return any(p.endpoint is endpoint and day in p.days() and self.responses.get(f) for f, p in self.pulls.items())

    @cached_property
    def _responses(self) -> frozenset[Path]:
        return frozenset(path for paths in self.responses.values() for path in paths)

    def _is_of_the_user(self, path: Path) -> bool:
        """Tell whether a path in the lake is of the accounts or of the roster."""
        chosen = self.settings
        lock = chosen.accounts.with_name(f"{chosen.accounts.name}.lock")
        rosters = (
            chosen.tweets == str(path) or chosen.tweets.startswith(f"{path}/") or fnmatch(str(path), chosen.tweets)
        )
        return path in (chosen.accounts, lock) or rosters


def quoted(path: Path) -> str:
    """Return a path as a shell reads it."""
    return shlex.quote(str(path))


def pull_again(patient: Patient, first: object, last: object) -> str:
    """Return the command that pulls days of the lake's source."""
    lake = patient.lake
    named = f" --source {lake.source}" if lake.source in OF_TWEETS else f" --endpoint {lake.hourly}"
    configured = lake.source == patient.settings.source or patient.settings.source_of
    named = "" if configured and lake.source in OF_TWEETS else named
    return f"engagement pull --from {first} --to {last}{named}"


def apart(patient: Patient, path: Path) -> str:
    """Return the command that moves a file or folder out of the lake, beside it; it overwrites nothing."""
    root = (patient.home or patient).lake.root
    kept = root.with_name(f"{root.name}.apart") / f"{patient.now:%Y%m%dT%H%M%SZ}"
    return moved(path, into=kept / path.relative_to(root).parent)
