"""`engagement catalog`, `engagement sql --unsafe`, and where analysts keep views of their own."""

import shutil
from pathlib import Path

import duckdb
import pytest
from histories import live
from processes import CLONE

from engagement_pipeline.lake.layout import Lake

COUNT = "select count(*) from engagements"


@pytest.fixture
def filled(lake):
    """The lake of the settings, with rows in it."""
    live(Lake(lake))
    return lake


def counted(path, sql=COUNT):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()[0][0]


def test_catalog_writes_the_views_again(filled, engagement):
    code, out, _ = engagement("catalog")
    assert (code, out) == (
        0,
        f"{filled / 'engagement.duckdb'}: views over the lake in {filled}; open it read-only\n",
    )
    assert counted(filled / "engagement.duckdb") == 34


def test_catalog_of_a_copy_makes_it_answer_where_it_is_attached(filled, tmp_path, engagement):
    engagement("catalog")
    copy = Path(shutil.copytree(filled, tmp_path / "copy"))
    assert engagement("catalog", "--root", str(copy))[0] == 0
    with duckdb.connect() as connection:
        connection.execute(f"attach '{copy / 'engagement.duckdb'}' as copy (read_only)")
        assert connection.execute("select count(*) from copy.engagements").fetchall() == [(34,)]


def test_catalog_for_another_place_leaves_the_lake_s_own(filled, tmp_path, engagement):
    engagement("catalog")
    output = tmp_path / "mounted.duckdb"
    assert engagement("catalog", "--root", str(tmp_path / "mnt"), "--output", str(output))[0] == 0
    assert counted(filled / "engagement.duckdb") == 34
    filled.rename(tmp_path / "mnt")
    assert counted(output) == 34


def test_catalog_makes_no_lake(tmp_path, failed):
    code, line = failed("catalog", "--root", str(tmp_path / "none"))
    assert (code, line) == (
        2,
        f"there is no lake in {tmp_path / 'none'}: pull first, or name one in ENGAGEMENT_DATA",
    )
    assert not (tmp_path / "none").exists()


def test_sql_is_confined_until_it_is_unsafe(filled, tmp_path, engagement, failed):
    target = tmp_path / "out.csv"
    sql = f"copy engagements to '{target}'"
    code, line = failed("sql", sql)
    assert code == 2
    assert line.startswith("the query is refused: ")
    assert not target.exists()
    assert engagement("sql", "--unsafe", sql)[0] == 0
    assert target.exists()


def test_views_of_one_s_own_outlive_a_pull_as_the_page_has_it(filled, tmp_path, engagement):
    engagement("catalog")
    page = (CLONE / "docs" / "sql.md").read_text(encoding="utf-8")
    attach, view = (line for line in page.splitlines() if line.startswith(("attach '", "create view by_handle")))
    attach = attach.replace("/srv/engagement/data", str(filled))
    with duckdb.connect(str(tmp_path / "mine.duckdb")) as mine:
        mine.execute(attach)
        mine.execute(view)
    engagement("catalog")
    with duckdb.connect(str(tmp_path / "mine.duckdb")) as mine:
        mine.execute(attach)
        assert mine.execute("select count(*) from by_handle").fetchall() == [(0,)]  # no roster, so no handles
