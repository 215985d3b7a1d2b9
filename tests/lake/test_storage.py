"""The storages: what each of their methods promises. What asks for `either` is true of files and of objects."""

import errno
import os
import shutil
from io import BytesIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import WINDOW
from power_cuts import recorded

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.states import State, SwapError
from engagement_pipeline.lake.storage import DROPPED, LocalStorage

FIRST, _ = WINDOW.days()
RESPONSE, PATTERN = "ann-1.json.zst", "*.json.zst"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.root.mkdir()
    return lake


@pytest.fixture
def storage(lake):
    return lake.storage


@pytest.fixture(params=["disk", "bucket"])
def either(request, lake):
    """An empty storage of each kind."""
    return lake.storage if request.param == "disk" else Lake(request.getfixturevalue("in_bucket")).storage


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def made(storage, *names):
    """Make files that hold their names."""
    for name in names:
        path = storage.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return [storage.root / name for name in names]


def written(storage, *names):
    """Write files that hold their names; return their paths."""
    for name in names:
        path = storage.root / name
        storage.make_folder(path.parent)
        storage.write_whole(path, name.encode())
    return [storage.root / name for name in names]


def of_root(storage, paths):
    return [path.relative_to(storage.root).as_posix() for path in paths]


# Reading.


def test_a_lake_is_on_the_disk_unless_another_storage_is_named(tmp_path):
    other = LocalStorage(tmp_path / "other")
    assert Lake(tmp_path).storage.root == tmp_path
    assert Lake(tmp_path, other).storage is other
    assert Lake(tmp_path, other) == Lake(tmp_path)


def test_files_and_folders_are_there_or_not(either):
    written(either, "a/b")
    assert [either.exists(either.root / name) for name in ("a/b", "a", "b")] == [True, True, False]


def test_a_file_has_a_size_and_one_that_is_not_there_has_none(either):
    (path,) = written(either, "a")
    assert (either.size(path), either.size(either.root / "b")) == (1, 0)


def test_a_file_has_a_time_and_one_that_is_not_there_has_none(storage):
    (path,) = made(storage, "one")
    os.utime(path, (1_000_000, 2_000_000))
    assert storage.changed_at(path) == 2_000_000
    assert storage.changed_at(storage.root / "none") == 0


def test_what_matches_is_found_sorted(either):
    written(either, "b/2", "a/1", "b/1", "c")
    assert of_root(either, either.find("*/1")) == ["a/1", "b/1"]
    assert of_root(either, either.find("*", within=either.root / "b")) == ["b/1", "b/2"]
    assert either.find("*", within=either.root / "nothing") == []


@pytest.mark.parametrize(("pattern", "there"), [("*/1", True), ("a", True), ("*/2", False)])
def test_it_tells_whether_anything_matches(either, pattern, there):
    written(either, "a/1")
    assert either.holds(pattern) == there


def test_a_file_that_is_replaced_has_another_stamp(either):
    written(either, "day=2026-01-01/a", "day=2026-01-02/a", "day=2026-02-30/a", "day=2026-01-02/b", "c")
    pattern = "day=[0-9]*/a"
    before = either.stamps(pattern)
    assert [*before] == ["day=2026-01-01/a", "day=2026-01-02/a"]
    assert either.stamps("c").keys() == {"c"}
    assert either.stamps("none/*") == either.stamps("none") == {}
    either.write_whole(either.root / "day=2026-01-02/a", b"another")
    after = either.stamps(pattern)
    assert [name for name in before if after[name] != before[name]] == ["day=2026-01-02/a"]


def test_a_file_is_read_whole_or_by_line(either):
    path = either.root / "a"
    either.write_whole(path, b"1\n\n2")
    assert either.read(path) == b"1\n\n2"
    assert [*either.lines(path)] == [b"1\n", b"\n", b"2"]


def test_a_file_that_is_not_there_has_no_lines_and_cannot_be_read(either):
    assert [*either.lines(either.root / "a")] == []
    with pytest.raises(FileNotFoundError):
        either.read(either.root / "a")


def test_arrow_reads_a_source(either):
    path, rows, buffer = either.root / "a.parquet", pa.table({"n": [1, 2]}), BytesIO()
    pq.write_table(rows, buffer)
    either.write_whole(path, buffer.getvalue())
    with either.source(path) as file:
        assert pq.read_table(file).equals(rows)


@pytest.mark.parametrize("name", ["lake", "[x]", "a*?", "it's"])
def test_duckdb_reads_a_location_from_any_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage(type(tmp_path)(name))
    for folder in (storage.root / "day=1", tmp_path / "xy" / "day=1"):
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"n": [1]}), folder / "n.parquet")
    location = storage.location("*/n.parquet")
    monkeypatch.chdir("/")
    with duckdb.connect() as connection:
        assert connection.execute("select count(*) from read_parquet(?)", [location]).fetchall() == [(1,)]


# Writing.


def test_a_file_is_written_whole_over_another(either):
    (path,) = written(either, "a")
    either.write_whole(path, b"new")
    assert either.read(path) == b"new"
    assert [entry.path for entry in either.children(either.root)] == [path]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_is_as_it_was(storage, monkeypatch, function):
    (path,) = made(storage, "a")
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(LakeError, match=f"^{path} cannot be written: No space left on device; what landed before"):
        storage.write_whole(path, b"new")
    assert path.read_bytes() == b"a"
    assert [*storage.root.iterdir()] == [path]


def test_lines_are_appended_in_a_folder_that_need_not_be_there(either):
    path = either.root / "requests" / "a.jsonl"
    either.append_line(path, b"1")
    either.append_line(path, b"2")
    assert [*either.lines(path)] == [b"1\n", b"2\n"]


def test_a_torn_line_is_ended_first(storage):
    (path,) = made(storage, "a")
    path.write_bytes(b"1\nto")
    storage.append_line(path, b"2")
    assert path.read_bytes() == b"1\nto\n2\n"


def test_a_folder_is_made_with_those_above_and_may_be_there(storage):
    for _ in range(2):
        storage.make_folder(storage.root / "a" / "b")
    assert (storage.root / "a" / "b").is_dir()


def test_a_staging_folder_is_empty_and_gone_afterwards(either):
    folder = either.local / ".aside"
    folder.mkdir(parents=True)
    (folder / "left").touch()
    with pytest.raises(ValueError, match="stop"), either.staging(folder) as given:  # noqa: PT012 - it is used within
        assert given == folder
        assert [*folder.iterdir()] == []
        (folder / "file").touch()
        raise ValueError("stop")
    assert not folder.exists()


def test_a_file_is_removed_and_need_not_be_there(either):
    (path,) = written(either, "a")
    for _ in range(2):
        either.remove(path)
    assert not either.exists(path)


def test_a_folder_is_removed_and_the_one_above_once_it_is_empty(either):
    written(either, "raw/w/1/a", "raw/w/2/b")
    either.remove_folder(either.root / "raw/w/1")
    assert of_root(either, either.find("raw/*/*")) == ["raw/w/2"]
    either.remove_folder(either.root / "raw/w/2")
    assert not either.exists(either.root / "raw/w")


def test_a_folder_whose_removal_is_killed_is_gone_at_once_and_swept_later(storage, monkeypatch):
    made(storage, "raw/w/1/a", "raw/w/2/b")

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            storage.remove_folder(storage.root / "raw/w/1")
    assert of_root(storage, storage.find("raw/*/*")) == [f"raw/w/{DROPPED}1", "raw/w/2"]
    storage.sweep("raw/*")
    assert of_root(storage, storage.find("**/*")) == ["raw", "raw/w", "raw/w/2", "raw/w/2/b"]


# Responses.


def in_each_state(storage):
    return [of_root(storage, storage.marked(storage.root, PATTERN, state)) for state in State]


@pytest.mark.parametrize(
    ("state", "place"),
    [(State.LANDED, f"{RESPONSE}.new"), (State.COUNTS, RESPONSE)],
)
def test_a_response_is_put_in_a_state(either, state, place):
    path = either.put(either.root / RESPONSE, b"body", state)
    assert of_root(either, [path]) == [place]
    assert either.read(path) == b"body"
    assert in_each_state(either) == [[place] if each is state else [] for each in State]


@pytest.mark.parametrize(("state", "place"), [(State.COUNTS, RESPONSE), (State.REJECTED, f"rejected/{RESPONSE}")])
def test_a_response_is_marked_with_another_state(either, state, place):
    landed = either.put(either.root / RESPONSE, b"body", State.LANDED)
    path = either.mark(landed, state)
    assert of_root(either, [path]) == [place]
    assert either.read(path) == b"body"
    assert in_each_state(either) == [[place] if each is state else [] for each in State]


def test_responses_are_listed_in_the_order_of_their_names_without_what_is_none(either):
    written(either, "b.json.zst", "a.json.zst", "pull.json", ".a.json.zst.1")
    assert of_root(either, either.marked(either.root, PATTERN, State.COUNTS)) == ["a.json.zst", "b.json.zst"]


# Waiting.


def test_a_lock_tells_once_that_it_must_be_waited_for(either):
    told = []

    def waits(_):
        told.append("waiting")
        first.__exit__(None, None, None)

    first = either.lock("lake", waiting=waits)
    first.__enter__()
    with either.lock("lake", waiting=waits):
        assert told == ["waiting"]


def test_locks_of_other_names_are_not_waited_for(either):
    told = []
    with either.lock("lake", waiting=told.append), either.lock("pull", waiting=told.append):
        assert told == []


# Swapping.


def test_what_is_swapped_survives_a_power_cut(lake, monkeypatch):
    """The files are on the disk before the first rename, and after the last all folders up to the lake's own."""
    aside = [lake.root / "a", lake.root / "b"]
    for file in aside:
        file.write_text(file.name)
    steps, files = [], [file.stat().st_ino for file in aside]
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        steps.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def replaced(source, target):
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    targets = [lake.rows(HISTORICAL.table, FIRST), lake.coverage(HISTORICAL, FIRST)]
    lake.storage.swap(dict(zip(aside, targets, strict=True)))
    assert steps[:4] == [*files, "rename", "rename"]
    folders = {folder for target in targets for folder in target.parents if folder.is_relative_to(lake.root)}
    assert len(folders) == 6
    assert sorted(steps[4:]) == sorted(folder.stat().st_ino for folder in folders)


def test_what_is_swapped_stays_writable_unless_it_is_not_to(lake):
    lake.open()
    for writable in (True, False):
        aside, target = lake.root / "aside", lake.root / f"{writable}"
        aside.write_bytes(b"x")
        lake.storage.swap({aside: target}, writable=writable)
        assert bool(target.stat().st_mode & 0o222) is writable


def test_files_are_swapped_in_the_order_given(lake):
    aside = [lake.root / "a", lake.root / "b"]
    for file in aside:
        file.write_text(file.name)
    targets = [lake.rows(HISTORICAL.table, FIRST), lake.coverage(HISTORICAL, FIRST)]
    lake.storage.swap(dict(zip(aside, targets, strict=True)))
    assert [target.read_text() for target in targets] == ["a", "b"]
    assert not any(file.exists() for file in aside)


def test_a_group_of_files_is_on_the_disk_before_the_next_is_swapped(lake):
    """A power cut leaves the second in its place with the first alone."""
    aside = made(lake.storage, ".a", ".b")
    targets = [lake.rows(HISTORICAL.table, FIRST), lake.coverage(HISTORICAL, FIRST)]
    with recorded(lake.root) as recording:
        lake.storage.swap(*({file: target} for file, target in zip(aside, targets, strict=True)))
    for number, cut in enumerate(recording.cuts()):
        left = recording.restore(cut, lake.root.with_name(f"cut {number}"))
        rows, coverage = ((left / target.relative_to(lake.root)).exists() for target in targets)
        assert rows >= coverage


@pytest.mark.parametrize(("renames", "put"), [(0, 0), (1, 1), (2, 2)])
def test_a_swap_that_is_stopped_says_which_files_are_in_their_places(lake, monkeypatch, renames, put):
    aside = made(lake.storage, "a", "b", "c")
    targets = [lake.root / name for name in ("x", "y", "z")]
    really, left = os.replace, [renames]

    def replace(source, target):
        left[0] -= 1
        if left[0] < 0:
            no_space()
        really(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(SwapError, match="No space left") as caught:
        lake.storage.swap(dict(zip(aside, targets, strict=True)))
    assert (caught.value.put, caught.value.left) == (tuple(targets[:put]), tuple(targets[put:]))


def test_a_swap_that_is_refused_names_the_place_and_not_the_staged_file(storage):
    (aside,) = made(storage, "aside")
    place = storage.root / "table" / "rows.parquet"
    place.mkdir(parents=True)
    with pytest.raises(SwapError) as caught:
        storage.swap({aside: place})
    assert caught.value.filename == str(place)


# Power cuts.


def swap(storage):
    (file,) = made(storage, "aside")
    storage.swap({file: storage.root / "new" / "folder" / "file"})


def mark(storage):
    storage.mark(storage.root / f"raw/1/{RESPONSE}.new", State.REJECTED)


@pytest.mark.parametrize(
    "done",
    [
        swap,
        mark,
        lambda storage: storage.make_folder(storage.root / "new" / "folder"),
        lambda storage: storage.write_whole(storage.root / "raw/1/pull.json", b"new"),
        lambda storage: storage.put(storage.root / "raw/1" / RESPONSE, b"body", State.COUNTS),
        lambda storage: storage.mark(storage.root / f"raw/1/{RESPONSE}.new", State.COUNTS),
        lambda storage: storage.remove(storage.root / "raw/1/pull.json"),
    ],
    ids=["swap", "reject", "make_folder", "write_whole", "put", "accept", "remove"],
)
def test_what_is_done_survives_a_power_cut(storage, done):
    made(storage, f"raw/1/{RESPONSE}.new", "raw/1/pull.json")
    with recorded(storage.root) as recording:
        done(storage)
    assert recording.steps
    assert recording.unsynced()[1] == []


def test_a_folder_that_is_removed_is_whole_or_gone_after_a_power_cut(storage):
    made(storage, "raw/w/1/a", "raw/w/1/b", "raw/w/2/c")
    with recorded(storage.root) as recording:
        storage.remove_folder(storage.root / "raw/w/1")
    for number, cut in enumerate(recording.cuts()):
        left = LocalStorage(recording.restore(cut, storage.root.with_name(f"cut {number}")))
        assert of_root(left, left.find("raw/w/1/*")) in ([], ["raw/w/1/a", "raw/w/1/b"])


def test_a_new_lake_survives_a_power_cut(tmp_path):
    with recorded(tmp_path) as recording:
        Lake(tmp_path / "a" / "lake").open()
    assert recording.unsynced()[1] == []


def test_the_usage_of_a_folder_is_that_of_all_its_files(tmp_path):
    storage = LocalStorage(tmp_path)
    for name in ("a/b/c", "a/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert (storage.usage(tmp_path / "a"), storage.usage(tmp_path / "a" / "d")) == (10, 5)
    assert storage.usage(tmp_path / "gone") == 0


def test_who_waits_is_told_what_a_lock_is_held_for(either):
    told = []

    def waits(holder):
        told.append(holder)
        first.__exit__(None, None, None)

    first = either.lock("lake", what="the pull of March", waiting=told.append)
    first.__enter__()
    with either.lock("lake", waiting=waits):
        assert told == ["the pull of March"]


def test_of_several_files_those_that_are_there_are_told(either):
    written(either, "b", "a")
    paths = [either.root / name for name in ("c", "b", "a", "b")]
    assert of_root(either, either.those(paths, either.exists)) == ["b", "a"]


def test_what_is_read_ahead_is_what_is_there(either):
    paths = [*written(either, *(f"{number:03}.json" for number in range(40))), either.root / "none.json"]
    with either.ahead(paths):
        for path in paths[:-1]:
            assert either.exists(path)
            assert [either.read(path), either.read(path)] == [path.name.encode()] * 2
        assert not either.exists(paths[-1])
        either.write_whole(paths[0], b"another")
        assert either.read(paths[0]) == b"another"


def test_a_survey_tells_what_this_process_has_written_since(either):
    written(either, "a/1")
    with either.survey():
        assert of_root(either, either.find("a/*")) == ["a/1"]
        written(either, "a/2")
        assert of_root(either, either.find("a/*")) == ["a/1", "a/2"]
        either.remove(either.root / "a/1")
        assert of_root(either, either.find("a/*")) == ["a/2"]


def test_a_survey_tells_of_lines_and_folders_that_this_process_has_begun(either):
    lines, folder = either.root / "a.jsonl", either.root / "raw/x/2026-01-01/20260102T000000000000Z"
    with either.survey():
        assert (either.size(lines), either.begun_folders("*/*/*", within=either.root / "raw")) == (0, [])
        either.append_line(lines, b"{}")
        either.begin_folder(folder)
        assert (either.size(lines), either.begun_folders("*/*/*", within=either.root / "raw")) == (3, [folder])
