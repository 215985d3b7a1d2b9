"""Find the roster's files, and read the rows of each.

In: the setting `tweets`, a glob or a folder. Out: the files to read and the paths that are left alone; then the Rows of
each file. A file is read to its last row, or refused with the line. All values of a text file stay text: a guessed type
could turn IDs into floats, and a float changes an ID above 2^53.
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import json
import re
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.errors import RosterError
from engagement_pipeline.core.handles import normalised
from engagement_pipeline.extract.roster_columns import HANDLE, TWEET_ID, named, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

PACKED = ".gz"
SYNCED = ".synced.csv"  # behind a handle: the file that the program writes; any other is the user's own
GZIP = b"\x1f\x8b"  # a packed file begins so, whatever its name
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # a spreadsheet's "Unicode text"
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*(?:\r\n?|\n)', re.IGNORECASE)  # a spreadsheet's first line
HEAD = 2**16  # characters; no header is longer
CHUNK = 50_000  # rows that are held as Python strings at once
LONG_ID = 15  # digits; no other number in a text is as long
ESCAPED = re.compile(r"\[[*?[]\]")  # in a glob: a character that stands for itself
LINE_END = re.compile(r"\r\n?|\n")
SHOWN_CHARACTERS = 200  # of a header in a message
QUOTES = 'close each quote that opens a value, and write one inside a quoted value twice ("")'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file. `table` has the columns tweet_id and handle, and further ones under the names to keep.

    `lines` holds the number of each row in its file. `unit` says what is numbered, and is empty for lines. `misshapen`
    are rows with more values than the header has names, each with the reason in words. `renamed` has the new name of
    each column that does not keep its own.
    """

    path: Path
    table: pa.Table
    lines: Sequence[int]
    unit: str = ""
    misshapen: Mapping[int, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_synced(self) -> bool:
        """Whether the program has written the file."""
        return _is_synced(self.path)

    def place(self, row: int) -> str:
        """Return the file and line of a row."""
        return f"{self.path}:{self.unit}{self.lines[row]}"


def find(pattern: str) -> tuple[list[Path], list[Path]]:
    """Return the files to read that a glob or a folder names, and the other paths that it names.

    The user's own files are first, so that what they say counts.
    """
    paths = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - the pattern is absolute
    if not glob.has_magic(ESCAPED.sub("", Path(pattern).name)):
        paths = [inner for path in paths for inner in (path.glob("[!.]*") if path.is_dir() else [path])]
    paths = sorted({*paths})
    files = sorted((path for path in paths if _kind(path) in READERS and path.is_file()), key=_is_synced)
    folders = {folder for file in files for folder in file.parents}
    return files, [path for path in paths if path not in folders and path not in {*files}]


def read(path: Path, handles: Collection[str]) -> Rows | None:
    """Return the rows of a file; None for a .txt file that is no roster.

    Raises RosterError if the file cannot be read to its end, or lacks a column. `handles` are those of the accounts: if
    a quoted value holds a row with one of them, its quote is a stray one.
    """
    content = _content(path)
    if not content.strip() and _kind(path) != ".txt":
        raise RosterError(f"{path} is empty: write the columns tweet_id and handle, or move the file away")
    return READERS[_kind(path)](path, content, handles)


def _is_synced(path: Path) -> bool:
    return path.name.endswith(SYNCED)


def _kind(path: Path) -> str:
    """Return the suffix of a file's name, without that of packing."""
    return Path(path.name.lower().removesuffix(PACKED)).suffix


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except OSError as error:
        raise RosterError(
            f"{path} cannot be read: {error.strerror or error}; get permission to read it, or move it"
        ) from None
    except (EOFError, zlib.error) as error:
        raise RosterError(f"{path} cannot be read: {error}; a part of it is missing, so copy it again") from None


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RosterError(f"{path}:{line} cannot be read: it is not UTF-8 text; save the file as UTF-8") from None


def _delimited(path: Path, content: bytes, handles: Collection[str]) -> Rows | None:
    if _kind(path) == ".txt" and TWEET_ID.encode() not in content[:HEAD].replace(b"\0", b"").lower():
        return None  # not decoded: somebody's notes may be in any encoding
    text = _text(path, content)
    hint = SEPARATOR_LINE.match(text)
    body = text[hint.end() :] if hint else text
    delimiter, header = _header(body[:HEAD], (hint[1] if hint else "") + DELIMITERS)
    if _kind(path) == ".txt" and not {TWEET_ID, HANDLE} <= {*_keys(header)}:
        return None
    _check(path, header)
    width = len(header)
    tables: list[pa.Table] = []
    lines: list[int] = []
    misshapen: dict[int, str] = {}
    chunk: list[list[str]] = []
    for line, record, long in _records(path, body, delimiter=delimiter, before=1 if hint else 0):
        if long and not _is_synced(path):
            _refuse_swallowed(path, line, record, delimiter=delimiter, header=header, handles=handles)
        if not lines:  # the header
            lines.append(line)
            continue
        if any(map(str.strip, record[width:])):
            misshapen[len(lines) - 1] = (
                f"holds {len(record)} values, but the header {width} names: put quotes around a value that has a "
                f"{delimiter!r} in it"
            )
        lines.append(line)
        chunk.append(record if len(record) == width else (record + [""] * width)[:width])
        if len(chunk) == CHUNK:
            tables.append(_table(width, chunk))
            chunk = []
    tables.append(_table(width, chunk))
    return _rows(path, header, pa.concat_tables(tables), lines=lines[1:], misshapen=misshapen)


def _header(head: str, delimiters: str) -> tuple[str, list[str]]:
    """Return the delimiter with which the first row names tweet_id and handle, else the one that gives most names."""
    found = []
    for delimiter in delimiters:
        records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        found.append((delimiter, next((record for record in records if any(map(str.strip, record))), [])))
    named_both = (each for each in found if {TWEET_ID, HANDLE} <= {*_keys(each[1])})
    return next(named_both, max(found, key=lambda each: len(each[1])))


def _records(path: Path, body: str, *, delimiter: str, before: int) -> Iterator[tuple[int, list[str], bool]]:
    """Yield each row that is not blank: the line on which it starts, its values, and whether it has several lines.

    Any kind of line end is taken, and a file may mix them. `before` counts the file's lines above the body.
    """
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    last = 0
    try:
        for record in reader:
            first, last = last + 1, reader.line_num
            if any(map(str.strip, record)):
                yield first + before, record, last > first
    except csv.Error as error:
        raise RosterError(f"{path}:{last + 1 + before} cannot be read ({error}): {QUOTES}") from None


def _refuse_swallowed(
    path: Path,
    line: int,
    record: Sequence[str],
    *,
    delimiter: str,
    header: Sequence[str],
    handles: Collection[str],
) -> None:
    """Raise RosterError if a value of several lines holds whole rows, as a value between two stray quotes does."""
    columns = [_keys(header).index(column) for column in (TWEET_ID, HANDLE)]
    number = line
    for value in record:
        for inner in LINE_END.split(value)[1:]:
            number += 1
            cells = next(csv.reader([inner], delimiter=delimiter), [])
            if max(columns) < len(cells):
                tweet_id, handle = (cells[column].strip() for column in columns)
                alike = len(cells) == len(header) and (not handle or len(tweet_id) >= LONG_ID)
                if tweet_id.isdecimal() and (alike or normalised(handle) in handles):
                    raise RosterError(f"{path}:{line} opens a quote that contains the row of line {number}: {QUOTES}")


def _table(width: int, records: Sequence[Sequence[str]]) -> pa.Table:
    """Return rows of text as a table; an empty value becomes null."""
    columns = zip(*records, strict=True) if records else [()] * width
    texts = [pa.array([value or None for value in column], pa.string()) for column in columns]
    return pa.Table.from_arrays(texts, names=[str(place) for place in range(width)])


def _json(path: Path, content: bytes, _handles: Collection[str]) -> Rows:
    text = _text(path, content)
    array = text.lstrip().startswith("[")
    items = _array(path, text) if array else _json_lines(path, text)
    strange = next((number for number, item in items if not isinstance(item, dict)), None)
    unit = "item " if array else ""
    if strange:
        raise RosterError(f"{path}:{unit}{strange} is not an object with tweet_id and handle")
    header = list(dict.fromkeys(name for _, item in items for name in item))
    _check(path, header)
    texts = [_texts([_as_text(item.get(name)) for _, item in items]) for name in header]
    table = pa.Table.from_arrays(texts, names=[str(place) for place in range(len(header))])
    return _rows(path, header, table, lines=[number for number, _ in items], unit=unit)


def _array(path: Path, text: str) -> list[tuple[int, Any]]:
    """Return the items of a JSON array, each with its number."""
    try:
        return list(enumerate(json.loads(text, parse_float=_number), 1))
    except json.JSONDecodeError as error:
        raise RosterError(f"{path}:{error.lineno} cannot be read: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise RosterError(f"{path} cannot be read: {error}") from None


def _json_lines(path: Path, text: str) -> list[tuple[int, Any]]:
    """Return the value on each line that is not blank, with the line's number."""
    items = []
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        try:
            if line.strip():
                items.append((number, json.loads(line, parse_float=_number)))
        except (ValueError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise RosterError(
                f"{path}:{number} cannot be read: {what}; write one object on each line, or one array of all objects"
            ) from None
    return items


def _number(written: str) -> float | str:
    """Return a number with a point or an exponent, as text where a float would hold another one."""
    number = float(written)
    return number if Decimal(written) == Decimal(repr(number)) else written


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _texts(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        return pa.array([value and value.encode(errors="replace").decode() for value in values], pa.string())


def _parquet(path: Path, content: bytes, _handles: Collection[str]) -> Rows:
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RosterError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    _check(path, table.column_names)
    columns = pa.Table.from_arrays([*map(plain, table.columns)], names=table.column_names)
    return _rows(path, table.column_names, columns, lines=range(1, len(table) + 1), unit="row ")


READERS = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), _delimited),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), _json),
    ".parquet": _parquet,
}


def _keys(header: Sequence[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _check(path: Path, header: Sequence[str]) -> None:
    """Raise RosterError unless a file has one column tweet_id and one column handle."""
    for column in (TWEET_ID, HANDLE):
        number = _keys(header).count(column)
        if not number:
            shown = ", ".join(header) or "none"
            shown = shown if shown.isprintable() else repr(shown)
            cut = shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"
            raise RosterError(f"{path} has no column {column}: it has {cut}; add it, or rename the one that is meant")
        if number > 1:
            raise RosterError(f"{path} has the column {column} {number} times: rename all but one")


def _rows(path: Path, header: Sequence[str], table: pa.Table, **further: Any) -> Rows:  # noqa: ANN401 - fields of Rows
    """Return a file's rows with its columns under the names to keep. Drop columns without a name and without values."""
    names = named(header)
    table = table.rename_columns(names)
    empty = [
        name
        for found, name in zip(header, names, strict=True)
        if not found.strip() and table[name].null_count == len(table)
    ]
    renamed = {found.strip(): name for found, name in zip(header, names, strict=True) if _is_renamed(found, name)}
    return Rows(path=path, table=table.drop_columns(empty), renamed=renamed, **further)


def _is_renamed(found: str, name: str) -> bool:
    return bool(found.strip()) and found.strip().lower() != name.lower()
