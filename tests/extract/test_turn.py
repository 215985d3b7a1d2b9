"""Turns of an app and of a lake in a store: who waits for whom, on whatever machine."""

import json
import logging
import queue
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from engagement_pipeline import pipeline
from engagement_pipeline.core.places import in_bucket as place
from engagement_pipeline.extract import puller, turn
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import inventory, object_lock, objects, raw
from engagement_pipeline.lake.layout import Lake

PATIENCE_SECONDS = 60  # for another thread; only a broken one uses it up
WHAT = "the pull of a test"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(object_lock, "POLL", 0.01)


@pytest.fixture
def said():
    """Give a queue of what is logged, so that a test can wait for a line."""
    lines, ours = queue.Queue(), logging.getLogger("engagement_pipeline")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.put(record.getMessage())
    ours.addHandler(handler)
    yield lines
    ours.removeHandler(handler)


@pytest.fixture
def chosen(world, in_bucket):
    """Settings of a lake on a disk whose app takes turns in a bucket."""
    return replace(world.settings(), app_lock=place(f"{in_bucket}/turns"))


def elsewhere(chosen, **changes):
    """Return the settings of another machine: it has a lake and a copy of the accounts of its own."""
    root = chosen.accounts.parent / "elsewhere"
    root.mkdir()
    copy = shutil.copy(chosen.accounts, root / "accounts.toml")
    return replace(chosen, data=root / "lake", accounts=copy, **changes)


def take(chosen):
    """Take the turn and give it back."""
    lake = Lake(chosen.data)
    lake.open()
    with turn.held(chosen, lake, what="the pull of somebody else"):
        return "taken"


def waited(chosen, second, said):
    """Return what the second says while the first has its turn; it has the turn after that."""
    lake = Lake(chosen.data)
    lake.open()
    with ThreadPoolExecutor(1) as pool:
        with turn.held(chosen, lake, what=WHAT):
            waiting = pool.submit(take, second)
            line = said.get(timeout=PATIENCE_SECONDS)
            assert not waiting.done()
        assert waiting.result(timeout=PATIENCE_SECONDS) == "taken"
    assert said.empty()
    return line


def test_pulls_with_copies_of_the_accounts_into_two_lakes_take_turns_in_the_store(chosen, said):
    line = waited(chosen, elsewhere(chosen), said)
    assert line.startswith(f"waiting for {WHAT} (process ")
    assert line.endswith(" UTC) to end: an app's rate is for one at a time")


def test_pulls_into_one_lake_in_a_bucket_take_turns_without_that(world, in_bucket, said):
    here = replace(world.settings(), data=in_bucket)
    line = waited(here, replace(elsewhere(here), data=in_bucket), said)
    assert line.startswith(f"waiting for {WHAT} (process ")
    assert line.endswith(f" UTC) of the lake {in_bucket} to end")


def test_apps_do_not_wait_for_each_other_in_the_store(chosen, said):
    other = elsewhere(chosen)
    text = other.accounts.read_text()
    key = text.split('consumer_key = "')[1].split('"')[0]
    other.accounts.write_text(text.replace(key, "another"))
    lake = Lake(chosen.data)
    lake.open()
    with turn.held(chosen, lake, what=WHAT):
        assert take(other) == "taken"
    assert said.empty()


def test_the_turn_of_a_holder_on_another_machine_is_taken_over_once_it_is_silent(chosen, said, monkeypatch):
    lake = Lake(chosen.data)
    lake.open()
    with turn.held(chosen, lake, what=WHAT):
        monkeypatch.setattr(object_lock, "LEASE", -1)
        objects.of_bucket.cache_clear()  # the other machine knows nothing of what this one holds
        assert take(elsewhere(chosen)) == "taken"
    assert "nothing was heard of" in said.get_nowait()


def test_the_store_does_not_have_the_key_of_the_app(chosen):
    lake = Lake(chosen.data)
    lake.open()
    key = chosen.accounts.read_text().split('consumer_key = "')[1].split('"')[0]
    with turn.held(chosen, lake, what=WHAT):
        store = objects.Objects(chosen.app_lock.bucket)
        (held,) = store.below(chosen.app_lock.key)
        content, _ = store.get(held.key)
    assert json.loads(content)["what"].startswith(WHAT)
    assert key not in held.key + content.decode()


def test_with_a_turn_in_the_store_there_is_no_file_beside_the_accounts(chosen):
    take(chosen)
    assert not chosen.accounts.with_name("accounts.toml.lock").exists()


def test_who_has_lost_its_turn_lands_what_is_under_way_and_stops(world, in_bucket, monkeypatch):
    here = replace(world.settings(), data=in_bucket)
    monkeypatch.setattr(puller, "MAX_IN_FLIGHT", 1)
    put = raw.Pull.land

    def landing(*arguments, **options):
        monkeypatch.setattr(object_lock.Lease, "lapsed", lambda _: True)
        return put(*arguments, **options)

    monkeypatch.setattr(raw.Pull, "land", landing)
    with pytest.raises(OSError, match="the lock was taken over"):
        pipeline.run(here, prepare(here, date(2026, 1, 30), date(2026, 1, 31)))
    asked = len(world.emulator.requests)
    assert asked < 3  # the plan's
    assert len(Lake(in_bucket).storage.find("raw/*/*/*/*.new")) == asked


def test_who_waits_is_told_once_of_each_that_comes_first(in_bucket, monkeypatch):
    now = datetime.now(UTC)
    before = [
        object_lock.Found(number, what, what, "another machine 1", "", "", now)
        for number, what in ((1, "January"), (1, "January"), (2, "February"), (3, "January"))
    ]
    really, told = object_lock.look, []
    monkeypatch.setattr(object_lock, "look", lambda *at: before.pop(0) if before else really(*at))
    with object_lock.hold(objects.objects(in_bucket.bucket), "a lock", what="March", waiting=told.append) as lease:
        assert told == ["January", "February", "January"]
        assert lease.what == "March"


def test_the_turn_of_an_app_may_lie_in_a_lake(chosen, in_bucket):
    lake = Lake(in_bucket)
    lake.open()
    with turn.held(replace(chosen, data=in_bucket, app_lock=in_bucket), lake, what=WHAT):
        assert any(path.name.startswith(".app-") for path in lake.storage.find(".*.lock"))
        assert inventory.take(lake, own=lambda _: False).strangers == []
