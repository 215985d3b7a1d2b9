"""A search of all files of a lake for Tweets that are forgotten: the proof that nothing is left of them.

In: a lake, and IDs. Out: the files that hold one, with the paths in the lake. Packed files are unpacked, and Parquet is
read. Other files are read byte by byte, for the ID as text and as a number of 64 bits.

IDs that are older than Snowflake are as short as counts: they are searched for in the column tweet_id alone. The lakes
of all sources are searched. Another lake within the lake, such as that of the demo, is not this one's.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake.inventory import LAKE_FILE
from engagement_pipeline.lake.parquet import opened
from engagement_pipeline.lake.states import UNSETTLED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.lake.layout import Lake

GZIP, ZSTD = ".gz", ".zst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How many files were searched, and which of them hold a Tweet."""

    files: int
    holding: tuple[str, ...]


def search(home: Lake, erased: Erased) -> Searched:
    """Search each file of the lakes, whoever put it there."""
    paths = dict.fromkeys(path for lake in home.of_each_source for path in _files(lake, lake.root))
    holding = [str(path.relative_to(home.root)) for path in paths if _holds(home, path, erased)]
    return Searched(files=len(paths), holding=tuple(holding))


def _files(lake: Lake, folder: Path) -> Iterator[Path]:
    for entry in lake.storage.children(folder):
        if not entry.folder:
            yield entry.path
        elif not lake.storage.exists(entry.path / LAKE_FILE):
            yield from _files(lake, entry.path)


def _holds(lake: Lake, path: Path, erased: Erased) -> bool:
    if erased.named_in(path.name.encode(errors="replace")):
        return True
    if path.suffix == ".parquet":
        with suppress(LakeError):  # its bytes are searched
            return _in_parquet(lake, path, erased)
    try:
        content = lake.storage.read(path)
    except FileNotFoundError:  # a pull has renamed it since; it asks for none of them
        return False
    return _in_bytes(_unpacked(path, content), erased)


def _in_parquet(lake: Lake, path: Path, erased: Erased) -> bool:
    all_ids, telling = (pa.array(ids, pa.int64()) for ids in (erased.ids, erased.telling))
    with opened(lake, path) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            for name, column in zip(rows.column_names, rows.columns, strict=True):
                if pa.types.is_integer(column.type):
                    ids = all_ids if name == "tweet_id" else telling
                    if pc.any(pc.is_in(column.cast(pa.int64(), safe=False), ids)).as_py():
                        return True
                elif _is_text(column.type) and erased.named_in("\n".join(map(str, column.to_pylist())).encode()):
                    return True
    return False


def _is_text(kind: pa.DataType) -> bool:
    return not (pa.types.is_dictionary(kind) or pa.types.is_primitive(kind))


def _in_bytes(content: bytes, erased: Erased) -> bool:
    return erased.named_in(content) or any(tweet.to_bytes(8, "little") in content for tweet in erased.telling)


def _unpacked(path: Path, content: bytes) -> bytes:
    """Return what a file holds; of one that is damaged, its bytes."""
    name = path.name.removesuffix(UNSETTLED)
    try:
        if name.endswith(GZIP):
            return gzip.decompress(content)
        if name.endswith(ZSTD):
            with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
                unpacked: bytes = stream.read()
                return unpacked
    except MemoryError:  # one of Arrow's exceptions too, and no damage
        raise
    except (OSError, EOFError, zlib.error, pa.ArrowException):
        pass
    return content
