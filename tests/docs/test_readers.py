"""The lines that the page on Python gives for other tools read the whole table, where such a tool is installed."""

import re
from pathlib import Path

import pytest

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
LINES = {tool.lower(): line for tool, line in re.findall(r"^  \| (\w+) [\d.]+ \| `(.+)` \|$", PAGE, re.MULTILINE)}
READ = {
    "pyarrow": lambda table: table.to_table(columns=["tweet_id", "date", "count"]).to_pylist(),
    "polars": lambda table: table.select("tweet_id", "date", "count").collect().to_dicts(),
    "daft": lambda table: table.select("tweet_id", "date", "count").to_pylist(),
}


@pytest.mark.parametrize("tool", READ)
def test_a_tool_reads_every_row_with_whole_ids_and_dates(tool, in_world, engagement, monkeypatch):
    module = pytest.importorskip("pyarrow.dataset" if tool == "pyarrow" else tool)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(in_world.root / "data"))
    assert engagement("pull", "--from", "2026-01-30")[0] == 0
    monkeypatch.chdir(in_world.root)
    given = READ[tool](eval(LINES[tool], {tool: __import__(module.__name__)}))
    told = catalog.query(
        Lake(Path("data").absolute()), 'select tweet_id, day as date, "count" from engagements'
    ).to_pylist()
    assert sorted(map(tuple, map(dict.values, given))) == sorted(map(tuple, map(dict.values, told)))
