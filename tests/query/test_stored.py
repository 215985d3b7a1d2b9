"""Marts in files: whatever happens to a lake, they answer what their SELECT over the tables does."""

import logging
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled
from histories import LATER
from hypothesis import given, settings
from hypothesis import strategies as st
from kills import dies_at
from traps import rows, save_tweets

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.extract import roster
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog, files, seal, stored, truth

pytestmark = pytest.mark.marts

DAYS = (date(2026, 1, 1), date(2026, 1, 2))
RENEW = """
import sys
from pathlib import Path
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import stored
stored.renew(Lake(Path(sys.argv[1])))
"""
VIEWS = {view.name: view for view in stored.stored_views()}
SETTLED = [name for name, view in VIEWS.items() if view.settled]
MARCH = Window(date(2026, 3, 5), date(2026, 3, 6))


@pytest.fixture
def lake(tmp_path, unsynced):
    lake = Lake(tmp_path / "lake")
    fill(lake)
    return lake


@pytest.fixture
def unsynced(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)


def fill(lake):
    owned(lake, {1: "ann", 2: "bob"})
    publish(lake, [1, 2], 5, at(1))
    stored.renew(lake)


def owned(lake, owners):
    """Have the roster say who owns each Tweet, as a pull does."""
    file = lake.root.parent / "roster.csv"
    file.write_text("tweet_id,handle\n" + "".join(f"{tweet},{handle}\n" for tweet, handle in owners.items()))
    lake.open()
    roster.save_roster(lake, roster.load(str(file), handles={*owners.values()}))


def publish(lake, tweets, count, now, window=WINDOW):
    pulled(lake, full(tweets, count, window=window), now, window=window)
    publish_pulls(lake)


def answers(lake, selects):
    """Return the rows of each mart, by a SELECT for each; of those that have none, by its own over the tables."""
    place = files.fixed(lake)
    tables = truth.selects(lake, place)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return {
            name: connection.sql(
                f"select * from ({selects.get(name) or files.with_files(view.sql, tables)}) order by all"
            ).fetchall()
            for name, view in VIEWS.items()
        }


def assert_right(lake):
    assert answers(lake, stored.selects(lake, files.fixed(lake))) == answers(lake, {})


def assert_held(lake):
    """Have all days hold that are to be in files; those of a mart of all months are read from the files alone."""
    assert not [name for name, view in VIEWS.items() if stored.days(lake, view).due]
    found = stored.selects(lake, files.fixed(lake))
    assert {*found} >= {*VIEWS} - {*SETTLED}
    assert not [name for name, sql in found.items() if "union all" in sql and name not in SETTLED]


class Steps:
    """What may happen to a lake, each thing another time than the one before."""

    def __init__(self, lake):
        self.lake = lake
        self.hour = 1
        self.owners = {1: "ann", 2: "bob"}

    def publish(self):
        self.hour += 1
        publish(self.lake, [1, 2], self.hour, at(self.hour))

    def publish_later(self):
        self.hour += 1
        publish(self.lake, [1, 2, 3], self.hour, at(self.hour) + timedelta(days=40), window=LATER)

    def publish_in_march(self):
        self.hour += 1
        publish(self.lake, [1, 2], self.hour, at(self.hour) + timedelta(days=70), window=MARCH)

    def follow(self):
        self.owners[3] = "ann"
        owned(self.lake, self.owners)

    def sell(self):
        self.owners[1] = "bob" if self.owners[1] == "ann" else "ann"
        owned(self.lake, self.owners)

    def lose_roster(self):
        self.lake.tweets.unlink(missing_ok=True)

    def forget(self):
        erasure.forget(self.lake, [2], now=at(self.hour))

    def rebuild(self):
        rebuild_table(self.lake, HISTORICAL)

    def other_source(self):
        self.hour += 1
        v2_bodies.pulled(self.lake, full([1, 2], self.hour * 10), at(self.hour))

    def show_other(self):
        self.lake.show("x_api_v2" if self.lake.shown == "engagement" else "engagement")

    def lose_day(self):
        self.lake.rows(ENGAGEMENTS, DAYS[0]).unlink(missing_ok=True)

    def damage_mart(self):
        for path in self.lake.marts[:1]:
            path.write_bytes(path.read_bytes()[:-9])

    def lose_mart(self):
        for path in self.lake.marts[-1:]:
            path.unlink()

    def renew(self):
        stored.renew(self.lake)
        if self.lake.storage.holds(ENGAGEMENTS.glob):
            assert_held(self.lake)


STEPS = [name for name in vars(Steps) if not name.startswith("_")]


@settings(max_examples=5)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5))
def test_after_any_steps_the_marts_are_what_their_select_gives(taken):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        lake = Lake(Path(folder) / "lake")
        fill(lake)
        steps = Steps(lake)
        for name in taken:
            getattr(steps, name)()
            assert_right(lake)
        stored.renew(lake)
        assert_right(lake)


@pytest.mark.parametrize("name", STEPS)
def test_after_each_step_they_are_so_before_and_after_they_are_made_anew(lake, name):
    steps = Steps(lake)
    getattr(steps, name)()
    assert_right(lake)
    steps.renew()
    assert_right(lake)


def test_a_lake_that_was_published_has_all_its_days_in_files(lake):
    assert_held(lake)
    assert [path.name for path in lake.marts] == ["2026-01.parquet"] * len({*VIEWS} - {*SETTLED})


@pytest.mark.parametrize("name", SETTLED)
def test_a_mart_of_many_rows_has_files_of_the_months_that_no_daily_pull_changes(lake, name):
    for day, months in ((date(2026, 2, 27), []), (date(2026, 2, 28), ["2026-01"]), (MARCH.last, ["2026-01"])):
        publish(lake, [1, 2], 7, at(2) + timedelta(days=70), window=Window(day, day))
        stored.renew(lake)
        assert [path.stem for path in lake.marts if path.parent.name == name] == months
        assert_right(lake)


@pytest.mark.parametrize("name", SETTLED)
def test_a_stored_month_with_a_day_that_was_pulled_again_is_made_anew(lake, name):
    publish(lake, [1, 2], 7, at(2) + timedelta(days=70), window=MARCH)
    stored.renew(lake)
    publish(lake, [1, 2], 8, at(3) + timedelta(days=70), window=Window(DAYS[0], DAYS[0]))
    assert {*stored.days(lake, VIEWS[name]).due} == {DAYS[0]}
    assert_right(lake)
    stored.renew(lake)
    assert {*stored.days(lake, VIEWS[name]).holding} == {*DAYS}
    assert_right(lake)


def test_only_days_that_changed_are_computed_anew(lake, monkeypatch):
    publish(lake, [1, 2], 5, at(2), window=LATER)
    stored.renew(lake)
    publish(lake, [1], 6, at(3))
    computed = {}
    really = stored._computed

    def noted(lake, view, place, chosen):
        computed[view.name] = {*chosen}
        return really(lake, view, place, chosen)

    monkeypatch.setattr(stored, "_computed", noted)
    stored.renew(lake)
    assert computed["handle_hourly"] == {*DAYS}


def test_a_tweet_that_joins_the_roster_leaves_the_other_days_alone(lake):
    owned(lake, {1: "ann", 2: "bob", 3: "ann"})
    assert_held(lake)


def test_a_tweet_with_another_owner_has_them_made_anew(lake):
    owned(lake, {1: "bob", 2: "bob"})
    assert not any(stored.days(lake, view).holding for view in VIEWS.values())


def test_an_older_roster_that_was_put_back_has_them_made_anew(lake):
    old = lake.tweets.read_bytes()
    owned(lake, {1: "ann", 2: "bob", 3: "ann"})
    publish(lake, [1, 2, 3], 5, at(2))
    stored.renew(lake)
    lake.tweets.write_bytes(old)
    assert not stored.days(lake, VIEWS["handle_hourly"]).holding


def test_a_roster_that_was_written_by_hand_counts_by_its_file(lake):
    save_tweets(lake, {1: "ann", 2: "bob"}, posted=lambda _: None)
    stored.renew(lake)
    assert_held(lake)
    save_tweets(lake, {1: "bob", 2: "bob"}, posted=lambda _: None)
    assert not stored.days(lake, VIEWS["handle_hourly"]).holding


@pytest.mark.parametrize("place", range(1, 4))
def test_killed_while_they_are_made_they_are_right(lake, place):
    publish(lake, [1, 2], 9, at(2))
    dies_at(place, lake, RENEW)
    assert_right(lake)
    stored.renew(lake)
    assert_held(lake)
    assert_right(lake)


def test_where_no_file_can_be_written_a_line_says_what_it_means(lake, monkeypatch, caplog):
    publish(lake, [1, 2], 9, at(2))

    def full(*_):
        raise OSError(28, "No space left on device", "a file")

    monkeypatch.setattr(type(lake.storage), "swap", full)
    with caplog.at_level(logging.WARNING):
        stored.renew(lake)
    assert "a file cannot be written: No space left on device; so queries over" in caplog.text
    assert_right(lake)


def test_on_a_read_only_file_system_nothing_is_tried(lake, monkeypatch, caplog):
    publish(lake, [1, 2], 9, at(2))
    monkeypatch.setattr(type(lake.storage), "is_read_only", lambda _: True)
    stored.renew(lake)
    assert not caplog.text
    assert_right(lake)


def test_a_damaged_table_leaves_the_other_months_in_files(lake, caplog):
    publish(lake, [1, 2], 5, at(2) + timedelta(days=60), window=Window(date(2026, 2, 1), date(2026, 2, 2)))
    path = lake.daily(DAYS[0])
    path.write_bytes(path.read_bytes()[:-9])
    stored.renew(lake)
    assert not caplog.text  # other commands name the file, with what mends it
    assert {day.month for day in stored.days(lake, VIEWS["daily_wide"]).holding} == {2}


def test_a_query_between_a_publication_and_the_next_refresh_sees_the_new_counts(lake):
    catalog.refresh(lake)
    assert seal.is_whole(lake)
    publish(lake, [1, 2], 9, at(2))
    assert not seal.is_whole(lake)
    assert rows(lake, 'select max("count") as most from handle_hourly') == [{"most": 9}]


def test_a_publication_that_ends_while_the_catalogue_is_written_is_seen(lake, monkeypatch):
    really = catalog._write

    def beside_a_publication(*given, **named):
        written = really(*given, **named)
        publish(lake, [1, 2], 9, at(2))
        return written

    monkeypatch.setattr(catalog, "_write", beside_a_publication)
    catalog.write(lake)
    assert not seal.is_whole(lake)
    assert rows(lake, 'select max("count") as most from handle_hourly') == [{"most": 9}]


def test_a_file_that_is_damaged_inside_keeps_no_query_from_its_answer(lake):
    catalog.refresh(lake)
    before = rows(lake, "from handle_hourly order by all")
    [path] = [path for path in lake.marts if path.parent.name == "handle_hourly"]
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    assert rows(lake, "from handle_hourly order by all") == before


def test_what_is_wrong_with_a_query_is_told_as_before(lake):
    with pytest.raises(InputError, match="there is no column"):
        catalog.query(lake, "select colour from handle_hourly")


def test_a_reader_of_the_catalogue_reads_the_files(lake):
    catalog.refresh(lake)
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        [(plan,)] = connection.sql("select sql from duckdb_views() where view_name = 'handle_hourly'").fetchall()
        assert "marts/handle_hourly" in plan
        assert connection.sql("select count(*) from daily_wide").fetchall() == [(4,)]


def test_a_forgotten_tweet_is_in_no_file_from_the_first_step_on(lake, monkeypatch):
    monkeypatch.setattr(erasure, "_erase", lambda *_: (_ for _ in ()).throw(OSError(28, "full", "a file")))
    with pytest.raises(Exception, match="full"):
        erasure.forget(lake, [2], now=at(2))
    assert lake.marts == []


def test_the_receipt_names_the_files_of_marts_that_were_removed(lake):
    names = {str(path.relative_to(lake.root)) for path in lake.marts}
    receipt = erasure.forget(lake, [2], now=at(2))
    assert names == {change.path for change in receipt.changes if change.path.startswith("marts/") and not change.after}


def test_each_is_made_of_tables_by_day_or_month_and_the_roster():
    for view in VIEWS.values():
        assert {table.name for table in stored._tables(view)} <= {"engagements", "daily", "tweets"}
        assert "day" in view.key


def test_they_are_made_under_the_lake_s_lock(lake, monkeypatch):
    held = []
    really = stored._write
    monkeypatch.setattr(stored, "_write", lambda *a, **k: (held.append(lake.storage.busy(LAKE_LOCK)), really(*a, **k)))
    publish(lake, [1], 7, at(2))
    stored.renew(lake)
    assert held
    assert all(held)


def test_the_files_are_made_in_as_many_threads_as_asked_for(lake, monkeypatch):
    lake.marts[0].unlink()
    found = []
    ask = "select current_setting('threads')"
    monkeypatch.setattr(LocalStorage, "admit", lambda _, connection: found.extend(connection.execute(ask).fetchone()))
    stored.renew(lake, threads=7)
    assert found == [7]
