"""The lake's own files: its format, its locks, how files are read and replaced."""

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, full, pulled
from tables import counts, rebuilt

from engagement_pipeline.core.endpoints import ANALYTICS, ANALYTICS_TOTALS, ENDPOINTS, HISTORICAL, MEDIA, RECENT, TOTALS
from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.model import Window
from engagement_pipeline.core.tables import COVERAGE
from engagement_pipeline.lake import object_lock
from engagement_pipeline.lake.layout import FORMAT, Lake
from engagement_pipeline.lake.parquet import damaged, read
from engagement_pipeline.lake.refused_windows import TooOld, learn_too_old, too_old
from engagement_pipeline.publish.publisher import publish_pulls

FIRST, SECOND = WINDOW.days()
LAST_DAY = Window(SECOND, SECOND)
WITHOUT = "put it back from a backup of the lake; without one, give it another name: "
OF_SET_ASIDE = f"{WITHOUT}the next pulls ask for its Tweets again, and set aside those that are still not served"
OF_TWEETS = f"{WITHOUT}the roster's Tweets come again with the next pull, those that left it keep their counts alone"
OF_A_DAY = "engagement rebuild --from 2026-01-01 --to 2026-01-01 makes it anew from raw"
HOLD = (
    "import os, sys; from pathlib import Path; from engagement_pipeline.lake.layout import Lake\n"
    "with Lake(Path(sys.argv[1])).locked('lake', 'a test'):\n"
    "    print('held', flush=True); sys.stdin.read(1); os._exit(9)"
)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "deep" / "lake")


def test_a_lake_is_made_where_there_is_none_and_opened_again(lake):
    lake.open()
    lake.open()
    assert json.loads((lake.root / "lake.json").read_text()) == {"format": FORMAT}


def test_a_lake_of_a_newer_program_is_left_alone(lake):
    lake.open()
    (lake.root / "lake.json").write_text('{"format": 4}')
    with pytest.raises(LakeError, match="has format 4, this program knows 3: upgrade this program"):
        lake.open(older=True)


def test_a_lake_of_an_older_program_is_to_be_upgraded(lake):
    lake.open()
    (lake.root / "lake.json").write_text('{"format": 1}')
    with pytest.raises(LakeError, match="has format 1, this program knows 3: run engagement upgrade"):
        lake.open()
    lake.open(older=True)
    lake.mark()
    lake.open()


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "not JSON", "[" * 100_000])
def test_a_damaged_marker_is_named(lake, text):
    lake.open()
    (lake.root / "lake.json").write_text(text)
    with pytest.raises(LakeError, match=r"lake\.json is damaged: it should hold"):
        lake.open()


def test_a_file_in_the_lake_s_place_is_named(tmp_path):
    (tmp_path / "lake").write_text("a file")
    with pytest.raises(LakeError, match=r"lake\.json cannot be read: Not a directory"):
        Lake(tmp_path / "lake").open()


def test_a_lock_is_waited_for_and_said_so(lake, caplog):
    lake.open()
    order = []
    waiting = threading.Event()
    caplog.set_level(logging.WARNING)

    def second():
        waiting.set()
        with lake.locked("lake", "a publication"):
            order.append("second")

    with lake.locked("lake", "a publication"):
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        while not caplog.records and thread.is_alive():
            thread.join(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert f"waiting for a publication of the lake {lake.root} to end" in caplog.text


def test_the_lock_of_a_process_that_died_is_free(lake, caplog):
    lake.open()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lake.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.communicate(b"x")
    assert holder.returncode == 9
    with lake.locked("lake", "a test"):
        assert caplog.text == ""


def test_two_locks_do_not_wait_for_each_other(lake, caplog):
    """A publication goes on while a pull runs."""
    lake.open()
    with lake.locked("pull", "another pull"), lake.locked("lake", "a publication"):
        assert caplog.text == ""


def test_a_file_that_is_not_there_has_no_rows(lake):
    assert read(lake, lake.coverage(HISTORICAL, FIRST), COVERAGE).equals(COVERAGE.schema.empty_table())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: path.write_bytes(b"PAR1"), id="no Parquet"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: pq.write_table(pa.table({"x": [1]}), path), id="other columns"),
    ],
)
def test_a_damaged_file_is_named(lake, write):
    path = lake.coverage(HISTORICAL, FIRST)
    path.parent.mkdir(parents=True)
    write(path)
    with pytest.raises(LakeError) as caught:
        read(lake, path, COVERAGE)
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        (Lake(Path("l")).rows(HISTORICAL.table, FIRST), OF_A_DAY),
        (Lake(Path("l")).daily(FIRST), OF_A_DAY.replace("--to 2026-01-01", "--to 2026-01-31")),
        (Lake(Path("l")).coverage(TOTALS, FIRST), OF_A_DAY),
        (Lake(Path("l")).rows(TOTALS.table, FIRST), OF_A_DAY),
        (Path("l/revisions/pulled_on=2026-02-01/x.parquet"), "engagement rebuild makes it anew from raw"),
        (Lake(Path("l")).rows(RECENT.table, FIRST), "engagement rebuild --table recent makes it anew from raw"),
        (Lake(Path("l")).set_aside, OF_SET_ASIDE),
        (Lake(Path("l")).tweets, OF_TWEETS),
    ],
    ids=str,
)
def test_how_to_mend_a_damaged_file_depends_on_what_it_holds(path, fix):
    assert str(damaged(path, OSError("no magic\nbytes"))) == f"{path} is damaged (no magic): {fix}"


def test_each_endpoint_has_its_files_and_its_columns(lake):
    """Those of /historical and of the observed day are in the name; /28hr has one file for all days."""
    files = {endpoint: str(lake.rows(endpoint.table, FIRST).relative_to(lake.root)) for endpoint in ENDPOINTS.values()}
    assert files == {
        HISTORICAL: "engagements/day=2026-01-01/engagements.parquet",
        TOTALS: "totals/observed_on=2026-01-01/totals.parquet",
        RECENT: "recent.parquet",
        ANALYTICS: "engagements/day=2026-01-01/engagements.parquet",
        ANALYTICS_TOTALS: "window_totals/last_day=2026-01-01/window_totals.parquet",
        MEDIA: "engagements/day=2026-01-01/engagements.parquet",
    }
    assert lake.rows(RECENT.table, FIRST) == lake.rows(RECENT.table, SECOND)
    for endpoint in ENDPOINTS.values():
        found = lake.coverage(endpoint, FIRST).relative_to(lake.root)
        assert str(found) == f"coverage/endpoint={endpoint}/day=2026-01-01/coverage.parquet"
    key = ["tweet_id", "engagement_type", "day", "hour", "count"]
    assert {endpoint: endpoint.table.schema.names for endpoint in ENDPOINTS.values()} == {
        HISTORICAL: key,
        ANALYTICS: key,
        MEDIA: key,
        ANALYTICS_TOTALS: ["tweet_id", "engagement_type", "first_day", "count", "observed_at"],
        RECENT: [*key, "partial", "observed_at"],
        TOTALS: ["tweet_id", "engagement_type", "count", "observed_at"],
    }


def test_a_lake_that_must_be_there_is_not_made(tmp_path):
    for root in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(
            InputError, match=rf"^there is no lake in {root}: pull first, or name one in ENGAGEMENT_DATA"
        ):
            Lake(root).open(create=False)
    assert list(tmp_path.iterdir()) == []
    Lake(tmp_path).open()
    Lake(tmp_path).open(create=False)


@pytest.mark.parametrize("name", ["what?", "a\\b", "\udcff\udcfe"])
def test_a_lake_is_refused_where_duckdb_opens_no_file(tmp_path, name):
    with pytest.raises(InputError) as caught:
        Lake(tmp_path / name / "lake")
    told = str(caught.value)
    assert told.startswith(f"a lake cannot lie in {str(tmp_path / name / 'lake')!r}, since DuckDB opens no file where ")
    assert told.endswith(": name another folder in ENGAGEMENT_DATA")


ODD_NAMES = [
    "a*b",
    "a[b]c",
    "[!x]",
    "a%b%20",
    " a ",
    "a\nb",
    "a\tb",
    "a'b",
    'a"b',
    "{b,c}",
    "day=2026-01-01",
    "ünï",
    "a:b",
]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if place % 2 else pytest.mark.faults) for place, name in enumerate(ODD_NAMES)]
)
def test_a_lake_of_any_other_name_is_published_rebuilt_and_read(tmp_path, name):
    lake = Lake(tmp_path / name)
    pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    rebuilt(lake)
    assert counts(lake) == full([1], 1)
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        assert connection.sql("select count(*) from engagements").fetchall() == [(len(full([1], 1)),)]


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_what_two_remember_at_the_same_time_is_both_remembered(request, tmp_path, monkeypatch, caplog, place):
    """The second begins while the first is between what it has read and what it writes."""
    lake = Lake(tmp_path / "lake" if place == "disk" else request.getfixturevalue("in_bucket"))
    lake.open()
    monkeypatch.setattr(object_lock, "POLL", 0.01)
    told = {endpoint: TooOld(oldest=at(1), at=at(2), text=endpoint.name) for endpoint in (RECENT, TOTALS)}
    second = threading.Thread(target=learn_too_old, args=(lake, TOTALS, told[TOTALS]))
    really = type(lake.storage).write_whole

    def write(self, path, content):
        if threading.current_thread() is not second:
            second.start()
            while not caplog.records and second.is_alive():
                second.join(0.01)
        really(self, path, content)

    with monkeypatch.context() as patch:
        patch.setattr(type(lake.storage), "write_whole", write)
        learn_too_old(lake, RECENT, told[RECENT])
        second.join()
    assert {endpoint: too_old(lake, endpoint) for endpoint in told} == told
    assert f"waiting for a change of lake.json of the lake {lake.root} to end" in caplog.text
