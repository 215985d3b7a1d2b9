"""A lake of an older format is brought to this one in place: the same as a fresh publication of its raw."""

import shutil

import duckdb
import pyarrow.parquet as pq
import pytest
from bodies import TYPES, WINDOW, at, full, observed, parts, pulled
from disk import full_store
from each_source import LONG
from histories import live
from kills import dies_at
from older import keep_all_zeros, made_format_1, made_format_2, tweet_posted
from tables import VIEWS, check_daily, contents, coverage

from engagement_pipeline.core.endpoints import RECENT
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, REVISIONS
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.upgrade import upgrade

FIRST, SECOND = WINDOW.days()
OLD, YOUNG = 1, tweet_posted(2026, 1, 2, 5, 30)
TODAY = tweet_posted(2026, 2, 1, 9)
UPGRADE = """
from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
pipeline.upgrade(settings.load({"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": sys.argv[1]}))
"""


def fill(lake):
    """Pull a Tweet that was posted within the window, twice, with a type more the second time; and the present."""
    whole = range(24)
    cells = full([OLD], 4, hours=whole) | full([YOUNG], 0, hours=whole, types=TYPES[:1])
    cells[YOUNG, TYPES[0], SECOND, 5] = 7
    pulled(lake, cells, at(1), types=TYPES[:1] + TYPES[1:])
    publish_pulls(lake)
    cells = full([OLD], 5, hours=whole) | full([YOUNG], 0, hours=whole)
    cells[YOUNG, TYPES[0], SECOND, 5] = 8
    pulled(lake, cells, at(2))
    publish_pulls(lake)
    if RECENT not in lake.endpoints:
        return
    day = Window(at(0).date(), at(0).date())
    recent = {**full([TODAY], 0, window=day, hours=range(13)), (TODAY, TYPES[0], day.first, 9): 3}
    observed(lake, RECENT, parts(recent), at(13), tweets=[TODAY])
    publish_pulls(lake)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, each_source):
    """What this program makes of the raw, to be looked at."""
    lake = Lake(tmp_path_factory.mktemp("fresh")).of(each_source)
    fill(lake)
    return lake


@pytest.fixture
def older(tmp_path, made_by_an_older, each_source):
    """What an older program had made of the same raw; it has gone since."""
    return Lake(shutil.copytree(made_by_an_older, tmp_path / "older")).of(each_source)


@pytest.fixture(scope="module")
def made_by_an_older(tmp_path_factory, each_source):
    """The folder of that lake, to be copied."""
    lake = Lake(tmp_path_factory.mktemp("older")).of(each_source)
    with pytest.MonkeyPatch.context() as monkeypatch:
        keep_all_zeros(monkeypatch)
        fill(lake)
    made_format_2(lake)
    shutil.rmtree(lake.raw)
    return lake.home.root


def types_of(lake, table):
    return {pq.read_schema(path).remove_metadata() for path in lake.root.glob(table.glob)}


def test_an_upgraded_lake_is_what_a_fresh_publication_makes(fresh, older):
    with pytest.raises(LakeError, match="has format 2, this program knows 3: run engagement upgrade"):
        older.open()
    report = upgrade(older)
    present = RECENT in older.endpoints
    assert (report.older, report.days, report.damaged) == (2, 2 + present, ())
    assert report.dropped == (24 + 5) * len(TYPES) + 9 * len(TYPES) * present
    assert older.open() == FORMAT
    assert contents(older) == contents(fresh)
    check_daily(older)


def test_an_upgraded_lake_has_this_format_s_columns(older):
    upgrade(older)
    for table in (ENGAGEMENTS, COVERAGE, REVISIONS, *([RECENT.table] if RECENT in older.endpoints else [])):
        assert types_of(older, table) == {table.file_schema}


def test_an_upgraded_day_names_its_newest_pull_as_before(fresh, older):
    upgrade(older)
    made_by = [
        pq.read_metadata(lake.rows(ENGAGEMENTS, SECOND)).metadata[b"engagement_pipeline"] for lake in (fresh, older)
    ]
    assert made_by[0] == made_by[1]


@LONG
@pytest.mark.parametrize("step", [pytest.param(97, id="some"), pytest.param(1, id="each", marks=pytest.mark.faults)])
def test_an_upgrade_that_is_killed_anywhere_is_run_again(fresh, older, tmp_path, step):
    """Killed at its renames, that of the catalogue included, until one is past the last."""
    wanted, place = contents(fresh), 1 - step
    died = True
    while died:
        place += step
        home = Lake(shutil.copytree(older.home.root, tmp_path / f"killed-{place}"))
        died = dies_at(place, home, UPGRADE)
        assert not dies_at(0, home, UPGRADE)
        assert contents(home.of(older.source)) == wanted
        with duckdb.connect(str(home.catalog), read_only=True) as connection:
            assert connection.sql("from engagements").fetchall()
    assert place > 8


def test_an_upgrade_that_is_killed_leaves_the_older_format(older):
    assert dies_at(4, older.home, UPGRADE)
    with pytest.raises(LakeError, match="has format 2"):
        older.open()


def test_in_a_column_that_came_since_nothing_is_known(older):
    for path in older.root.glob(COVERAGE.glob):
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["text"]), path)
    upgrade(older)
    assert types_of(older, COVERAGE) == {COVERAGE.file_schema}
    assert {*coverage(older, "text")} == {(None,)}


def test_a_copy_beside_a_day_is_left_as_it_is(fresh, older):
    stray = older.rows(ENGAGEMENTS, SECOND).parent.with_name(f"day={SECOND} copy")
    shutil.copytree(older.rows(ENGAGEMENTS, SECOND).parent, stray)
    before = (stray / "engagements.parquet").read_bytes()
    upgrade(older)
    assert contents(older) == contents(fresh)
    assert (stray / "engagements.parquet").read_bytes() == before


def test_a_second_upgrade_changes_nothing(older):
    upgrade(older)
    before = {path: path.stat().st_mtime_ns for path in older.root.rglob("*.parquet")}
    assert (upgrade(older).older, upgrade(older).days) == (FORMAT, 0)
    assert {path: path.stat().st_mtime_ns for path in older.root.rglob("*.parquet")} == before


@pytest.mark.parametrize("kind", ["rows", "coverage", "revisions", "recent"])
def test_a_damaged_file_is_named_and_left_and_all_others_are_upgraded(older, kind):
    path = {
        "rows": older.rows(ENGAGEMENTS, SECOND),
        "coverage": older.coverage(older.hourly, SECOND),
        "revisions": next(older.root.glob(REVISIONS.glob)),
        "recent": older.rows(RECENT.table, SECOND),
    }[kind]
    path.write_bytes(b"no parquet")
    (damage,) = upgrade(older).damaged
    assert str(damage).startswith(f"{path} is damaged")
    assert path.read_bytes() == b"no parquet"
    assert older.open() == FORMAT
    others = [file for table in (ENGAGEMENTS, COVERAGE) for file in older.root.glob(table.glob) if file != path]
    assert not any("day" in pq.read_schema(file).names for file in others)


@pytest.mark.parametrize("make", [made_format_1, made_format_2])
def test_a_lake_with_a_past_is_as_it_was(tmp_path, make):
    lake = Lake(tmp_path / "lake")
    live(lake)
    views = [view for view in VIEWS if view != "revisions" or make is made_format_2]
    before = contents(lake, *(view for view in views if view != "coverage"))
    told = sorted(coverage(lake))
    make(lake)
    assert upgrade(lake).dropped == 0
    assert contents(lake, *before) == before
    assert sorted(coverage(lake)) == told


def test_an_upgrade_that_a_store_stops_goes_on_when_it_is_run_again_and_says_so(fresh, older, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "swap", full_store)
        with pytest.raises(
            LakeError,
            match=r"stays so\. Once that is done, run engagement upgrade again: that goes on$",
        ) as caught:
            upgrade(older)
    assert str(caught.value).lower().count("make room") == 1
    upgrade(older)
    assert contents(older) == contents(fresh)
