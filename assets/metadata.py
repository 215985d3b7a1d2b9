"""What the UI tells of the assets: their columns, whose they are, and a day's report with its picture."""

import base64
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, TypedDict

import dagster as dg
import pyarrow as pa

from engagement_pipeline.observe import chart
from engagement_pipeline.observe.day_report import DayReport
from engagement_pipeline.sources.engagement.request import CELLS

MEANING = {
    "tweet_id": "The Tweet, as the API names it; text in JSON and JavaScript, which round such numbers.",
    "engagement_type": "What was counted, under the API's own name; the view metrics says what each means.",
    "day": "The UTC day on which it happened.",
    "hour": "The UTC hour of that day in which it happened, 0 to 23.",
    "count": "How often; below zero where more was undone than done.",
    "partial": "Whether only a part of the hour was asked for.",
    "observed_at": "When the answer was asked for.",
}
LINEAGE = dg.TableColumnLineage(
    {
        name: [dg.TableColumnDep(asset_key=dg.AssetKey("responses"), column_name=CELLS)]
        for name in ("tweet_id", "engagement_type", "day", "hour", "count")
    }
)
TOP_COLUMNS = {"tweet_id": "string", "handle": "string", "impressions": "int", "engagements": "int"}
ROW_COLUMNS = {"tweet_id": "string", "engagement_type": "string", "day": "string", "hour": "int", "count": "int"}


class About(TypedDict):
    """What all assets of the project have in common."""

    group_name: str
    owners: list[str]
    tags: Mapping[str, str]


def about(layer: str) -> About:
    """Return the arguments of an asset that say where it belongs: raw answers, tidy tables or views."""
    return {"group_name": "engagement", "owners": ["team:data"], "tags": {"source": "x-engagement-api", "layer": layer}}


def columns(schema: pa.Schema) -> dg.TableSchema:
    """Describe the columns of a table for a stranger."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type.value_type if pa.types.is_dictionary(field.type) else field.type),
                description=MEANING[field.name],
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def of_day(day: date, report: DayReport) -> dict[str, Any]:
    """Return a day's report as metadata of its partition: numbers, that the UI plots over the days, and two glances."""
    return {
        "dagster/row_count": report.rows,
        "tweets": report.tweets,
        "set_aside": sum(report.set_aside.values()),
        **{f"set_aside, {reason}": number for reason, number in report.set_aside.items()},
        "impressions": report.impressions,
        "requests": report.requests,
        "restated": report.restated,
        "bytes": report.bytes,
        "impressions by hour": dg.MetadataValue.md(_picture(report, f"impressions of {day} by hour, UTC")),
        "top Tweets": _table(report.top, TOP_COLUMNS),
        "rows, largest first": _table(report.largest, ROW_COLUMNS),
    }


def _table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> dg.TableMetadataValue:
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema=schema)


def _picture(report: DayReport, title: str) -> str:
    """Return a chart as Markdown that holds the picture itself."""
    content = base64.b64encode(chart.bars(report.hours, title).encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{content})"
