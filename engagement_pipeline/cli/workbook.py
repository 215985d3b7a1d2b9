"""An answer as an Excel workbook, in which IDs stay whole and no text runs as a formula.

In: an Arrow table without nested values. Out: bytes of one .xlsx file, with the names of the columns in its first row.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

import xlsxwriter

from engagement_pipeline.cli.grid import is_id
from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS, MOST_COLUMNS = 2**20 - 1, 2**14  # of a sheet, below its first row
LONGEST_TEXT = 32_767
FIRST_DATE = date(1900, 3, 1)  # Excel counts a day in February 1900 that there was not
WIDTH = 20  # of a column, in characters
DIGITS = 15  # of a number
FORMS = {date: "yyyy-mm-dd", datetime: "yyyy-mm-dd hh:mm:ss"}


def write(table: pa.Table, file: BinaryIO) -> None:
    """Write a workbook with one sheet. Moments are in UTC, without a zone, which Excel does not know.

    Raises InputError if the table has more rows or columns than a sheet.
    """
    if table.num_rows > MOST_ROWS or table.num_columns > MOST_COLUMNS:
        raise InputError(
            f"the answer has {table.num_rows:,} rows and {table.num_columns:,} columns, and a sheet holds "
            f"{MOST_ROWS:,} and {MOST_COLUMNS:,}: ask for less, or take --format csv or parquet"
        )
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("answer")
        styles = {kind: book.add_format({"num_format": form}) for kind, form in FORMS.items()}
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(table.num_columns - 1, 0), WIDTH)
        bold = book.add_format({"bold": True})
        for place, name in enumerate(table.column_names):
            sheet.write_string(0, place, name, bold)
        line = 1
        for batch in table.to_batches():
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                for place, value in enumerate(row):
                    _put(sheet, line, place, value, name=table.column_names[place], styles=styles)
                line += 1


def _fits(value: float | Decimal) -> bool:
    """Tell whether Excel keeps all digits of a number."""
    return isinstance(value, float) or len(Decimal(value).as_tuple().digits) <= DIGITS


def _put(
    sheet: Worksheet,
    line: int,
    place: int,
    value: Any,  # noqa: ANN401 - of any SQL type
    *,
    name: str,
    styles: dict[type[date], Format],
) -> None:
    """Write one cell: a number, a moment or a truth value as such, all else as text, nothing for NULL."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, place, value)
    elif isinstance(value, int | float | Decimal) and not is_id(name, value) and _fits(value):
        sheet.write_number(line, place, value)
    elif isinstance(value, datetime) and value.date() >= FIRST_DATE:
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        sheet.write_datetime(line, place, naive, styles[datetime])
    elif isinstance(value, date) and not isinstance(value, datetime) and value >= FIRST_DATE:
        sheet.write_datetime(line, place, value, styles[date])
    else:
        text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
        if len(text) > LONGEST_TEXT:
            raise InputError(
                f"a text of the column {name} has {len(text):,} characters, and a cell holds {LONGEST_TEXT:,}: take "
                "--format csv or parquet"
            )
        sheet.write_string(line, place, text)
