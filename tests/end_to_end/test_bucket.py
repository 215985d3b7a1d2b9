"""A lake in a bucket: what the commands make of it is what they make on a disk, killed or not."""

import sys
from datetime import date, datetime

import buckets
import pytest
from demonstration import outside, shell
from faulty_store import CUT, way_to
from processes import CLONE
from truth import A_THIRD_FAULTY, follow

from engagement_pipeline import pipeline
from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.extract import puller
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import object_lock, objects, raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import client

FIRST, LAST = date(2026, 1, 30), date(2026, 1, 31)
TYPES = "impressions engagements"


class Killed(BaseException):
    """What no code catches."""


@pytest.fixture
def chosen(world, in_bucket, monkeypatch):
    for variable, value in (world.environment | {"ENGAGEMENT_DATA": str(in_bucket), "ENGAGEMENT_TYPES": TYPES}).items():
        monkeypatch.setenv(variable, value)
    return world.settings(data=str(in_bucket), types=TYPES)


def run(chosen):
    outcome = pipeline.run(chosen, prepare(chosen, FIRST, LAST))
    assert outcome.failure is None


def rows(lake, *names):
    """Return the rows of tables."""
    return {name: catalog.query(lake, f"from {name} order by all").to_pylist() for name in names}


def test_the_tables_are_those_of_a_lake_on_a_disk(world, chosen):
    on_disk = world.settings(types=TYPES)
    for each in (chosen, on_disk):
        run(each)
    names = [table.name for table in TABLES.values() if table.name != "requests"]  # which has how long each took
    here, there = (rows(Lake(each.data), *names) for each in (chosen, on_disk))
    assert here == there
    assert here["engagements"]
    assert len(rows(Lake(chosen.data), "requests")["requests"]) == 3


@pytest.mark.s3
def test_the_demo_fills_a_bucket_with_the_tables_that_it_has_on_a_disk(in_bucket, tmp_path):
    on_disk = tmp_path / "disk"
    for folder, place in ((on_disk, {}), (tmp_path / "staged", {"ENGAGEMENT_DATA": str(in_bucket)})):
        done = shell(f"{sys.executable} -m engagement_pipeline demo --data {folder}", cwd=CLONE, env=outside() | place)
        assert done.returncode == 0, done.stderr
    names = [table.name for table in TABLES.values() if table.name != "requests"]
    here, there = (to_the_minute(rows(Lake(place), *names)) for place in (in_bucket, on_disk))
    assert here == there
    assert here["engagements"]


def to_the_minute(tables):
    """Return tables with moments to the minute, sorted, without the names of responses, which have their moments.

    What is sent at once ends in any order.
    """
    return {
        name: sorted(
            ({column: minute_of(value) for column, value in row.items() if column != "source"} for row in found),
            key=repr,
        )
        for name, found in tables.items()
    }


def minute_of(value):
    return value.replace(second=0, microsecond=0) if isinstance(value, datetime) else value


@pytest.mark.s3
def test_a_rebuild_gives_the_same_rows_and_a_missing_day_comes_back(chosen):
    run(chosen)
    lake = Lake(chosen.data)
    before = rows(lake, "engagements", "daily")
    (path, _) = lake.storage.find("engagements/*/*.parquet")
    lake.storage.remove(path)
    pipeline.rebuild(chosen)
    assert rows(lake, "engagements", "daily") == before


@pytest.mark.s3
def test_prune_removes_raw_and_no_row(chosen, world):
    run(chosen)
    before = rows(Lake(chosen.data), "engagements")
    later = world.settings(data=str(chosen.data), now="2027-01-01")
    pipeline.drop(later, pipeline.spent(later))
    assert Lake(chosen.data).storage.find("raw/*/*/*") == []
    assert rows(Lake(chosen.data), "engagements") == before


@pytest.mark.s3
def test_a_tweet_is_forgotten(chosen, engagement):
    run(chosen)
    tweet = rows(Lake(chosen.data), "engagements")["engagements"][0]["tweet_id"]
    code, _, lines = engagement("forget", str(tweet), "--yes")
    assert (code, lines) == (0, [])
    counts = catalog.query(Lake(chosen.data), "select distinct tweet_id from daily").to_pylist()
    assert tweet not in {row["tweet_id"] for row in counts}
    assert len(counts) == 5


@pytest.mark.s3
@pytest.mark.parametrize(
    "command", [("status",), ("doctor",), ("sql", "from daily"), ("catalog",), ("upgrade",), ("prune",)]
)
def test_each_command_takes_the_place(chosen, engagement, command):
    run(chosen)
    code, shown, lines = engagement(*command)
    assert (code, lines) == (0, [])
    assert "s3:/l" not in shown


def test_a_lake_that_there_is_not_is_told_by_its_place(chosen, failed):
    assert failed("sql", "from daily") == (
        2,
        f"there is no lake in {chosen.data}: pull first, or name one in ENGAGEMENT_DATA",
    )


def changes(monkeypatch, number=None):
    """Count what changes the store; from the call with a number on, nothing does, as if the process were killed."""
    made = []
    for name in ("put", "copy", "delete"):
        really = getattr(objects.Objects, name)

        def call(self, *arguments, really=really, name=name, **named):
            made.append(name)
            if number and len(made) >= number:
                raise Killed
            return really(self, *arguments, **named)

        monkeypatch.setattr(objects.Objects, name, call)
    return made


@pytest.mark.s3
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9])
def test_killed_before_any_change_of_the_store_the_next_run_ends_with_the_same_rows(chosen, world, monkeypatch, share):
    whole = world.settings(data=f"{chosen.data}-whole", types=TYPES)
    with monkeypatch.context() as patch:
        made = changes(patch)
        run(whole)
    with monkeypatch.context() as patch:
        changes(patch, int(len(made) * share) + 1)
        with pytest.raises(Killed):
            run(chosen)
    monkeypatch.setattr(object_lock, "_is_dead", lambda _: True)
    objects.objects(chosen.data.bucket).seen.clear()
    objects.objects(chosen.data.bucket).lines.clear()
    before = landed(chosen)
    run(chosen)
    assert rows(Lake(chosen.data), "engagements", "daily") == rows(Lake(whole.data), "engagements", "daily")
    assert before <= landed(chosen)


def landed(chosen):
    """Return the names of all responses that count."""
    found = raw.all_pulls(Lake(chosen.data))
    return {path.path.name for pull in found for path in pull.landed()}


# A store that fails.


@pytest.fixture
def way(chosen, store, monkeypatch):
    """The way to the store, which fails as it is told; whoever could not give its lock back has ended."""
    monkeypatch.setattr(object_lock, "_is_dead", lambda _: True)
    (variable,) = buckets.ENDPOINTS & {*store}
    with way_to(store[variable]) as (address, way):
        monkeypatch.setenv(variable, address)
        yield way


FAULTS = {
    "read-only": ("PUT", 403, "AccessDenied", "these credentials may not do that"),
    "expired": ("GET", 400, "ExpiredToken", "the credentials have expired: renew them"),
    "expired, at a look": ("HEAD", 400, "", "the credentials have expired or are wrong"),
    "full": ("PUT", 403, "QuotaExceeded", "the bucket is full: make room"),
    "another region": ("GET", 400, "AuthorizationHeaderMalformed", "the bucket lies in another region"),
    "no bucket": ("GET", 404, "NoSuchBucket", "there is no such bucket"),
    "no container": ("GET", 404, "ContainerNotFound", "there is no such container"),
    "wrong key": ("GET", 403, "AuthenticationFailed", "the key or token is wrong or has expired"),
    "nothing is replaced": ("PUT", 409, "BlobImmutableDueToPolicy", "lets nothing be replaced"),
}


@pytest.mark.s3
@pytest.mark.parametrize("after", [0, 30])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_refuses_is_told_in_one_line_and_nothing_that_landed_is_lost(
    chosen, way, engagement, fault, after
):
    method, status, code, words = FAULTS[fault]
    way.fault = lambda number, asked, _: (status, code) if number > after and asked == method else None
    pull = ("pull", "--from", str(FIRST), "--to", str(LAST))
    exit_code, shown, lines = engagement(*pull)
    assert exit_code == 1
    (line,) = lines
    assert line.startswith(f"{chosen.data.bucket}/")
    assert words in line
    assert "damaged" not in line
    assert not any(found in shown + line for found in ("Traceback", "AKIA", "wJalr"))
    way.fault = lambda *_: None
    before = landed(chosen) if Lake(chosen.data).storage.exists(Lake(chosen.data).raw) else set()
    assert engagement(*pull)[0] == 0
    assert before <= landed(chosen)
    assert len(rows(Lake(chosen.data), "tweets")["tweets"]) == 6


@pytest.mark.s3
def test_an_object_that_was_half_uploaded_is_put_again(chosen, way, world):
    way.fault = lambda number, asked, _: CUT if number % 3 == 0 and asked == "PUT" else None
    run(chosen)
    on_disk = world.settings(types=TYPES)
    run(on_disk)
    assert way.cut > 5
    assert rows(Lake(chosen.data), "engagements", "daily") == rows(Lake(on_disk.data), "engagements", "daily")


@pytest.mark.s3
def test_an_api_and_a_store_that_fail_at_once_give_what_sound_ones_give(chosen, way, world, monkeypatch):
    """A third of the answers are faulty, one request to the store in ten fails, and one put in nine is cut off."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 1e-6)
    monkeypatch.setitem(vars(HISTORICAL), "max_tweets", 2)
    monkeypatch.setattr(puller, "BODIES_TRIED", 10)
    follow(world, (12, 8, 4))
    calm = {"tries": "20", "patience_minutes": "5", "requests_per_minute": "100000", "types": TYPES}
    on_disk = world.settings(**calm)
    run(on_disk)
    sound = len(world.emulator.requests)
    world.emulator.faults.set(**A_THIRD_FAULTY)
    way.fault = lambda number, asked, _: (
        CUT if number % 9 == 0 and asked == "PUT" else (503, "SlowDown") if number % 10 == 0 else None
    )
    in_bucket = world.settings(**calm, data=str(chosen.data))
    run(in_bucket)
    assert way.cut > 5
    assert len(world.emulator.requests) > 2 * sound
    assert measured(in_bucket) == measured(on_disk) != []


def measured(chosen):
    """Return the counts that are not zero: an hour that the API left out is no row."""
    return catalog.query(Lake(chosen.data), "from engagements where count <> 0 order by all").to_pylist()


@pytest.mark.s3
def test_one_request_in_ten_that_fails_is_asked_again(chosen, way):
    way.fault = lambda number, *_: (503, "SlowDown") if number % 10 == 0 else None
    run(chosen)
    assert rows(Lake(chosen.data), "engagements")["engagements"]
