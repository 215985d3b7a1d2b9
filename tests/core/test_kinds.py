"""The kinds of values: their types in Arrow and in DuckDB."""

import duckdb
import pyarrow as pa
import pytest

from engagement_pipeline.core.kinds import Kind


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_has_the_type_in_duckdb_that_duckdb_gives_its_arrow_type(kind):
    with duckdb.connect() as connection:
        relation = connection.from_arrow(pa.schema([("found", kind.arrow)]).empty_table())
        assert [str(found) for found in relation.types] == [kind.duckdb]
