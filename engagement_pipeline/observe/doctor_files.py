"""Are the files of a lake its own, whole, and open to this user? The doctor's checks that know no table from another.

In: a Patient. Out: Findings.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import STAMP
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import COVERAGE, DAILY, ENGAGEMENTS, REQUESTS
from engagement_pipeline.lake import forgotten, inventory, rebuilds
from engagement_pipeline.lake.clock import newest as newest_moment
from engagement_pipeline.lake.landed_file import SUFFIX
from engagement_pipeline.lake.layout import FORMAT, LAKE_LOCK, PULL_LOCK
from engagement_pipeline.lake.parquet import opened
from engagement_pipeline.observe.by_hand import removed, written
from engagement_pipeline.observe.patient import Finding, apart, quoted
from engagement_pipeline.query import catalog, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engagement_pipeline.lake.states import Entry
    from engagement_pipeline.observe.patient import Patient

REFRESH = ".refresh"  # with which transport/rotation.py ends the name of a file beside the accounts
REFRESH_SECONDS = 10_800  # after which none goes on, and the token that it was to replace is over
OF_OTHERS = 0o077  # the rights of others than the owner
FLOOR = 100_000_000  # bytes that the smallest lake needs
DAYS_AT_ONCE, MONTHS_AT_ONCE = 28, 2  # which a publication stages at most
SUM_BYTES = 21  # of a day's sum, which is staged unpacked


def rights(patient: Patient) -> Iterator[Finding]:
    """Find what this user cannot read, and folders and logs that it cannot write."""
    lake, found = patient.lake, patient.inventory
    files = [entry for entries in found.files.values() for entry in entries]
    logs = {entry.path for entry in (*found.of(REQUESTS), *found.of(inventory.LOCK))}
    wrong = [entry for entry in (*found.folders, *files) if not entry.readable]
    if lake.storage.is_read_only():  # which no right changes
        yield Finding(
            path=lake.root,
            what=f"{lake.root} lies on a file system that is read-only",
            meaning="what it holds can be read, and no command can add to it; to pull or publish",
            fix="mount it so that it can be written, or name another folder in the setting data",
        )
    else:
        wrong += [e for e in (*found.folders, *files) if e.readable and not e.writable and (e.folder or e.path in logs)]

    def top(entry: Entry) -> Path:
        return lake.root / entry.path.relative_to(lake.root).parts[0]

    for place, entries in groupby(sorted(wrong, key=top), top):
        first, *more = entries
        verb = "written" if first.readable else "read"
        yield Finding(
            path=first.path,
            what=f"{first.path} cannot be {verb}" + (f", and {len(more):,} more in {place.name}" if more else ""),
            meaning="the program needs it, and what it holds is not looked at; as its owner or as root",
            fix=f"chmod -R u+rX{'w' * (verb == 'written' or bool(more))} {quoted(place)}",
        )


def open_to_all(patient: Patient) -> Iterator[Finding]:
    """Find files and folders of the lake that every user of this machine may write."""
    lake, found = patient.lake, patient.inventory
    files = (entry for kind, entries in found.files.items() if kind != inventory.OF_THE_USER for entry in entries)
    wrong = [entry.path for entry in (*found.folders, *files) if entry.open_to_all]
    for name, paths in groupby(sorted(wrong), lambda path: path.relative_to(lake.root).parts[0]):
        first, *more = paths
        yield Finding(
            path=first,
            what=f"{first} may be changed by every user of this machine"
            + (f", and {len(more):,} more in {name}" if more else ""),
            meaning="nobody can tell a count that one of them changes; with umask 022, new files are not so",
            fix=f"chmod -R o-w {quoted(lake.root / name)}",
        )


def lake_format(patient: Patient) -> Iterator[Finding]:
    """Find that the lake has another format than this program, or does not say which."""
    marker = patient.lake.root / "lake.json"
    of_files = _format_of_files(patient)
    fix = written(marker, json.dumps({"format": of_files}))
    fix += "" if of_files == FORMAT else " && engagement upgrade"
    try:
        found = json.loads(patient.lake.storage.read(marker))["format"]
    except FileNotFoundError:
        found, what, meaning = None, "is missing", "the next pull would take the lake for a new one"
    except (ValueError, KeyError, TypeError):
        found, what, meaning = None, "is damaged", "no command opens the lake"
    if found == FORMAT:
        return
    if found is not None:
        older = found in range(FORMAT)
        what = f"says format {found}, and this program knows {FORMAT}"
        meaning = "an older program wrote the lake" if older else "a newer program wrote the lake"
        fix = "engagement upgrade" if older else "upgrade this program"
    yield Finding(path=marker, what=f"{marker} {what}", meaning=meaning, fix=fix)


def _format_of_files(patient: Patient) -> int:
    """Return the format that the files of the lake have, as far as their columns tell."""
    for table in (ENGAGEMENTS, COVERAGE):
        for entry in patient.inventory.of(table):
            with suppress(LakeError), opened(patient.lake, entry.path) as file:
                return FORMAT if {*table.file_schema.names} <= {*file.schema_arrow.names} else FORMAT - 1
    return FORMAT


def removals(patient: Patient) -> Iterator[Finding]:
    """Find that nobody can tell which Tweets are forgotten, or that a removal of Tweets was stopped."""
    lake = patient.lake
    try:
        going = forgotten.load(lake).going
    except LakeError:
        yield Finding(
            path=lake.forgotten,
            what=f"{lake.forgotten} is damaged",
            meaning="nobody knows which Tweets must not come back, and no pull begins; put it back from a backup, or",
            fix=f"{apart(patient, lake.forgotten)} # and forget these Tweets again",
        )
        return
    if going and not (lake.storage.busy(LAKE_LOCK) or lake.storage.busy(PULL_LOCK)):
        yield Finding(
            path=lake.forgotten,
            what=f"a removal of {len(going):,} Tweets was stopped",
            meaning="files still hold them, and the next pull or publication goes on with it",
            fix="engagement forget --yes",
        )


def strangers(patient: Patient) -> Iterator[Finding]:
    """Find what no program of this project put there: a sync tool's copy, a folder with another name, a stray .tmp."""
    for entry in patient.inventory.strangers:
        yield Finding(
            path=entry.path,
            what=f"{entry.path} is {'a folder' if entry.folder else 'a file'} that no lake has",
            meaning="a tool or a person put it there, and another tool may read it as data",
            fix=apart(patient, entry.path),
        )


def leftovers(patient: Patient) -> Iterator[Finding]:
    """Find hidden files of processes that were killed, while no process is at work."""
    storage = patient.lake.storage
    if storage.busy(LAKE_LOCK) or storage.busy(PULL_LOCK):
        return
    for entry in patient.inventory.of(inventory.LEFT):
        rebuild = entry.path.name[1:] if rebuilds.NAME.fullmatch(entry.path.name[1:]) else ""
        if rebuild and storage.busy(rebuild):
            continue
        lock = patient.lake.root / f".{rebuild or LAKE_LOCK}.lock"
        yield Finding(
            path=entry.path,
            what=f"{entry.path} was left by a process that was killed",
            meaning="nothing reads it, and it takes room",
            fix=f"flock {quoted(lock)} rm -r {quoted(entry.path)}",  # not under a process that has begun since
        )


def views(patient: Patient) -> Iterator[Finding]:
    """Find that the catalogue is missing, damaged, written into, of another place or of another version."""
    lake = patient.lake
    written_into = patient.inventory.of(inventory.WRITTEN_INTO)
    problem = "a tool wrote into it" if written_into else catalog.problem(lake)
    if problem:
        yield Finding(
            path=lake.catalog,
            what=f"{lake.catalog} is not as it should be: {problem}",
            meaning="tools that open it get wrong answers or none; engagement sql does without",
            fix=f"engagement catalog --root {quoted(lake.root)}",
        )


def marts(patient: Patient) -> Iterator[Finding]:
    """Find files of marts that are damaged, or that are not of what the tables hold now."""
    lake = patient.lake
    anew = f"engagement catalog --root {quoted(lake.root)}"
    for entry in patient.inventory.of(inventory.MART):
        if entry.readable and not stored.is_sound(lake, entry.path):
            yield Finding(
                path=entry.path,
                what=f"{entry.path} is damaged",
                meaning="tools that open engagement.duckdb fail over it; engagement sql does without",
                fix=f"{removed(entry.path)} && {anew}",
            )
    if lake.storage.busy(LAKE_LOCK) or lake.storage.busy(PULL_LOCK):
        return
    for view in stored.stored_views():
        if late := stored.days(lake, view).due:
            yield Finding(
                path=lake.root / "marts" / view.name,
                what=f"the files of the mart {view.name} are not of what the tables hold now, of {len(late):,} days",
                meaning="tools that open engagement.duckdb may see the counts of before; engagement sql does without",
                fix=anew,
            )


def accounts(patient: Patient) -> Iterator[Finding]:
    """Find that others on this machine can read the tokens, or that new ones wait beside them."""
    path = patient.settings.accounts
    waiting = path.resolve().with_name(f".{path.resolve().name}{REFRESH}")
    if waiting.exists() and patient.now.timestamp() - waiting.stat().st_mtime > REFRESH_SECONDS:
        yield Finding(
            path=waiting,
            what=f"{waiting} is left by a refresh of OAuth 2 tokens that was killed",
            meaning="it may hold the only refresh token that is good, so leave it there",
            fix="ENGAGEMENT_SOURCE=x_api_v2 engagement check takes it in",
        )
    if path.exists() and path.stat().st_mode & OF_OTHERS:
        yield Finding(
            path=path,
            what=f"{path} is open to others on this machine",
            meaning="it holds the tokens that sign requests",
            fix=f"chmod 600 {quoted(path)}",
        )


def room(patient: Patient) -> Iterator[Finding]:
    """Find that the disk is too full for the next publication."""
    lake = patient.lake
    free = lake.storage.free()
    if free is not None and free < (needed := _staged(patient)):
        yield Finding(
            path=lake.root,
            what=f"the disk of {lake.root} has {free / 1e6:,.0f} MB left",
            meaning=f"the next pull may need {needed / 1e6:,.0f} MB, and fails without",
            fix="engagement prune lists the raw that may go, and --yes removes it; or make room",
        )


def _staged(patient: Patient) -> int:
    """Return how many bytes a publication stages at most, if its days are the largest."""
    days, months = (
        sorted(patient.inventory.of(table), key=lambda entry: entry.size)[-number:]
        for table, number in ((ENGAGEMENTS, DAYS_AT_ONCE), (DAILY, MONTHS_AT_ONCE))
    )
    sums = 0
    for month in months:
        with suppress(LakeError), opened(patient.lake, month.path) as file:
            sums = max(sums, file.metadata.num_rows)
    return FLOOR + sum(entry.size for entry in (*days, *months)) + SUM_BYTES * sums


def clock(patient: Patient) -> Iterator[Finding]:
    """Find that the clock is behind the newest moment in the lake: of a request, a pull or a response."""
    newest = newest_moment(patient.lake)
    if newest and newest > patient.now + timedelta(seconds=1):
        yield Finding(
            path=patient.lake.root,
            what=f"the clock says {_shown(patient.now)}, before the newest request of the lake, {_shown(newest)} (UTC)",
            meaning="the times of what is pulled now go on from there, and are wrong until the clock has passed it",
            fix="timedatectl set-ntp true, if this clock is wrong; if it was ahead before, docs/upkeep.md has the way "
            'out under "A clock that was ahead"',
        )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def stamp_of(path: Path) -> datetime:
    """Return when a response was asked for, as its name says."""
    text = path.name.removesuffix(SUFFIX).rpartition("-")[2]
    return datetime.strptime(text, STAMP).replace(tzinfo=UTC)
