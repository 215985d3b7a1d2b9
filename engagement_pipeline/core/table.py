"""What a table of a lake is: its columns, the place of its files, and how newer rows are merged with those there are.

In: nothing. Out: the classes of which tables.py has the objects.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from engagement_pipeline.core.dated import A_DAY, A_MONTH

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from engagement_pipeline.core.kinds import Kind


class Merge(Enum):
    """How the rows of a newer answer are merged with the published rows."""

    CELL = "a newer count replaces the older one of the same key, and the older one goes to revisions"
    SNAPSHOT = "one file for each day of observation; a Tweet's newest answer replaces all rows of its earlier one"
    LATEST = "one file; a Tweet's newest answer replaces all rows of its earlier one, and old rows are dropped"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the kind of its values and its meaning for a stranger.

    `in_folder`: the file's folder has the value in its name. `derived`: the view computes it from other columns.
    `in_file`: the name that the column has in the files, where it is another one.
    """

    name: str
    kind: Kind
    meaning: str
    _: KW_ONLY
    nullable: bool = False
    in_folder: bool = False
    derived: bool = False
    in_file: str = ""

    @property
    def type(self) -> pa.DataType:
        """The type in Arrow."""
        return self.kind.arrow

    @property
    def field(self) -> pa.Field:
        """The column as an Arrow field."""
        import pyarrow as pa  # noqa: PLC0415 - the tables are known without it

        return pa.field(self.name, self.type, nullable=self.nullable)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Table:
    """A table and its files.

    grain: what one row is.
    key: the columns that tell rows apart.
    file: the path of a day's rows, relative to the lake; it may contain {day} or {month}.
    glob: finds all files of the table, and nothing with another name.
    merge: None if no endpoint fills the table directly.
    """

    name: str
    grain: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    file: str
    glob: str
    merge: Merge | None = None

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns that a file holds, as an Arrow schema."""
        import pyarrow as pa  # noqa: PLC0415

        return pa.schema([column.field for column in self.columns if not (column.in_folder or column.derived)])

    @cached_property
    def file_schema(self) -> pa.Schema:
        """The same columns, under the names that they have in a file."""
        import pyarrow as pa  # noqa: PLC0415

        return pa.schema([field.with_name(self.in_file.get(field.name, field.name)) for field in self.schema])

    @cached_property
    def in_file(self) -> dict[str, str]:
        """The columns that have another name in a file: that name, by their own."""
        return {column.name: column.in_file for column in self.columns if column.in_file}

    @cached_property
    def in_folders(self) -> tuple[str, ...]:
        """The columns with their values in the names of folders alone."""
        return tuple(column.name for column in self.columns if column.in_folder)

    def place(self, day: date) -> str:
        """Return the path of the rows of a UTC day, relative to the lake."""
        return self.file.format(day=day, month=f"{day:%Y-%m}")

    def glob_of(self, day: date) -> str:
        """Return the glob that finds only the files of one UTC day, for a table with a file a day or month."""
        return self.glob.replace(f"day={A_DAY}", f"day={day}").replace(f"daily/{A_MONTH}", f"daily/{day:%Y-%m}")
