"""A whole answer as JSON: each row is what its values are one by one."""

import io
import json

import pyarrow as pa
import pytest

from engagement_pipeline.cli import json_rows

UNSAFE = 2**53 + 1


def read(table):
    """Write a table as JSON, and return what a reader finds."""
    file = io.StringIO()
    json_rows.write(table, file)
    return json.loads(file.getvalue(), parse_constant=pytest.fail)


def test_rows_of_all_batches_are_in_one_array(monkeypatch):
    monkeypatch.setattr(json_rows, "ROWS", 2)
    assert read(pa.table({"n": range(5)})) == [{"n": n} for n in range(5)]


@pytest.mark.parametrize("table", [pa.table({}), pa.table({"n": pa.array([], pa.int64())})])
def test_no_rows_are_an_empty_array(table):
    assert read(table) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([1, None, -UNSAFE]), [1, None, str(-UNSAFE)]),
        (pa.array([UNSAFE, 3], pa.uint64()), [str(UNSAFE), 3]),
        (pa.array(["a", None, 'q"\n']), ["a", None, 'q"\n']),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([True, None]), [True, None]),
        (pa.array([0.1, float("nan"), None]), [0.1, None, None]),
        (pa.array([[UNSAFE, 1], None]), [[str(UNSAFE), 1], None]),
    ],
    ids=["integers", "unsigned", "texts", "a dictionary", "booleans", "floats", "lists"],
)
def test_each_value_is_itself_and_a_missing_one_is_null(values, told):
    assert [row["x"] for row in read(pa.table({"x": values}))] == told


def test_ids_are_text_however_small():
    assert read(pa.table({"tweet_id": [20, None], "n": [20, 20]})) == [
        {"tweet_id": "20", "n": 20},
        {"tweet_id": None, "n": 20},
    ]


def test_no_control_character_is_written():
    file = io.StringIO()
    json_rows.write(pa.table({"a\x1b": ["\x1b\x9b"]}), file)
    assert file.getvalue() == '[{"a\\u001b": "\\u001b\\u009b"}]\n'
