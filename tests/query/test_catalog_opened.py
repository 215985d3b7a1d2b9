"""A query opens the lake's catalogue where that is sound, and makes views of its own where it is not."""

import shutil

import duckdb
import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog, seal

pytestmark = pytest.mark.marts

SQL = "select count(*) as n from engagements"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    catalog.refresh(lake)
    return lake


@pytest.fixture
def made(monkeypatch):
    """The lakes for which views are made in memory."""
    lakes = []
    connect = catalog.connect
    monkeypatch.setattr(catalog, "connect", lambda lake, **options: (lakes.append(lake), connect(lake, **options))[1])
    return lakes


def asked(lake):
    return catalog.query(lake, SQL)["n"].to_pylist()


def test_a_sound_catalogue_is_opened_and_no_view_is_made(lake, made):
    assert asked(lake) == [0]
    assert made == []


def test_a_catalogue_that_another_program_wrote_is_left_alone(lake, made, monkeypatch):
    monkeypatch.setattr(seal, "all_macros", tuple)  # of a program that has none
    assert asked(lake) == [0]
    assert made == [lake]


def test_without_a_catalogue_views_are_made(lake, made):
    lake.catalog.unlink()
    assert asked(lake) == [0]
    assert made == [lake]
    assert not lake.catalog.exists()


def test_a_catalogue_that_somebody_writes_to_keeps_no_query_waiting(lake, made):
    lake.catalog.chmod(0o644)
    with duckdb.connect(str(lake.catalog)):
        assert asked(lake) == [0]
    assert made == [lake]


def test_a_view_that_somebody_has_overwritten_answers_no_query(lake, made):
    lake.catalog.chmod(0o644)
    with duckdb.connect(str(lake.catalog)) as connection:
        connection.execute("create or replace view engagements as select 7 as tweet_id")
    assert asked(lake) == [0]
    assert made == [lake]


def test_what_somebody_is_writing_into_the_catalogue_answers_no_query(lake, made):
    lake.catalog.with_name("engagement.duckdb.wal").touch()
    assert asked(lake) == [0]
    assert made == [lake]


def test_a_copied_lake_does_not_open_the_catalogue_of_the_original(lake, made, tmp_path):
    copy = Lake(shutil.copytree(lake.root, tmp_path / "copy"))
    assert asked(copy) == [0]
    assert made == [copy]


def test_a_query_that_fails_over_the_catalogue_is_told_as_over_new_views(lake, made):
    with pytest.raises(InputError, match='there is no column "colour" here'):
        catalog.query(lake, "select colour from engagements")
    assert made == [lake]


def test_an_interrupted_query_is_an_interruption_and_no_mistake(lake, made):
    def interrupted(_):
        raise RuntimeError("Query interrupted")

    with pytest.raises(KeyboardInterrupt):
        catalog.answers(lake, SQL, interrupted)
    assert made == []


def test_over_the_catalogue_a_query_reads_the_lake_alone(lake, made, tmp_path):
    (tmp_path / "other.csv").write_text("a\n1\n")
    for sql in (f"from '{tmp_path}/other.csv'", "create table t (a int)"):
        with pytest.raises(InputError):
            catalog.query(lake, sql)


def test_the_stand_ins_of_a_lake_without_rows_are_sound(lake):
    assert catalog.problem(lake) == ""
