"""The command `engagement upgrade`: what it prints, and what it leaves."""

import pytest
from histories import live
from older import made_format_2
from tables import parquet_files

from engagement_pipeline.cli.main import main
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.query import catalog


@pytest.fixture
def older(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    live(lake)
    made_format_2(lake)
    monkeypatch.setenv("ENGAGEMENT_CONFIG", "/dev/null")
    monkeypatch.setenv("ENGAGEMENT_DATA", str(lake.root))
    return lake


def test_it_upgrades_the_lake_and_its_views_and_says_so_once(older, capsys):
    assert main(["upgrade"]) == 0
    assert capsys.readouterr().out == (
        f"format 2 -> {FORMAT}: 5 days written anew, 0 zeros dropped of hours before their Tweet was posted\n"
    )
    assert older.catalog.exists()
    assert catalog.query(older, "select max(hour * 3600) as n from engagements")["n"].to_pylist() == [23 * 3600]
    assert main(["upgrade"]) == 0
    assert capsys.readouterr().out == f"the lake has format {FORMAT} already\n"


@pytest.mark.parametrize("command", [("sql", "select 1"), ("rebuild",), ("prune",), ("catalog",)])
def test_other_commands_name_it_and_change_nothing(older, capsys, command):
    before = parquet_files(older)
    assert main([*command]) == 1
    assert "run engagement upgrade, which brings its files to this format in place" in capsys.readouterr().err
    assert parquet_files(older) == before


def test_a_damaged_file_is_named_with_its_fix_and_fails_the_command(older, capsys):
    path = min(older.root.glob(ENGAGEMENTS.glob))
    path.write_bytes(b"no parquet")
    assert main(["upgrade"]) == 1
    said = capsys.readouterr()
    assert f"{path} is damaged" in said.out
    assert said.err == "engagement: 1 file could not be upgraded, and stays as it is: see above\n"
    assert main(["rebuild"]) == 0
    assert path.read_bytes() != b"no parquet"


def test_where_no_lake_is_it_says_so_and_makes_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ENGAGEMENT_CONFIG", "/dev/null")
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "none"))
    assert main(["upgrade"]) == 2
    assert "there is no lake in" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
