"""The marts, and the tables that an asset writes beside its own, as assets that Dagster shows and never makes.

A view answers as soon as its files change, so no run makes one, and none costs a run anything. What each says of itself
is what the catalogue says: of a table in core/tables.py, of a mart at its head in query/marts/.
"""

from collections.abc import Collection

import dagster as dg

from assets.engagements import engagements, responses
from assets.metadata import about, columns
from assets.roster import roster
from assets.snapshots import recent, totals
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.table import Table
from engagement_pipeline.core.tables import (
    COVERAGE,
    DAILY,
    REQUESTS,
    REVISIONS,
    SET_ASIDE,
    SHAPES,
    TABLES,
    TWEETS,
    WINDOW_TOTALS,
)
from engagement_pipeline.query.views import BY_SOURCE, View, all_macros, all_views, reading

PULLED = (responses, totals, recent)  # which ask the API
WRITTEN_BESIDE = {
    DAILY: (engagements,),
    REVISIONS: (engagements,),
    WINDOW_TOTALS: (engagements,),
    COVERAGE: (engagements, totals, recent),
    SET_ASIDE: PULLED,
    TWEETS: PULLED,
    REQUESTS: (roster, *PULLED),
    SHAPES: PULLED,
}


def _of_table(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=WRITTEN_BESIDE[table],
        kinds={"json" if table.glob.endswith(".jsonl") else "parquet"},
        description=f"One row is {table.grain}. {table.description}",
        metadata={"dagster/column_schema": columns(table)},
        **about("tidy"),
    )


def _of_view(view: View, known: Collection[str]) -> dg.AssetSpec:
    """Return what a view tells. Its columns have no types: DuckDB knows them only once it has made the view."""
    described = [dg.TableColumn(name, type="", description=meaning) for name, meaning in view.columns.items()]
    of_each_source = {HISTORICAL.table.name} if reading(view.sql, BY_SOURCE) else set()
    return dg.AssetSpec(
        _key(view.name),
        deps=map(_key, sorted(reading(view.sql, known) | of_each_source)),
        kinds={"duckdb", "view"},
        description=f"One row is {view.grain}. {view.description}",
        metadata={"dagster/column_schema": dg.TableSchema(described)},
        **about("views") | {"group_name": "marts"},
    )


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("."))


_views = (*all_views(), *all_macros())
tables = [_of_table(table) for table in WRITTEN_BESIDE]
marts = [_of_view(view, {*TABLES, *(each.name for each in _views)}) for view in _views]
