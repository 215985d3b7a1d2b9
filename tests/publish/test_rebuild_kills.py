"""A rebuild that is killed: each day is as it was or as it will be, and the next ends with the right tables."""

import shutil

import kills
import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, observed, parts, pulled, totals
from each_source import LONG
from histories import FIRST, SECOND, TODAY, delete
from tables import check_daily, contents, counts, rebuilt

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

REBUILD = (
    "from pathlib import Path; from engagement_pipeline.lake.layout import Lake; "
    "from engagement_pipeline.publish.rebuild import rebuild_table; "
    "from engagement_pipeline.core.endpoints import ENDPOINTS; "
    "rebuild_table(Lake(Path(sys.argv[1]), source=sys.argv[4]), ENDPOINTS['{}'])"
)
CHANGED = full([1, 2], 1) | full([2], 3) | full([3], 2)


@pytest.fixture(scope="module")
def behind(tmp_path_factory, each_source):
    """The folder of a lake whose tables lack what a later pull changed, to be copied: a rebuild puts it in."""
    lake = Lake(tmp_path_factory.mktemp("behind") / "lake").of(each_source)
    pulled(lake, full([1, 2], 1), at(1))
    publish_pulls(lake)
    pulled(lake, full([2], 3) | full([3], 2), at(2))
    return lake.home.root


@pytest.fixture
def lake(tmp_path, behind, each_source):
    """That lake, of one's own."""
    return Lake(shutil.copytree(behind, tmp_path / "lake")).of(each_source)


@pytest.fixture(scope="module")
def made_at_once(tmp_path_factory, behind, each_source):
    """The sums and the coverage of a lake that is made of the same raw, and was never killed."""
    lake = Lake(tmp_path_factory.mktemp("at once") / "lake").of(each_source)
    lake.home.open()
    lake.open()
    lake.raw.symlink_to(Lake(behind).of(each_source).raw)
    rebuilt(lake)
    return contents(lake, "daily", "coverage")


def dies_at(place, lake, endpoint=None):
    """Kill it at a rename in the lake itself."""
    return kills.dies_at(place, lake, REBUILD.format(endpoint or lake.hourly), uncounted=".rebuild")


def of_day(cells, day):
    return {cell: count for cell, count in cells.items() if cell[2] == day}


def check_next(lake):
    """Rebuild once more, and compare with a lake that was never killed."""
    rebuilt(lake)
    check_daily(lake)
    assert counts(lake) == CHANGED
    assert contents(lake, "revisions")["revisions"] == [
        (2, name, day, hour, 1, 3, at(1), at(2), TODAY) for name in TYPES for day in (FIRST, SECOND) for hour in (0, 23)
    ]
    assert not list(lake.root.glob(".[ar]*[de]"))  # .aside, .rebuild


# What is revised; the daily sums; of each of two days the rows and the coverage: published first. Then once more, but
# for what is revised.
@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=[] if place % 3 == 2 else pytest.mark.faults) for place in range(1, 12)]
)
def test_a_rebuild_that_dies_at_any_rename_leaves_whole_days_and_is_made_good_by_the_next(lake, made_at_once, place):
    before = counts(lake)
    assert dies_at(place, lake)
    for day in WINDOW.days():
        assert of_day(counts(lake), day) in (of_day(before, day), of_day(CHANGED, day))
    check_next(lake)
    assert contents(lake, "daily", "coverage") == made_at_once


def test_these_are_all_the_renames_of_that_rebuild(lake):
    assert not dies_at(12, lake)


@pytest.mark.parametrize("place", [1, 3, 7, 10])
def test_a_rebuild_that_dies_on_its_way_leaves_the_lake_as_it_was(lake, place):
    publish_pulls(lake)
    before = contents(lake)
    assert kills.dies_at(place, lake, REBUILD.format(lake.hourly))
    assert contents(lake) == before
    assert (lake.root / ".rebuild").exists()
    check_next(lake)


@LONG
@pytest.mark.parametrize("place", [1, 4, 6])
def test_a_rebuild_that_died_is_made_good_by_a_publication_too(lake, place):
    assert dies_at(place, lake)
    publish_pulls(lake)
    assert counts(lake) == CHANGED
    check_daily(lake)
    assert len(contents(lake, "revisions")["revisions"]) == 8
    assert raw.open_pulls(lake) == []


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("endpoint", [TOTALS, RECENT])
def test_a_rebuild_of_the_present_that_dies_is_made_good_too(tmp_path, endpoint, place):
    """Rows, coverage. Only the Engagement API tells the present."""
    lake = Lake(tmp_path / "lake")
    content = totals({(1, "favorites"): 5}) if endpoint == TOTALS else parts(full([1], 5, window=Window(TODAY, TODAY)))
    observed(lake, endpoint, content, at(1), tweets=[1])
    publish_pulls(lake)
    before = contents(lake)
    delete(lake, "totals" if endpoint == TOTALS else "recent.parquet", f"coverage/endpoint={endpoint}")
    assert dies_at(place, lake, endpoint)
    rebuilt(lake)
    assert contents(lake) == before


@LONG
def test_a_pull_that_goes_on_after_a_rebuild_died_is_published_whole(lake):
    pull = begin(lake, at(4))
    land(pull, full([5], 5))
    assert dies_at(3, lake)
    land(pull, full([6], 6), asked_at=at(5))
    publish_pulls(lake)
    assert counts(lake) == CHANGED | full([5], 5) | full([6], 6)
    check_daily(lake)
