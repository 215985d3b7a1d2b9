"""Files of a roster, and how one is refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagement_pipeline.core.errors import RosterError

HANDLES = {"a", "b"}
BIG = 1890000000000000001  # no float holds it
HEADER = "tweet_id,handle\n"
NOT_A_NUMBER = "is not a 64-bit whole number"


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, dict):
        pq.write_table(pa.table(content), path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8", newline="")


def lines(*objects):
    return "".join(json.dumps(item) + "\n" for item in objects)


def refusal(load, *arguments, **options):
    """Return the error with which a roster is refused; its text is one line."""
    with pytest.raises(RosterError) as caught:
        load(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


def bad_rows(load, files):
    """Return the bad rows, without the folder before each."""
    return [row.removeprefix(f"{load.path}/") for row in refusal(load, files).rows]
