"""Rebuilds of parts of a lake: in any order, beside each other and beside what others publish, they make the whole."""

import errno
import logging
import shutil
from datetime import UTC, date, datetime

import kills
import pytest
from bodies import at, full, observed, parts, pulled
from histories import delete, forget
from tables import contents, counts, parquet_files

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake import raw, rebuilds
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.publish.turns import Turns

TWO_MONTHS = Window(date(2025, 12, 30), date(2026, 1, 2))
LATER = Window(date(2026, 1, 1), date(2026, 1, 4))
PARTS = [
    (date(2025, 12, 1), date(2025, 12, 31)),
    (date(2026, 1, 1), date(2026, 1, 2)),
    (date(2026, 1, 3), date(2026, 1, 31)),
]
REBUILD = (
    "from pathlib import Path; from datetime import date; from engagement_pipeline.lake.layout import Lake; "
    "from engagement_pipeline.publish.rebuild import rebuild_table; lake = Lake(Path(sys.argv[1])); "
    "rebuild_table(lake, lake.hourly, first=date(2026, 1, 1))"
)


def at_first(act):
    """Return a progress that acts once, while a rebuild reads raw."""
    waiting = [act]
    return lambda *_: waiting and waiting.pop()()


def rebuild(lake, part, act=None):
    first, last = part
    return rebuild_table(lake, HISTORICAL, first=first, last=last, progress=at_first(act or (lambda: None)))


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A lake of two months: windows that overlap, a count that was revised, and Tweets that come."""
    lake = Lake(tmp_path_factory.mktemp("lived") / "lake")
    pulled(lake, full([1, 2], 1, window=TWO_MONTHS), at(1), window=TWO_MONTHS)
    pulled(lake, full([2, 3], 2, window=LATER), at(2), window=LATER)
    publish_pulls(lake)
    return lake


@pytest.fixture
def lake(tmp_path, lived):
    """That lake, of one's own."""
    return Lake(shutil.copytree(lived.root, tmp_path / "lake"))


@pytest.fixture
def raw_alone(lake):
    """Of that lake, what was received."""
    delete(lake, "engagements", "daily", "coverage", "revisions")
    return lake


@pytest.fixture(scope="module")
def at_once(tmp_path_factory, lived):
    """Every file that a rebuild of all days makes of the same raw."""
    lake = Lake(shutil.copytree(lived.root, tmp_path_factory.mktemp("at once") / "lake"))
    delete(lake, "engagements", "daily", "coverage", "revisions")
    rebuild_table(lake, HISTORICAL)
    return parquet_files(lake)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_parts_in_any_order_make_the_files_of_the_whole(raw_alone, at_once, order):
    for place in order:
        rebuild(raw_alone, PARTS[place])
    assert parquet_files(raw_alone) == at_once


@pytest.mark.parametrize("other", PARTS)
def test_a_part_inside_another_or_the_same_waits_for_nobody_and_makes_the_files_of_the_whole(raw_alone, at_once, other):
    part = PARTS[1]
    rebuild(raw_alone, part, lambda: rebuild(raw_alone, other))
    for rest in PARTS:
        if rest not in (part, other):
            rebuild(raw_alone, rest)
    assert parquet_files(raw_alone) == at_once


def test_parts_of_other_months_are_each_made_once(raw_alone, caplog):
    caplog.set_level(logging.INFO)
    rebuild(raw_alone, PARTS[1], lambda: rebuild(raw_alone, PARTS[0]))
    assert [text for text in caplog.messages if "made anew while others wait" in text] == []


def test_what_fails_though_nobody_changed_anything_is_not_made_twice(raw_alone, monkeypatch, caplog):
    tried, really = [], LocalStorage.swap

    def full_disk(self, *groups, **named):
        if self.root != raw_alone.root:
            return really(self, *groups, **named)
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    monkeypatch.setattr(LocalStorage, "swap", full_disk)
    with pytest.raises(LakeError, match="x cannot be used: No space left on device; days may be new already"):
        rebuild(raw_alone, PARTS[1])
    assert (len(tried), caplog.messages) == (1, [])


def test_a_part_reads_no_response_of_other_days(lake, lived):
    of_both, _ = raw.all_pulls(lake)
    for landed in of_both.landed():
        landed.path.write_bytes(b"damaged")
    rebuild(lake, PARTS[2])
    assert contents(lake) == contents(lived)


def test_what_is_published_meanwhile_stays(lake):
    newer = full([1, 2, 3], 7, window=LATER)

    def publish():
        pulled(lake, newer, at(3), window=LATER)
        publish_pulls(lake)

    rebuild(lake, PARTS[1], publish)
    assert {cell: count for cell, count in counts(lake).items() if cell in newer} == newer
    assert len(contents(lake, "revisions")["revisions"]) == 8 + 40  # before, and since


@pytest.mark.parametrize("pull", [0, 1])
def test_rows_stay_of_which_the_raw_goes_meanwhile(lake, lived, pull):
    gone = raw.all_pulls(lake)[pull]
    rebuild(lake, PARTS[1], lambda: forget(lake, gone))
    assert contents(lake) == contents(lived)


def test_a_tweet_that_is_forgotten_meanwhile_does_not_come_back(lake):
    rebuild(lake, PARTS[1], lambda: erasure.forget(lake, [2], now=at(5)))
    assert {cell[0] for cell in counts(lake)} == {1, 3}
    assert erasure.found(lake, [2]) == {}


def test_a_table_of_one_file_loses_no_row_to_what_is_published_between_its_days(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    moments = {n: datetime(2026, 2, day, hour, tzinfo=UTC) for n, day, hour in ((1, 1, 20), (2, 2, 3), (3, 2, 4))}

    def publish(number):
        day = Window(moments[number].date(), moments[number].date())
        observed(lake, RECENT, parts(full([number], 1, window=day)), moments[number], tweets=[number])
        publish_pulls(lake)

    publish(1)
    publish(2)
    turns = iter([lambda: None, lambda: None, lambda: publish(3)])  # what they revise, the first day, the next
    take = Turns.take

    def act(self):
        next(turns)()
        return take(self)

    monkeypatch.setattr(Turns, "take", act)
    assert [day.day.day for day in rebuild_table(lake, RECENT)] == [1, 2]
    assert {row[0] for row in contents(lake, "recent")["recent"]} == {1, 2, 3}


@pytest.mark.parametrize("place", [2, 6])
def test_a_part_that_is_killed_is_made_good_by_the_next_try(raw_alone, at_once, place):
    rebuild(raw_alone, PARTS[0])
    assert kills.dies_at(place, raw_alone, REBUILD, uncounted=".rebuild")
    for part in PARTS[1:]:
        rebuild(raw_alone, part)
    assert parquet_files(raw_alone) == at_once
    assert not raw_alone.rebuilding(rebuilds.FIRST).exists()


def test_a_publication_leaves_the_files_of_a_rebuild_at_work_alone_and_removes_those_of_a_dead_one(lake):
    work, dead = (lake.rebuilding(name) / "lake.json" for name in ("rebuild", "rebuild-1"))
    for file in (work, dead):
        file.parent.mkdir()
        file.touch()
    lake.storage.note("rebuild", b"among others\nraw/it/is/looked/at")
    (lake.root / ".rebuild-1.lock").touch()
    with rebuilds.place(lake) as name:
        assert name == "rebuild"
        publish_pulls(lake)
        assert (work.exists(), dead.exists(), lake.storage.noted("rebuild")[:5]) == (True, False, b"among")
    publish_pulls(lake)
    assert (work.exists(), lake.storage.noted("rebuild")) == (False, b"")


def test_each_rebuild_has_a_place_of_its_own_and_the_next_takes_a_free_one(lake):
    with rebuilds.place(lake) as first:
        with rebuilds.place(lake) as second, rebuilds.place(lake) as third:
            assert (first, second, third) == ("rebuild", "rebuild-1", "rebuild-2")
        with rebuilds.place(lake) as again:
            assert again == "rebuild-1"
        assert rebuilds.left(lake) == ["rebuild-1", "rebuild-2"]


def test_a_rebuild_holds_the_lock_of_the_lake_only_to_replace_files(lake):
    held = []
    rebuild(lake, PARTS[1], lambda: held.append(lake.storage.busy(LAKE_LOCK)))
    assert held == [False]
