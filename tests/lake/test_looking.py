"""What was looked at when a process died: looked at again alone, and set apart only if that ends badly too."""

import forks
import pytest
from bodies import at, begin, full, land, pulled

from engagement_pipeline.core.errors import LakeError, ResponseError
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.lake.looking import ALONE, AMONG_OTHERS, Looks, MemoryLackError, look_again, looking, of_worker

DIES = f"""
import os, sys
from pathlib import Path
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.looking import looking

(landed,) = raw.all_pulls(Lake(Path(sys.argv[1])))[0].landed()
with looking(landed, "{LAKE_LOCK}", how=sys.argv[2]):
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def landed(lake):
    (landed,) = pulled(lake, full([1], 1), at(1)).landed()
    return landed


def dies(lake, how=AMONG_OTHERS):
    """Kill a process while it looks at the one response."""
    assert forks.run(DIES, str(lake.root), how).code == -9


def looked_at(lake):
    """Return the bodies that are looked at again."""
    seen = []
    look_again(lake, [LAKE_LOCK], lambda body, _: seen.append(body))
    return seen


def runs_out(*_):
    raise MemoryError


def test_what_is_looked_at_without_an_accident_leaves_nothing(lake, landed):
    with looking(landed, LAKE_LOCK):
        pass
    assert looked_at(lake) == []
    assert [path.name for path in lake.root.glob(".*.note")] == []


@pytest.mark.parametrize("error", [LakeError("no"), ResponseError("no", path="$"), KeyboardInterrupt()])
def test_an_error_or_an_interruption_is_no_death(lake, landed, error):
    with pytest.raises(type(error)), looking(landed, LAKE_LOCK):
        raise error
    assert looked_at(lake) == []


def test_what_was_looked_at_when_a_process_was_killed_is_looked_at_again_once(lake, landed, caplog):
    dies(lake)
    assert looked_at(lake) == [landed.body()]
    assert caplog.messages == [
        f"{landed.path} was looked at when a process ended at once: it is looked at again, alone"
    ]
    assert looked_at(lake) == []
    assert landed.path.exists()


def test_what_ends_the_look_alone_too_is_set_apart_by_name(lake, landed, caplog):
    dies(lake, ALONE)
    assert looked_at(lake) == []
    apart = landed.path.parent / "rejected" / landed.path.name
    (told,) = caplog.messages
    assert told == (
        f"{landed.path} ended two processes that looked at it, the second time alone: it is kept as {apart}, and the "
        f"next pull of /historical 2026-01-01 to 2026-01-02 asks for its Tweets again; to have it looked at again: "
        f"mv {apart} {landed.path}"
    )
    assert apart.exists()
    assert [pull.finished for pull in raw.open_pulls(lake)] == [False]


def test_what_was_published_stays_so_when_its_response_is_set_apart(lake, landed, caplog):
    pull = raw.load(lake, landed.path.parent).marked(published=True)
    dies(lake, ALONE)
    looked_at(lake)
    assert "its rows stay as published" in caplog.text
    assert raw.load(lake, landed.path.parent) == pull


def test_what_fills_the_memory_alone_too_is_set_apart(lake, landed):
    said = f"the memory ran out while {landed.path} was looked at; "
    with pytest.raises(MemoryLackError, match=said), looking(landed, LAKE_LOCK):
        runs_out()
    look_again(lake, [LAKE_LOCK], runs_out)
    assert (landed.path.parent / "rejected" / landed.path.name).exists()


def test_what_breaks_the_contract_when_it_is_looked_at_again_stays(lake, landed):
    """Whoever publishes it says so."""

    def breaks(*_):
        raise ResponseError("no", path="$")

    dies(lake)
    look_again(lake, [LAKE_LOCK], breaks)
    assert landed.path.exists()


@pytest.mark.parametrize(
    "note", [b"", b"alone", b"alone\n", b"alone\nraw/historical", b"\xff\n\xff", b"alone\nraw/no.json.zst"]
)
def test_a_torn_note_says_nothing(lake, landed, note):
    lake.storage.note(LAKE_LOCK, note)
    assert looked_at(lake) == []
    assert landed.path.exists()
    assert [*lake.root.glob(".*.note")] == []


def test_what_each_worker_of_a_process_looked_at_is_looked_at_again(lake, landed):
    """A full memory ends all of them at once."""
    (other,) = pulled(lake, full([2], 2), at(2)).landed()
    for number, each in enumerate((landed, other)):
        lake.storage.note(of_worker(LAKE_LOCK, number), f"{AMONG_OTHERS}\n{each.path.relative_to(lake.root)}".encode())
    assert looked_at(lake) == [landed.body(), other.body()]
    assert [*lake.root.glob(".*.note")] == []


def test_the_other_lock_has_its_own_note(lake, landed):
    """Its holder may live."""
    dies(lake)
    look_again(lake, ["pull"], runs_out)
    assert looked_at(lake) == [landed.body()]


def test_a_lake_that_was_moved_finds_what_was_looked_at(lake, landed, tmp_path):
    dies(lake)
    moved = Lake(lake.root.rename(tmp_path / "moved"))
    assert looked_at(moved) == [next(raw.all_pulls(moved)[0].landed()).body()]


def test_in_a_bucket_one_note_names_the_responses_that_are_looked_at_next(in_bucket):
    lake = Lake(in_bucket)
    pull = begin(lake, at(1))
    for tweet in (1, 2, 3):
        land(pull, full([tweet], tweet), asked_at=at(1, tweet))
    coming = [*pull.landed()]
    looks = Looks(lake.storage, coming, LAKE_LOCK)
    with looks.at(coming[0]):
        noted = lake.storage.noted(LAKE_LOCK)
        assert looked_at(lake) == [landed.body() for landed in coming]  # as if this process had died
    lake.storage.note(LAKE_LOCK, noted)
    for landed in coming[1:]:
        assert lake.storage.noted(LAKE_LOCK) == noted
        with looks.at(landed):
            pass
    assert lake.storage.noted(LAKE_LOCK) == b""


def test_on_a_disk_a_note_names_the_response_that_is_looked_at(lake, landed):
    (other,) = pulled(lake, full([2], 2), at(2)).landed()
    looks = Looks(lake.storage, [landed, other], LAKE_LOCK)
    for each in (landed, other):
        with looks.at(each):
            assert looked_at(lake) == [each.body()]
