"""What the values of a column are: the type in DuckDB, and the type in Arrow, which is imported when it is asked for.

In: nothing. Out: Kind objects. A command that touches no table does not wait for Arrow.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(Enum):
    """A kind of value, under the name of its type in Arrow."""

    INT32 = "int32"
    INT64 = "int64"
    FLOAT64 = "float64"
    BOOL = "bool"
    STRING = "string"
    WORD = "dictionary of string"  # one of a few texts
    DATE = "date32"
    MOMENT = "timestamp in UTC"
    INT64S = "list of int64"
    STRINGS = "list of string"

    @property
    def duckdb(self) -> str:
        """The name of the type in DuckDB."""
        return DUCKDB[self]

    @cached_property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        import pyarrow as pa  # noqa: PLC0415 - the kinds are known without it

        types = {
            Kind.INT32: pa.int32(),
            Kind.INT64: pa.int64(),
            Kind.FLOAT64: pa.float64(),
            Kind.BOOL: pa.bool_(),
            Kind.STRING: pa.string(),
            Kind.WORD: pa.dictionary(pa.int8(), pa.string()),
            Kind.DATE: pa.date32(),
            Kind.MOMENT: pa.timestamp("us", "UTC"),
            Kind.INT64S: pa.list_(pa.int64()),
            Kind.STRINGS: pa.list_(pa.field("element", pa.string())),  # as Parquet calls it
        }
        return types[self]


DUCKDB = {
    Kind.INT32: "INTEGER",
    Kind.INT64: "BIGINT",
    Kind.FLOAT64: "DOUBLE",
    Kind.BOOL: "BOOLEAN",
    Kind.STRING: "VARCHAR",
    Kind.WORD: "VARCHAR",
    Kind.DATE: "DATE",
    Kind.MOMENT: "TIMESTAMP WITH TIME ZONE",
    Kind.INT64S: "BIGINT[]",
    Kind.STRINGS: "VARCHAR[]",
}
