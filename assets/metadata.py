"""What the UI shows about the assets: their columns and owners, and a day's report with its chart."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, TypedDict

import dagster as dg
import pyarrow as pa

from engagement_pipeline.core.table import Table
from engagement_pipeline.lake.layout import FORMAT
from engagement_pipeline.observe import chart
from engagement_pipeline.observe.day_report import DayReport
from engagement_pipeline.report.files import Written
from engagement_pipeline.sources.engagement.request import CELLS

LINEAGE = dg.TableColumnLineage(
    {
        name: [dg.TableColumnDep(asset_key=dg.AssetKey("responses"), column_name=CELLS)]
        for name in ("tweet_id", "engagement_type", "day", "hour", "count")
    }
)
TOP_COLUMNS = {"tweet_id": "string", "handle": "string", "impressions": "int", "engagements": "int"}
NOTHING = {"impressions": None, "complete": False}  # of a day that nobody asked for
VIEW_COLUMNS = {"view": "string", "rows": "int"}
ROW_COLUMNS = {"tweet_id": "string", "engagement_type": "string", "day": "string", "hour": "int", "count": "int"}


class About(TypedDict):
    """What all assets of the project share."""

    group_name: str
    owners: list[str]
    tags: Mapping[str, str]


def about(layer: str) -> About:
    """Return the arguments of an asset that say where it belongs. `layer` is raw, tidy, views or reports."""
    return {"group_name": "engagement", "owners": ["team:data"], "tags": {"source": "x-engagement-api", "layer": layer}}


def version(table: Table) -> str:
    """Return the code version of a table's asset: it changes with the lake's format and with the table's columns."""
    shape = hashlib.sha256(table.schema.to_string().encode()).hexdigest()[:8]
    return f"{FORMAT}-{shape}"


def columns(table: Table) -> dg.TableSchema:
    """Describe the columns of a table's files for a stranger."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type.value_type if pa.types.is_dictionary(column.type) else column.type),
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
            if column.name in table.schema.names
        ]
    )


def of_day(day: date, report: DayReport) -> dict[str, Any]:
    """Return a day's report as metadata of its partition: numbers that the UI plots by day, a chart and two tables."""
    return {
        "dagster/row_count": report.rows,
        "tweets": report.tweets,
        "set_aside": sum(report.set_aside.values()),
        **{f"set_aside, {reason}": number for reason, number in report.set_aside.items()},
        "left_out": report.left_out,
        "impressions": report.impressions,
        "requests": report.requests,
        "restated": report.restated,
        "bytes": report.bytes,
        "by hour": dg.MetadataValue.md(_picture(day, report)),
        "top Tweets": _table(report.top, TOP_COLUMNS),
        "rows, largest first": _table(report.largest, ROW_COLUMNS),
    }


def of_views(rows: Mapping[str, int | None]) -> dg.TableMetadataValue:
    """Return the catalogue's views with the rows of those that have files."""
    return _table(({"view": name, "rows": number} for name, number in rows.items()), VIEW_COLUMNS)


def of_answers(report: DayReport) -> dict[str, Any]:
    """Return what a day's report says of the answers that it comes from, as metadata of their partition."""
    return {"requests": report.requests, "tweets": report.tweets}


def of_reports(written: Iterable[Written]) -> dict[str, dg.MarkdownMetadataValue]:
    """Return each handle's report as metadata of its month: the impressions by day, the sums, and where the file is."""
    return {f"@{report.figures.handle}": dg.MetadataValue.md(_month(report)) for report in written}


def _month(report: Written) -> str:
    """Return a report in short as Markdown, with the picture inside, short enough to be shown in place."""
    rows = {row["day"]: row for row in report.figures.days}
    days = [rows.get(day, NOTHING) for day in report.figures.month.days]
    picture = chart.month([row["impressions"] for row in days], whole=[row["complete"] for row in days])
    sums = {row["metric"]: row["total"] for row in report.figures.sums}
    told = (f"{name} {sums[name]:,}" for name in ("impressions", "engagements") if sums.get(name) is not None)
    words = "; ".join([*told, report.told])
    return f"![impressions by day, {report.figures.month}]({picture})\n\n{words}\n\n`{report.path}`"


def _table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> dg.TableMetadataValue:
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema=schema)


def _picture(day: date, report: DayReport) -> str:
    """Return the day's curves as Markdown, with the picture inside. The UI shows up to 1,000 characters in place."""
    now, then = report.hours, report.before
    curves = [(now.impressions, then.impressions), (now.engagements, then.engagements)]
    most = [max(today) for today, _ in curves]
    told = f"impressions (blue, to {most[0]:,}), engagements (orange, to {most[1]:,}); grey: the day before"
    return f"![{day} by hour, UTC]({chart.day(curves)})\n\n{told}"
