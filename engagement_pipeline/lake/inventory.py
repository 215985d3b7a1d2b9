"""What lies in a lake, by kind: each file that the lake gives a name to, and whatever else is there.

In: a lake, and the user's own files in it. Out: an Inventory. Nothing is opened, only listed.

A file has a kind if its path fits a place of its lake exactly. So a copy beside a file, or in a folder with another
name, has none: it is a stranger. A folder of strangers is one stranger, and nobody looks into it.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import A_MONTH, A_STAMP, is_real
from engagement_pipeline.core.endpoints import ENDPOINTS, HISTORICAL, HOURLY
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake import raw, rebuilds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from engagement_pipeline.core.endpoints import Endpoint
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.lake.states import Entry

# The kinds of files beside those of TABLES, which have the names of their tables.
PULL, RESPONSE, LANDED, REJECTED, UNANSWERED = "pull", "response", "landed", "rejected", "unanswered"
KEPT = "kept though it is damaged"
MART = "a mart's file"
MARKER, FORGOTTEN, RECEIPT, SAVED, CATALOG, WRITTEN_INTO, LOCK, NOTE, STAND_IN = (
    "lake.json",
    "forgotten.json",
    "receipt",
    "saved.jsonl",
    "catalogue",
    "catalogue.wal",
    "lock",
    "note",
    "stand-in",
)
LEFT = "left by a killed process"
OF_THE_USER = "of the user"
WITHIN = "the lake of another source"
INDEX = "the index of raw in a bucket"
RESPONSE_NAME = rf"\w+-\d+-{fnmatch.translate(A_STAMP)[4:-3]}\.json\.zst"
OF_REBUILD = rebuilds.NAME.pattern
LAKE_FILE = "lake.json"  # a folder with it is a lake of its own, such as that of the demo


@dataclass(frozen=True, slots=True)
class Place:
    """Where files of a kind lie: a pattern for each part of their path. `folder`: a whole folder is of that kind."""

    kind: str
    parts: tuple[re.Pattern[str], ...]
    folder: bool = False

    def fits(self, depth: int, name: str) -> bool:
        """Tell whether a name fits a part, and names no day or moment that there is not, unless it stands for none."""
        return bool(self.parts[depth].fullmatch(name)) and (self.kind == STAND_IN or is_real(name))


@dataclass(frozen=True, eq=False)
class Inventory:
    """What lies in a lake: the files of each kind, sorted; `strangers` have none. `folders` are those in between."""

    files: dict[str, list[Entry]]
    folders: list[Entry]
    strangers: list[Entry]

    def of(self, kind: object) -> list[Entry]:
        """Return the files of a kind, or of a table."""
        return self.files.get(str(kind), [])


def take(lake: Lake, *, own: Callable[[Path], bool]) -> Inventory:
    """Return what lies in a lake; `own` tells the files and folders in it that are the user's."""
    files: dict[str, list[Entry]] = {}
    folders: list[Entry] = []
    strangers: list[Entry] = []
    for entry, kind in _walk(lake, lake.root, _places(lake.source), 0, own):
        if kind is None:
            strangers.append(entry)
        elif entry.folder and kind == "":
            folders.append(entry)
        else:
            files.setdefault(kind, []).append(entry)
    return Inventory(files=files, folders=folders, strangers=strangers)


def _walk(
    lake: Lake, folder: Path, places: Sequence[Place], depth: int, own: Callable[[Path], bool]
) -> Iterator[tuple[Entry, str | None]]:
    """Yield each entry with its kind: None for a stranger, empty for a folder in between."""
    for entry in lake.storage.children(folder):
        fit = [place for place in places if place.fits(depth, entry.path.name)]
        deeper = [place for place in fit if len(place.parts) > depth + 1]
        kinds = [place.kind for place in fit if len(place.parts) == depth + 1 and place.folder == entry.folder]
        if own(entry.path):
            yield entry, OF_THE_USER
        elif kinds:
            yield entry, kinds[0]
        elif entry.folder and deeper:
            yield entry, ""
            if entry.readable:
                yield from _walk(lake, entry.path, deeper, depth + 1, own)
        elif not (entry.folder and lake.storage.exists(entry.path / LAKE_FILE)):
            yield entry, None


def _glob(kind: str, glob: str) -> Place:
    """Return the place that a glob describes."""
    return Place(kind, tuple(re.compile(fnmatch.translate(part)) for part in glob.split("/")))


@cache
def _places(source: str) -> tuple[Place, ...]:
    """Return every place of a lake of a source."""
    endpoints = {endpoint.name: endpoint for endpoint in ENDPOINTS.values() if endpoint.source == source}
    return tuple(_each_place(endpoints))


def _each_place(endpoints: Mapping[str, Endpoint]) -> Iterator[Place]:
    for table in TABLES.values():
        for name in endpoints:
            glob = table.glob.replace("endpoint=*", f"endpoint={name}")
            yield _glob(table.name, glob)
            yield _glob(STAND_IN, f".{glob[1:]}")
            if glob == table.glob:
                break
    yield _glob(MART, f"marts/[a-z_]*/{A_MONTH}.parquet")
    response = re.compile(RESPONSE_NAME)
    for endpoint in endpoints.values():
        folder = _glob("", f"raw/{raw.place(endpoint)}").parts
        yield Place(PULL, (*folder, re.compile(r"pull\.json")))
        yield Place(RESPONSE, (*folder, response))
        yield Place(LANDED, (*folder, re.compile(rf"{RESPONSE_NAME}\.new")))
        yield Place(REJECTED, (*folder, re.compile("rejected"), response))
        yield Place(UNANSWERED, (*folder, re.compile("unanswered"), response))
        yield Place(KEPT, (*folder, re.compile(r"pull\.json\.damaged")))
        for depth in range(1, len(folder) + 1):
            yield Place(LEFT, (*folder[:depth], re.compile(r"\..+\.\d+")))
        yield Place(LEFT, (*folder[:-1], re.compile(r"\.dropped-.+")), folder=True)
    yield _glob(RECEIPT, f"receipts/{A_STAMP}.json")
    for kind, name in SINGLE.items():
        yield Place(kind, (re.compile(name),))
    yield Place(LEFT, (re.compile(rf"\.(aside|{OF_REBUILD}|engagement\.duckdb\.staging\.\d+)"),), folder=True)
    yield Place(LEFT, (re.compile(r"\..+\.\d+"),))
    yield Place(OF_THE_USER, (re.compile(r"tweets|dagster|lost\+found|engagement\.duckdb\.tmp"),), folder=True)
    yield Place(INDEX, (re.compile(r"\.begun"),), folder=True)
    yield Place(WITHIN, (re.compile("|".join(HOURLY.keys() - {HISTORICAL.source})),), folder=True)


SINGLE = {
    MARKER: r"lake\.json",
    FORGOTTEN: r"forgotten\.json",
    SAVED: r"saved\.jsonl",
    CATALOG: r"engagement\.duckdb",
    WRITTEN_INTO: r"engagement\.duckdb\.wal",
    LOCK: rf"\.(lake|pull|shapes|marker|app-[0-9a-f]{{12}}|{OF_REBUILD})\.lock(\.clock)?",
    NOTE: rf"\.((lake|{OF_REBUILD})(\.\d+)?|pull|catalog|emulator)\.note",
    OF_THE_USER: r"README\.md|roster\.example\.csv|dagster\.log|\.gitignore|\.gitkeep",
}
