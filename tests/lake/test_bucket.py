"""A lake's files as objects: what differs from files, and what stops halfway."""

import errno
import json
import os
import subprocess
import sys
from datetime import timedelta
from threading import Barrier, Lock

import duckdb
import obstore
import obstore.store
import pytest
from bodies import at, begin, full, land

from engagement_pipeline.core.errors import InputError, LakeError
from engagement_pipeline.core.places import ObjectPath, place
from engagement_pipeline.lake import bucket, object_files, object_lines, object_lock, object_swap, objects
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.lake.object_ahead import AT_ONCE
from engagement_pipeline.lake.objects import TakenError
from engagement_pipeline.lake.states import State, SwapError

RESPONSE = "ann-1.json.zst"
PUT = objects.Objects.put


@pytest.fixture
def storage(in_bucket):
    return Lake(in_bucket).storage


def staged(storage, *names):
    """Stage files that hold their names; return where each is and where it is to be."""
    storage.local.mkdir(parents=True, exist_ok=True)
    for name in names:
        (storage.local / name).write_text(f"new {name}")
    return {storage.local / name: storage.root / name for name in names}


def another(storage):
    """Return the storage as another process has it, which knows nothing of this one's locks."""
    other = bucket.BucketStorage(storage.root)
    other._objects = objects.Objects(storage.root.bucket)
    return other


def told(_):
    pytest.fail("it waits")


# Names.


def test_a_storage_names_its_local_folder_and_stages_nothing_in_the_bucket(storage):
    with storage.staging(Lake(storage.root).staging) as folder:
        (folder / "rows").write_bytes(b"rows")
        assert storage.source(folder / "rows").read() == b"rows"
        assert storage.exists(folder / "rows")
    assert storage.find("**/*") == []


def test_a_file_of_lines_is_one_file_of_many_parts(storage, monkeypatch):
    monkeypatch.setattr(object_lines, "PART_BYTES", 6)
    path = storage.root / "requests" / "2026-01.jsonl"
    for number in range(4):
        storage.append_line(path, b"%d 5" % number)
    another(storage).append_line(path, b"last")
    assert [*storage.lines(path)] == [b"0 5\n", b"1 5\n", b"2 5\n", b"3 5\n", b"last\n"]
    assert len(storage.find("requests/*.jsonl/*")) == 3
    (entry,) = storage.children(path.parent)
    assert (entry.path, entry.folder, entry.size) == (path, False, 21)
    storage.remove(path)
    assert not storage.exists(path)


def test_the_index_has_what_lay_in_raw_before_and_then_what_has_begun(storage):
    first, second, third = (storage.root / "raw/a/w" / name for name in "123")
    storage.write_whole(first / "pull.json", b"")
    assert storage.begun_folders("*/*/*", within=storage.root / "raw") == [first]
    storage.write_whole(third / "pull.json", b"")  # which nobody has begun
    storage.begin_folder(second)
    storage.end_folder(first)
    assert storage.begun_folders("*/*/*", within=storage.root / "raw") == [second]


# What is killed halfway.


def test_a_response_that_was_copied_and_not_removed_is_marked_again(storage, monkeypatch):
    landed = storage.put(storage.root / RESPONSE, b"body", State.LANDED)
    with monkeypatch.context() as patch:
        patch.setattr(objects.Objects, "delete", interrupted)
        with pytest.raises(KeyboardInterrupt):
            storage.mark(landed, State.COUNTS)
    states = [storage.marked(storage.root, "*.zst", state) for state in (State.LANDED, State.COUNTS)]
    assert states == [[landed], [storage.root / RESPONSE]]
    assert storage.mark(landed, State.COUNTS) == storage.root / RESPONSE
    assert storage.marked(storage.root, "*.zst", State.LANDED) == []


def test_a_folder_that_was_removed_in_part_can_be_removed_again(storage, monkeypatch):
    folder = storage.root / "raw/a/w/1"
    storage.begin_folder(folder)
    for name in ("pull.json", "x.json.zst", "rejected/y.json.zst"):
        storage.write_whole(folder / name, b"")
    really, left = objects.Objects.delete, [1]

    def delete(self, *keys):
        left[0] -= 1
        return really(self, *keys) if left[0] >= 0 else interrupted()

    with monkeypatch.context() as patch:
        patch.setattr(objects.Objects, "delete", delete)
        with pytest.raises(KeyboardInterrupt):
            storage.remove_folder(folder)
    assert [path.name for path in storage.find("*", within=folder)] == ["pull.json"]
    storage.remove_folder(folder)
    assert not storage.exists(folder)
    assert storage.begun_folders("*/*/*", within=storage.root / "raw") == []


def interrupted(*_):
    raise KeyboardInterrupt


# A store of another kind.


@pytest.fixture
def in_memory(monkeypatch):
    """The storage of a lake in a container of Azure's, which is in memory here."""
    monkeypatch.setattr(objects, "opened", lambda _: obstore.store.MemoryStore())
    objects.of_bucket.cache_clear()
    yield Lake(place("az://a-container/lake")).storage
    objects.of_bucket.cache_clear()


def test_a_lake_in_a_container_is_read_by_its_addresses(in_memory):
    with in_memory.lock(LAKE_LOCK, waiting=told):
        in_memory.swap(staged(in_memory, "1.csv", "2.csv"))
    with duckdb.connect() as connection:
        in_memory.admit(connection)
        found = connection.sql(f"select filename from read_csv('{in_memory.location('*.csv')}', header=false)")
        assert sorted(found.fetchall()) == [(f"az://a-container/lake/{name}.csv",) for name in "12"]


def test_a_response_is_marked_where_a_copy_may_come_late(in_memory, monkeypatch):
    monkeypatch.setattr(obstore, "copy", lambda *_: pytest.fail("the store copies"))
    landed = in_memory.put(in_memory.root / RESPONSE, b"body", State.LANDED)
    marked = in_memory.mark(landed, State.COUNTS)
    assert in_memory.read(marked) == b"body"
    assert not in_memory.exists(landed)


def test_all_objects_are_removed_where_a_store_stops_at_one_that_is_not_there(in_memory, monkeypatch):
    really, left = obstore.delete, ("a", "c")

    def delete(store, keys):
        if not isinstance(keys, str):
            raise FileNotFoundError(keys[1])
        really(store, keys)

    monkeypatch.setattr(obstore, "delete", delete)
    for name in left:
        in_memory.write_whole(in_memory.root / name, b"")
    in_memory._delete(*(f"lake/{name}" for name in "abc"))
    assert in_memory.find("*") == []


@pytest.mark.parametrize(("listed", "tag"), [("0x1", '"0x1"'), ('"0x1"', '"0x1"'), ('W/"1"', 'W/"1"'), (None, "")])
def test_a_listed_object_has_the_tag_that_it_has_by_itself(listed, tag):
    assert objects._held({"path": "key", "size": 1, "e_tag": listed, "last_modified": None}).tag == tag


# Locks.


def test_each_holder_of_a_lock_has_a_higher_number(storage):
    numbers = []
    for each in (storage, another(storage), storage):
        with each.lock(LAKE_LOCK, waiting=told):
            numbers.append(json.loads(storage.read(storage.root / ".lake.lock"))["number"])
    assert numbers == [1, 2, 3]


def test_a_lock_is_busy_while_it_is_held_and_heard_of(storage, monkeypatch):
    assert not storage.busy(LAKE_LOCK)
    with storage.lock(LAKE_LOCK, waiting=told):
        assert another(storage).busy(LAKE_LOCK)
        monkeypatch.setattr(object_lock, "SILENCE", timedelta(seconds=-60))
        assert not another(storage).busy(LAKE_LOCK)  # nothing was heard of it for long
    assert not storage.busy(LAKE_LOCK)


def test_a_lock_that_is_heard_of_is_waited_for(storage):
    waited = []

    def waits(_):
        waited.append(True)
        first.__exit__(None, None, None)

    first = storage.lock(LAKE_LOCK, waiting=told)
    first.__enter__()
    with another(storage).lock(LAKE_LOCK, waiting=waits):
        assert waited == [True]


def test_a_lock_of_a_process_of_this_machine_that_is_dead_is_free_at_once(storage):
    hold = (
        "import os; from engagement_pipeline.core.places import in_bucket; from engagement_pipeline.lake.layout import "
        f"Lake; lock = Lake(in_bucket('{storage.root}')).storage.lock('lake', waiting=print); lock.__enter__(); "
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", hold], env=os.environ, check=True)
    assert json.loads(storage.read(storage.root / ".lake.lock"))["holder"]
    with storage.lock(LAKE_LOCK, waiting=told):
        pass


def test_a_lock_that_nothing_is_heard_of_is_taken_over_by_the_clock_of_the_store(storage, monkeypatch, caplog):
    monkeypatch.setattr(object_lock, "LEASE", -1)
    with storage.lock(LAKE_LOCK, waiting=told), another(storage).lock(LAKE_LOCK, waiting=told):
        pass
    assert "is taken over, and what that process still publishes is refused" in caplog.text


def test_who_lost_its_lock_publishes_nothing(storage, monkeypatch):
    files = staged(storage, "rows")
    with storage.lock(LAKE_LOCK, waiting=told):
        monkeypatch.setattr(object_lock, "LEASE", -1)
        with another(storage).lock(LAKE_LOCK, waiting=told):
            monkeypatch.setattr(object_lock, "LEASE", 60)
            with pytest.raises(SwapError, match="the lock was taken over") as refused:
                storage.swap(files)
    assert (refused.value.put, refused.value.left) == ((), (storage.root / "rows",))
    assert not storage.exists(storage.root / "rows")


def test_who_loses_its_lock_between_rows_and_coverage_leaves_the_coverage(storage, monkeypatch):
    rows, coverage = staged(storage, "rows"), staged(storage, "coverage")
    really = object_swap.put_group

    def put(objects, group, placed):
        really(objects, group, placed)
        key = storage._lock_key(LAKE_LOCK)
        objects.put(key, objects.get(key)[0].replace(b'"number": 1', b'"number": 2'))

    monkeypatch.setattr(object_swap, "put_group", put)
    with storage.lock(LAKE_LOCK, waiting=told), pytest.raises(SwapError) as refused:
        storage.swap(rows, coverage)
    assert (refused.value.put, refused.value.left) == ((storage.root / "rows",), (storage.root / "coverage",))


@pytest.mark.parametrize("there", [b"old", None])
def test_what_another_has_replaced_since_it_was_read_is_not_replaced(storage, there):
    path, files = storage.root / "rows", staged(storage, "rows")
    if there:
        storage.write_whole(path, there)
    with storage.lock(LAKE_LOCK, waiting=told):
        if there:
            storage.read(path)
        else:
            with pytest.raises(FileNotFoundError):
                storage.read(path)
        another(storage).write_whole(path, b"of the other")
        with pytest.raises(SwapError, match="another process has replaced it meanwhile"):
            storage.swap(files)
    assert storage.read(path) == b"of the other"


def test_what_a_lost_answer_had_put_is_taken_for_put(storage, monkeypatch):
    """A try that the store carried out and did not answer is followed by one that finds its own object."""
    files, really = staged(storage, "rows"), objects.Objects.put

    def put(self, key, content, *, over=None):
        really(self, key, content, over=over)
        return really(self, key, content, over=over)

    with storage.lock(LAKE_LOCK, waiting=told):
        monkeypatch.setattr(objects.Objects, "put", put)
        storage.swap(files)
    assert storage.read(storage.root / "rows") == b"new rows"


def test_a_lease_that_has_lapsed_by_this_clock_stops_what_removes(storage, monkeypatch):
    path = storage.root / "rows"
    storage.write_whole(path, b"old")
    with storage.lock(LAKE_LOCK, waiting=told):
        monkeypatch.setattr(object_lock.time, "monotonic", lambda: float("inf"))
        with pytest.raises(OSError, match="the lock was taken over"):
            storage.remove(path)
        assert storage.put(path.parent / "response", b"paid for", State.LANDED)
    assert storage.read(path) == b"old"


def test_a_holder_that_says_that_it_lives_keeps_its_lock(storage):
    with storage.lock(LAKE_LOCK, waiting=told):
        (lease,) = storage._objects.leases.values()
        before = lease.until
        lease.beat()
        lease.check()
        assert lease.until > before


# The store.


def heedless(self, key, content, *, over=None):
    return PUT(self, key, content)


def corrupting(self, key, content, *, over=None):
    return PUT(self, key, b"?", over=over)


@pytest.mark.parametrize(
    ("put", "words"), [(heedless, "does not keep the condition of a put"), (corrupting, "does not give back")]
)
def test_a_store_that_is_none_for_locks_is_refused(storage, monkeypatch, put, words):
    monkeypatch.setattr(objects.Objects, "put", put)
    with pytest.raises(LakeError, match=words), storage.lock(LAKE_LOCK, waiting=told):
        pass
    assert storage.find("*") == []


def test_a_store_is_tried_once_for_a_lock(storage, monkeypatch):
    tried, prove = [], object_lock._prove
    monkeypatch.setattr(object_lock, "_prove", lambda *asked: tried.append(asked) or prove(*asked))
    for each in (storage, another(storage)):
        with each.lock(LAKE_LOCK, waiting=told):
            pass
    assert len(tried) == 1


def test_a_bucket_that_there_is_not_is_told_in_one_line(in_bucket):
    lake = Lake(ObjectPath(f"{in_bucket.bucket}-not/lake"))
    with pytest.raises(
        LakeError, match=r"^\w+://lake-\w+-not/lake/lake.json cannot be read: there is no such (bucket|container)"
    ):
        lake.open()


REFUSALS = {  # by a key of a store of each kind: what obstore says, and what is made of it
    "s3://bucket/key": [
        ("status code: 403 Forbidden: <Code>AccessDenied</Code> AKIASECRET", errno.EACCES, "may not do that"),
        ("status code: 400: <Code>ExpiredToken</Code>", errno.EACCES, "have expired: renew them"),
        ("Received redirect without LOCATION, this normally", errno.EXDEV, "another region"),
        ("status code: 400: <Code>AuthorizationHeaderMalformed</Code>", errno.EXDEV, "AWS_REGION"),
        ("status code: 403: <Code>QuotaExceeded</Code>", errno.ENOSPC, "full: make room"),
        (
            "HEAD - status code: 400 Bad Request: ",
            errno.EACCES,
            "have expired or are wrong, or the bucket lies in another",
        ),
        ("status code: 400: <Code>RequestTimeout</Code>", errno.ETIMEDOUT, "the store answers RequestTimeout"),
        ("status code: 503: <Code>SlowDown</Code>", errno.ETIMEDOUT, "the store answers SlowDown"),
        ("status code: 500 Internal", errno.ETIMEDOUT, "the store answers 500"),
        ("error sending request for url http://169.254.169.254/latest", errno.EACCES, "no credentials were found"),
        ("DeleteObjects request failed for key a: no (code: AccessDenied)", errno.EACCES, "may not do that"),
        ("GET http://169.254.169.254/latest - status code: 403 Forbidden", errno.EACCES, "set AWS_PROFILE"),
        ("connection refused", errno.ETIMEDOUT, "the store does not answer"),
    ],
    "az://container/key": [
        ("status code: 404: <Code>ContainerNotFound</Code>", errno.ENODEV, "there is no such container"),
        ("status code: 403: <Code>AuthorizationPermissionMismatch</Code>", errno.EACCES, "may not do that"),
        ("status code: 403: <Code>AuthorizationFailure</Code>", errno.EACCES, "not taken from this network"),
        ("status code: 403: <Code>AuthenticationFailed</Code>", errno.EACCES, "wrong or has expired"),
        ("status code: 401: <Code>InvalidAuthenticationInfo</Code>", errno.EACCES, "wrong or has expired"),
        ("status code: 409: <Code>BlobImmutableDueToPolicy</Code>", errno.EACCES, "lets nothing be replaced"),
        ("Bulk delete request failed for key a: no (code: 403)", errno.EACCES, "may not do that"),
        ("GET http://169.254.169.254/metadata - error sending", errno.EACCES, "set AZURE_STORAGE_ACCOUNT_NAME"),
        ("'az account get-access-token' command failed: no login", errno.EACCES, "no credentials were found"),
    ],
}


@pytest.mark.parametrize(
    ("where", "text", "number", "words"), [(where, *told) for where, all_told in REFUSALS.items() for told in all_told]
)
def test_what_a_store_refuses_is_told_without_its_words(where, text, number, words):
    error = objects._told(where, OSError(text))
    assert error.errno == number
    assert words in error.strerror
    assert "SECRET" not in str(error)
    assert "\n" not in str(error)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(InputError, match=r"^a lake in a bucket needs .*, pip install '\.\[s3\]'$"):
        Lake(ObjectPath("s3://a-bucket-that-no-test-has/lake"))


def test_a_store_that_wants_a_tag_without_quotation_marks_gets_it_so(storage, monkeypatch):
    really = objects.Objects._put

    def put(self, key, content, mode):
        if '"' in str(dict(mode).get("e_tag") if isinstance(mode, dict) else ""):
            raise TakenError(errno.EEXIST, "it is another", key)
        return really(self, key, content, mode)

    monkeypatch.setattr(objects.Objects, "_put", put)
    numbers = []
    for _ in range(2):
        with storage.lock(LAKE_LOCK, waiting=told):
            numbers.append(json.loads(storage.read(storage.root / ".lake.lock"))["number"])
    assert numbers == [1, 2]


# A store that is slow.


def counted(monkeypatch, *names):
    """Return what is asked of the store by these methods from now on."""
    asked = []
    for name in names:
        really = getattr(objects.Objects, name)

        def ask(self, key, *arguments, name=name, really=really, **named):
            asked.append((name, key.rpartition("/")[2]))
            return really(self, key, *arguments, **named)

        monkeypatch.setattr(objects.Objects, name, ask)
    return asked


def at_the_same_time(monkeypatch, name, number):
    """Have the store answer nobody before so many ask it by a method."""
    really, all_ask = getattr(objects.Objects, name), Barrier(number, timeout=60)

    def ask(self, *arguments, **named):
        all_ask.wait()
        return really(self, *arguments, **named)

    monkeypatch.setattr(objects.Objects, name, ask)


def test_what_is_got_ahead_is_asked_for_once(storage, monkeypatch):
    path = storage.root / "a.json"
    storage.write_whole(path, b"1")
    asked = counted(monkeypatch, "get", "head")
    with storage.ahead([path]):
        assert (storage.exists(path), storage.read(path), storage.read(path)) == (True, b"1", b"1")
    assert asked == [("get", "a.json")]


def test_the_responses_of_a_pull_are_got_at_once(in_bucket, monkeypatch):
    pull = begin(Lake(in_bucket), at(1))
    for tweet in range(1, AT_ONCE + 1):
        land(pull, full([tweet], 1), asked_at=at(1, tweet))
    at_the_same_time(monkeypatch, "get", AT_ONCE)
    assert [landed.request.tweet_ids for landed in pull.landed()] == [
        landed.request.tweet_ids for landed in pull.landed()
    ]


def test_staged_files_of_a_group_are_put_at_once(storage, monkeypatch):
    files = staged(storage, *(f"{number}.parquet" for number in range(AT_ONCE)))
    at_the_same_time(monkeypatch, "put", AT_ONCE)
    storage.swap(files)
    monkeypatch.undo()
    assert all(map(storage.exists, files.values()))


def test_as_many_files_are_put_at_once_as_there_is_room_for(storage, monkeypatch):
    files = staged(storage, "1.parquet", "2.parquet")
    monkeypatch.setattr(object_swap, "ROOM", 1)
    under_way, really = Lock(), objects.Objects.put

    def put(self, *arguments, **named):
        assert under_way.acquire(blocking=False)
        try:
            return really(self, *arguments, **named)
        finally:
            under_way.release()

    monkeypatch.setattr(objects.Objects, "put", put)
    storage.swap(files)


def test_in_a_survey_nothing_is_listed_twice_until_a_lock_is_taken(storage, monkeypatch):
    storage.write_whole(storage.root / "a/1.json", b"")
    another(storage)  # which shares nothing
    with storage.survey():
        assert [path.name for path in storage.find("a/*")] == ["1.json"]
        another(storage).write_whole(storage.root / "a/2.json", b"")
        assert [path.name for path in storage.find("a/*")] == ["1.json"]
        with storage.lock(LAKE_LOCK, waiting=told):
            assert [path.name for path in storage.find("a/*")] == ["1.json", "2.json"]
    assert storage.find("a/*")
    another(storage).write_whole(storage.root / "a/3.json", b"")
    assert [path.name for path in storage.find("a/*")] == ["1.json", "2.json", "3.json"]


def test_a_survey_ends_when_each_of_those_at_the_same_time_has_ended(storage):
    first, second = storage.survey(), storage.survey()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert storage.find("a/*") == []
    another(storage).write_whole(storage.root / "a/1.json", b"")
    assert [path.name for path in storage.find("a/*")] == ["1.json"]


def test_a_survey_tells_what_was_put_in_its_place_under_a_lock(storage):
    files = staged(storage, "1.parquet", "2.parquet")
    with storage.survey(), storage.lock(LAKE_LOCK, waiting=told):
        storage.swap(files)
        assert all(map(storage.exists, files.values()))


def test_what_is_listed_while_something_is_put_is_listed_again(storage, monkeypatch):
    really = objects.Objects._asked

    def asked(self, key, ask):
        answer = really(self, key, ask)
        monkeypatch.setattr(objects.Objects, "_asked", really)
        storage.write_whole(storage.root / "a/1.json", b"")  # by another thread
        return answer

    with storage.survey():
        monkeypatch.setattr(objects.Objects, "_asked", asked)
        storage._objects.level("data/lake/a")
        assert storage._objects.level("data/lake/a")[1]


def test_many_files_that_duckdb_reads_by_name_are_listed_with_one_request(storage, monkeypatch):
    for day in range(10, 30):
        storage.write_whole(storage.root / f"a/day=2026-01-{day}/a.csv", b"1\n")
    names = ", ".join(f"'{storage.root}/a/day=2026-01-{day}/a.csv'" for day in range(10, 30))
    with duckdb.connect() as connection:
        storage.admit(connection)
        asked = counted(monkeypatch, "below", "head")
        (found,) = connection.execute(f"select count(*) from read_csv([{names}], header = false)").fetchall()
    assert found == (20,)
    assert asked == [("below", "a")]


def test_a_file_beside_all_folders_of_the_lake_is_found_without_what_is_in_them(storage, monkeypatch):
    storage.write_whole(storage.root / "a.csv", b"1\n")
    storage.write_whole(storage.root / "raw/1.json", b"")
    with duckdb.connect() as connection:
        storage.admit(connection)
        asked = counted(monkeypatch, "below", "head", "level")
        (found,) = connection.execute(f"select * from read_csv('{storage.root}/a.csv', header = false)").fetchall()
    assert found == (1,)
    assert asked == [("level", "lake")]


@pytest.mark.parametrize("most", [2**20, 8])
def test_what_another_has_replaced_since_it_was_listed_is_read_as_it_is_now(storage, monkeypatch, most):
    monkeypatch.setattr(object_files, "SMALL", most)
    storage.write_whole(storage.root / "a/1.csv", b"1\n" * 10)
    select = f"select count(*) from read_csv('{storage.root}/a/*.csv', header = false)"
    with storage.survey(), duckdb.connect() as connection:
        assert storage.find("a/*")
        another(storage).write_whole(storage.root / "a/1.csv", b"1\n" * 20)
        storage.admit(connection)
        assert connection.execute(select).fetchall() == [(20,)]
