"""What a dead process or a bad disk left: hidden files that go, and pulls that stop no other."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from bodies import at, begin, full, land, pulled
from tables import contents, counts

from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog

FIRST, SECOND = full([1], 1), full([2], 2)
FIELDS = {
    "endpoint": "historical",
    "types": ["impressions", "url_clicks"],
    "started_at": "2026-02-01T01:00:00+00:00",
    "finished": True,
    "published": True,
    "first": "2026-01-01",
    "last": "2026-01-02",
}
DAMAGES = {
    "empty": b"",
    "torn": json.dumps(FIELDS).encode()[:60],
    "no JSON": b"\0" * 300,
    "not UTF-8": b'{"endpoint": "\xff"}',
    "a list": b"[]",
    "lists in lists": b"[" * 100_000,
    "another endpoint": json.dumps(FIELDS | {"endpoint": "totals"}).encode(),
    "an endpoint of another type": json.dumps(FIELDS | {"endpoint": []}).encode(),
    "a flag of another type": json.dumps(FIELDS | {"published": "yes"}).encode(),
    "types of another type": json.dumps(FIELDS | {"types": [1, None]}).encode(),
    "types that are one text": json.dumps(FIELDS | {"types": "impressions"}).encode(),
    "a type that there is not": json.dumps(FIELDS | {"types": ["impressions", "url_clicked"]}).encode(),
    "another window": json.dumps(FIELDS | {"first": "2025-12-31"}).encode(),
    "another time": json.dumps(FIELDS | {"started_at": "2026-02-01T01:00:01+00:00"}).encode(),
    "a time without a zone": json.dumps(FIELDS | {"started_at": "2026-02-01T01:00:00"}).encode(),
    "a window the wrong way round": json.dumps(FIELDS | {"last": "2025-01-01"}).encode(),
    "no window": json.dumps({key: value for key, value in FIELDS.items() if key not in {"first", "last"}}).encode(),
}


@pytest.fixture
def lake(tmp_path, each_source):
    lake = Lake(tmp_path / "lake").of(each_source)
    lake.home.open()
    return lake


@pytest.fixture
def two(lake):
    """Two pulls: one with a pull.json to damage, and one after it."""
    pulled(lake, FIRST, at(1))
    pulled(lake, SECOND, at(2))
    return lake, *(folder / "pull.json" for folder in raw.folders(lake))


def dead():
    """Return the number of a process that is dead."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_pull_json_is_written_anew_from_its_responses(two, damage, caplog):
    lake, path, _ = two
    damage = damage.replace(b'"historical"', f'"{lake.hourly}"'.encode())
    path.write_bytes(damage)
    publish_pulls(lake)
    assert counts(lake) == FIRST | SECOND
    (told,) = caplog.messages
    assert told.startswith(f"{path} is damaged (")
    assert told.endswith(
        "): it is kept as pull.json.damaged, and written anew from the responses beside it, which are published again"
    )
    assert "\n" not in told
    assert path.with_name("pull.json.damaged").read_bytes() == damage
    assert raw.load(lake, path.parent).types == ("impressions", "url_clicks")


def test_a_folder_in_the_place_of_a_pull_json_stops_nothing(two, caplog):
    lake, path, _ = two
    path.unlink()
    path.mkdir()
    publish_pulls(lake)
    assert counts(lake) == FIRST | SECOND
    assert len(caplog.messages) == 1


def test_a_pull_json_that_is_missing_is_written_anew_from_its_responses(two, caplog):
    lake, path, _ = two
    path.unlink()
    publish_pulls(lake)
    assert counts(lake) == FIRST | SECOND
    assert caplog.messages == [
        f"{path} was missing, and written anew from the responses beside it, which are published again"
    ]


def test_a_rebuild_takes_the_pull_of_a_damaged_pull_json_up(two, caplog):
    lake, path, other = two
    publish_pulls(lake)
    before = contents(lake)
    path.write_bytes(b"{")
    other.unlink()
    rebuild_table(lake, lake.hourly)
    assert contents(lake) == before
    assert len(caplog.messages) == 2


def test_a_pull_that_is_published_again_changes_nothing(tmp_path, past_of_source, each_source):
    """Whichever it was: its answers are not newer than the tables."""
    history = Lake(shutil.copytree(past_of_source, tmp_path / "lake")).of(each_source)
    before = contents(history)
    for folder in raw.folders(history):
        (folder / "pull.json").write_bytes(b"")
    publish_pulls(history)
    assert contents(history) == before


def test_a_pull_of_which_nothing_can_be_read_is_left_out_and_told_once(two, caplog):
    lake, path, _ = two
    path.write_bytes(b"null")
    (response,) = path.parent.glob("*.json.zst")
    response.write_bytes(b"torn")
    publish_pulls(lake)
    assert counts(lake) == SECOND
    (told,) = caplog.messages
    assert told.startswith(f"{path} is damaged (")
    assert told.endswith(f"its pull is left out, for {path.parent} holds no response that can be read")
    assert response.read_bytes() == b"torn"
    caplog.clear()
    publish_pulls(lake)
    assert caplog.messages == []


def test_a_list_of_the_pulls_leaves_a_damaged_one_out_and_names_it(two, caplog):
    lake, path, other = two
    path.write_bytes(b"{")
    assert [pull.path for pull in raw.all_pulls(lake)] == [other.parent]
    (told,) = caplog.messages
    assert told.startswith(f"{path} is damaged (JSONDecodeError(")
    assert told.endswith("; the pull is left out, and its responses are kept")


def test_a_pull_that_went_on_is_taken_up_after_its_pull_json_was_torn(lake):
    """Written anew, it is not finished: so the next pull of the window asks for the rest alone."""
    begun = begin(lake, at(1))
    land(begun, FIRST)
    (begun.path / "pull.json").write_bytes(b"{")
    publish_pulls(lake)
    assert raw.open_pulls(lake) == [begun]


HIDDEN = (
    ".lake.json.{}",
    ".engagement.duckdb.{}",
    ".engagement.duckdb.{}.wal",
    ".engagement.duckdb.staging.{}/views",
    ".recent.parquet.{}",
    "raw/historical/2026-01-01_2026-01-02/20260201T010000.000000Z/.pull.json.{}",
    "raw/historical/2026-01-01_2026-01-02/20260201T010000.000000Z/.ann-1-20260201T010000.000000Z.json.zst.new.{}",
    "raw/historical/2026-01-01_2026-01-02/20260201T020000.000000Z/.pull.json.{}",
)


def leave(lake, name):
    path = lake.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a part")
    return path


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_dead_process_was_writing_goes_with_the_next_publication(lake, name):
    begin(lake, at(1))
    left = leave(lake, name.format(dead()).replace("historical", str(lake.hourly)))
    publish_pulls(lake)
    assert not left.exists()


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_live_process_is_writing_stays(lake, name):
    begin(lake, at(1))
    left = leave(lake, name.format(os.getppid()).replace("historical", str(lake.hourly)))
    publish_pulls(lake)
    catalog.refresh(lake)
    assert left.exists()


@pytest.mark.parametrize("name", [".aside/day.parquet", ".rebuild/lake.json", "raw/totals/2026-01-01/.dropped-1/a"])
def test_what_a_killed_publication_rebuild_or_prune_has_staged_goes_with_the_next_publication(lake, name):
    lake.open()
    left = leave(lake, name)
    publish_pulls(lake)
    assert not left.parent.exists()


@pytest.mark.parametrize("name", [".notes.2024", ".recent.parquet.bak", ".7", "recent.parquet.999999999", ".git.1/a"])
def test_a_file_that_no_process_was_writing_stays(lake, name):
    lake.open()
    left = leave(lake, name)
    publish_pulls(lake)
    assert left.exists()


def test_what_a_dead_process_left_of_a_catalogue_for_elsewhere_goes_with_the_next(lake, tmp_path):
    lake.open()
    left, other = (tmp_path / f".{name}.staging.{dead()}" for name in ("views", "others"))
    for folder in (left, other):
        folder.mkdir()
    catalog.elsewhere(lake, root=tmp_path, output=tmp_path / "views")
    assert (left.exists(), other.exists()) == (False, True)
