"""The lake's own files: its format, its locks, how files are read, replaced and described."""

import json
import logging
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW, at, begin, full, land

from engagement_pipeline.errors import LakeError
from engagement_pipeline.lake import COVERAGE, FORMAT, DayReport, Lake, describe, read
from engagement_pipeline.publish import publish

FIRST, SECOND = WINDOW.days()
HOLD = (
    "import os, sys; from pathlib import Path; from engagement_pipeline.lake import Lake\n"
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
    (lake.root / "lake.json").write_text('{"format": 2}')
    with pytest.raises(LakeError, match="has format 2, this program knows 1: upgrade engagement-pipeline"):
        lake.open()


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "not JSON"])
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
    assert read(lake.coverage(FIRST), COVERAGE).equals(COVERAGE.empty_table())


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: path.write_bytes(b"PAR1"), id="no Parquet"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: pq.write_table(pa.table({"x": [1]}), path), id="other columns"),
    ],
)
def test_a_damaged_file_is_named(lake, write):
    path = lake.coverage(FIRST)
    path.parent.mkdir(parents=True)
    write(path)
    with pytest.raises(LakeError) as caught:
        read(path, COVERAGE)
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert "\n" not in str(caught.value)


def test_files_are_replaced_in_the_order_given(lake):
    aside = [lake.root / "a", lake.root / "b"]
    lake.open()
    for file in aside:
        file.write_text(file.name)
    targets = [lake.engagements(FIRST), lake.coverage(FIRST)]
    lake.replace(dict(zip(aside, targets, strict=True)))
    assert [target.read_text() for target in targets] == ["a", "b"]
    assert not any(file.exists() for file in aside)


def test_a_day_is_described_by_its_rows_tweets_and_requests(lake):
    pull = begin(lake, at(1))
    land(pull, full([1, 2], 1))
    land(pull, full([3], 1), tweets=[3, 4], unavailable_tweet_ids=["4"])
    land(pull, {}, tweets=[5], refusal="403: no")
    publish(lake)
    assert describe(lake, SECOND) == DayReport(rows=12, tweets=3, set_aside=2, requests=2)


def test_a_day_that_nothing_was_asked_for_is_all_zero(lake):
    lake.open()
    assert describe(lake, FIRST) == DayReport(rows=0, tweets=0, set_aside=0, requests=0)
