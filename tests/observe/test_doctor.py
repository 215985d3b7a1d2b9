"""What the doctor finds, what it passes over, and that a look changes nothing and keeps nobody waiting."""

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import TYPES, WINDOW, at, begin, full, land, observed, pulled, totals
from histories import FIRST, SECOND, forget
from processes import CLONE
from tables import contents, file_of, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.model import Exchange, Request
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.core.tables import ENGAGEMENTS, TWEETS
from engagement_pipeline.lake import forgotten, raw, request_log
from engagement_pipeline.lake.clock import newest
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.observe import doctor, doctor_files, doctor_raw, patient
from engagement_pipeline.publish import erasure
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog, seal
from engagement_pipeline.transport import private_file, rotation

NOW = at(0) + timedelta(days=30)
AHEAD = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def lived(history):
    """A lake with a past, its catalogue, and the list of its Tweets and of its requests."""
    history.requests.mkdir()
    (history.requests / "2026-02.jsonl").touch()
    pq.write_table(TWEETS.schema.empty_table(), history.tweets)
    catalog.refresh(history)
    return history


def pruning(lake):
    """Return settings that keep raw for a week."""
    return Settings(data=lake.root, accounts=lake.root / "accounts.toml", keep_raw_days=7)


def found(lake, *, now=NOW, settings=None):
    """Return the findings by kind."""
    chosen = settings or Settings(data=lake.root, accounts=lake.root / "accounts.toml")
    return {finding.kind: finding for finding in doctor.examine(lake, chosen, now=now).findings}


def listed(lake):
    return {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}


def test_a_lake_with_a_past_is_whole(lived):
    assert found(lived) == {}


def test_a_look_writes_nothing(lived):
    lived.rows(ENGAGEMENTS, FIRST).unlink()
    before = listed(lived)
    assert found(lived)
    assert listed(lived) == before


def test_a_removal_of_tweets_that_was_stopped_goes_on_with_a_command(lived):
    forgotten.save(lived, forgotten.load(lived).begun([1]))
    assert found(lived)["forgotten"].fix == "engagement forget --yes"
    erasure.resume(lived, now=NOW)
    assert found(lived) == {}


def test_where_nobody_can_tell_which_tweets_are_forgotten_no_pull_begins(lived):
    lived.forgotten.write_text("{")
    assert "no pull begins" in found(lived)["forgotten"].meaning


def test_a_pull_that_was_pruned_is_no_fault(lived):
    forget(lived, raw.all_pulls(lived, HISTORICAL)[0])
    assert found(lived, settings=pruning(lived)) == {}


def test_a_pull_that_is_too_young_to_be_pruned_is_missing_though_no_older_one_is_there(lived):
    forget(lived, raw.all_pulls(lived, HISTORICAL)[0])
    assert found(lived)["missing_response"].fix == "engagement pull --from 2026-01-01 --to 2026-01-02"


def test_a_response_that_was_deleted_by_hand_is_missing_though_it_was_the_only_one(lived):
    shutil.rmtree(lived.raw / "historical")
    assert "missing_response" in found(lived)


def test_a_pull_that_is_gone_while_an_older_one_stays_was_not_pruned(lived):
    forget(lived, [*raw.all_pulls(lived, HISTORICAL)][2])
    finding = found(lived)["missing_response"]
    assert finding.fix == "engagement pull --from 2026-01-02 --to 2026-01-03"


@pytest.mark.parametrize("name", ["daily/2026-13.parquet", "engagements/day=2026-02-30/engagements.parquet"])
def test_a_file_of_a_day_or_month_that_there_is_not_is_a_stranger(lived, name):
    path = lived.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(next(lived.root.glob(f"{name.partition('/')[0]}/**/*.parquet")).read_bytes())
    assert found(lived)["stranger"].path in {path, path.parent}


def test_days_that_follow_one_another_are_one_finding(lived):
    for day in (FIRST, SECOND):
        lived.rows(ENGAGEMENTS, day).unlink()
    finding = found(lived)["missing_rows"]
    assert "and of each day to 2026-01-02; " in str(finding)
    assert finding.fix == "engagement rebuild --table engagements --from 2026-01-01 --to 2026-01-02"


@pytest.mark.parametrize(("kind", "count"), [("rows", 40), ("coverage", 40), ("coverage", 10)])
def test_an_older_copy_of_a_file_is_named_and_made_anew(lived, kind, count):
    older = file_of(lived, kind, FIRST)
    content = older.read_bytes()
    pulled(lived, full([1], count, types=TYPES[:1]), at(6))
    publish_pulls(lived)
    before = contents(lived)
    older.write_bytes(content)
    assert found(lived)["older_copy"].fix == (
        "engagement rebuild --table engagements --from 2026-01-01 --to 2026-01-01"
    )
    rebuilt(lived)
    assert (found(lived), contents(lived)) == ({}, before)


def test_an_older_copy_of_lifetimes_is_named_and_made_anew(lived):
    day = at(0).date()
    older = lived.rows(TOTALS.table, day)
    content = older.read_bytes()
    observed(lived, TOTALS, totals({(1, "favorites"): 9}), at(3), tweets=[1])
    publish_pulls(lived)
    older.write_bytes(content)
    assert found(lived)["older_copy"].fix == "engagement rebuild --table totals --from 2026-02-01 --to 2026-02-01"
    rebuilt(lived)
    assert found(lived) == {}


@pytest.mark.parametrize(
    ("folder", "copy"),
    [
        ("engagements/day=2026-01-01", "engagements/day=2026-01-09"),
        ("totals/observed_on=2026-02-01", "totals/observed_on=2026-02-09"),
        pytest.param(
            "totals/observed_on=2026-02-01", "totals/observed_on=2026-01-01", marks=pytest.mark.faults, id="back"
        ),
        ("coverage/endpoint=historical/day=2026-01-01", "coverage/endpoint=historical/day=2026-01-09"),
    ],
)
def test_a_copy_of_a_day_under_the_name_of_another_is_named_and_goes(lived, folder, copy):
    before = contents(lived)
    shutil.copytree(lived.root / folder, lived.root / copy)
    finding = found(lived)["damaged"]
    assert "(it holds rows of other days); queries over" in str(finding)
    assert " find rows twice" in finding.meaning
    rebuilt(lived)
    assert (lived.root / copy).is_dir()
    subprocess.run(finding.fix.partition(" && engagement ")[0], shell=True, check=True)
    rebuilt(lived)
    assert (found(lived), contents(lived)) == ({}, before)


def test_a_day_of_which_there_are_rows_alone_is_made_whole(lived):
    for pull in raw.all_pulls(lived, HISTORICAL):
        forget(lived, pull)
    lived.coverage(HISTORICAL, FIRST).unlink()
    lived.coverage(HISTORICAL, FIRST).parent.rmdir()
    assert found(lived)["missing_coverage"].fix.startswith("engagement rebuild --table engagements --from 2026-01-01 ")
    rebuilt(lived)
    assert found(lived, settings=pruning(lived)) == {}


def test_rows_that_are_in_no_response_any_more_are_asked_for_again(lived):
    for pull in raw.all_pulls(lived, HISTORICAL):
        forget(lived, pull)
    lived.rows(ENGAGEMENTS, FIRST).unlink()
    assert found(lived)["missing_rows"].fix == (
        "engagement rebuild --table engagements --from 2026-01-01 --to 2026-01-01; "
        "engagement pull --from 2026-01-01 --to 2026-01-01"
    )


def test_a_damaged_file_of_revisions_is_made_again(lived):
    path = next(lived.root.glob("revisions/*/*.parquet"))
    path.write_bytes(b"no parquet")
    assert found(lived)["damaged"].fix == "engagement rebuild"
    rebuilt(lived)
    assert found(lived) == {}


def test_a_damaged_file_of_revisions_that_raw_cannot_give_is_kept_beside_the_lake(lived):
    path = next(lived.root.glob("revisions/*/*.parquet"))
    path.write_bytes(b"no parquet")
    forget(lived, next(pull for pull in raw.all_pulls(lived, HISTORICAL) if lived.revisions(pull) == path))
    assert found(lived)["damaged"].fix.startswith(f"mkdir -p {lived.root}.apart/")


def test_a_pull_that_stopped_is_named_unless_a_process_is_at_work(lived):
    land(begin(lived, at(6)), full([1], 5))
    assert found(lived)["unpublished"].meaning == "it was not finished"
    with lived.locked("pull", "a test"):
        assert found(lived) == {}


def test_a_pull_that_ended_just_now_may_wait_for_the_next_step_of_its_run(lived):
    pulled(lived, full([1], 5), NOW)
    (lived.requests / f"{NOW:%Y-%m}.jsonl").touch()
    assert found(lived, now=NOW + timedelta(minutes=9)) == {}
    assert (
        found(lived, now=NOW + timedelta(minutes=11))["unpublished"].fix
        == "engagement pull --from 2026-01-01 --to 2026-01-02"
    )


def test_what_a_publication_is_about_to_put_right_is_not_told(lived, monkeypatch):
    path = lived.rows(ENGAGEMENTS, FIRST)
    content = path.read_bytes()
    path.unlink()
    look = doctor.CHECKS["missing_rows"]

    def and_then_it_comes(patient):
        yield from list(look(patient))
        path.write_bytes(content)

    monkeypatch.setitem(doctor.CHECKS, "missing_rows", and_then_it_comes)
    assert found(lived) == {}


def test_what_a_killed_process_left_is_named_unless_a_process_is_at_work(lived):
    lived.staging.mkdir()
    assert found(lived)["leftover"].fix == f"flock {lived.root}/.lake.lock rm -r {lived.staging}"
    with lived.locked("lake", "a test"):
        assert found(lived) == {}
    subprocess.run(found(lived)["leftover"].fix, shell=True, check=True)
    assert found(lived) == {}


def test_a_lock_is_seen_to_be_held_and_is_free_afterwards(lived):
    assert not lived.storage.busy("lake")
    with lived.locked("lake", "a test"):
        assert lived.storage.busy("lake")
    assert not lived.storage.busy("lake")


@pytest.mark.parametrize("followed", [True, False])
def test_lost_rows_of_a_tweet_that_is_followed_are_told_until_they_are_pulled(tmp_path, followed):
    lake = Lake(tmp_path / "lake")
    pull = pulled(lake, full([1], 10), at(1))
    publish_pulls(lake)
    pq.write_table(pa.table([[1], ["ann"], [at(0)], [followed]], schema=TWEETS.schema), lake.tweets)
    forget(lake, pull)
    lake.rows(ENGAGEMENTS, FIRST).unlink()
    rebuilt(lake)
    assert (found(lake).get("lost_rows") is not None) is followed
    pulled(lake, full([1], 10), at(2))
    publish_pulls(lake)
    assert "lost_rows" not in found(lake)


def test_a_clock_that_is_behind_the_newest_response(lived):
    assert "timedatectl" in found(lived, now=at(0) - timedelta(days=2))["clock"].fix


def test_a_clock_that_is_behind_the_newest_request_though_raw_is_gone(lived):
    asked = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), window=None, types=())
    request_log.write(lived, Exchange(request=asked, asked_at=AHEAD, status=200, tries=1, size=9, seconds=0.1))
    assert found(lived)["clock"].what.endswith("before the newest request of the lake, 2999-01-01 00:00:00 (UTC)")


def test_the_way_out_of_a_clock_that_was_ahead_leaves_no_time_of_the_future_and_brings_nothing_back(lived, tmp_path):
    """As the page on upkeep has it."""
    forgotten.save(lived, forgotten.load(lived).begun([77]).finished(NOW))
    before = contents(lived)
    pulled(lived, full([1, 2], 99), AHEAD)
    publish_pulls(lived)
    lived.root.rename(tmp_path / "data")
    page = (CLONE / "docs" / "upkeep.md").read_text().partition("### A clock that was ahead")[2]
    commands = page.partition("```bash\n")[2].partition("ENGAGEMENT_DATA")[0]
    subprocess.run(["bash", "-ec", commands], cwd=tmp_path, check=True)
    made = Lake(tmp_path / "data.new")
    rebuilt(made)
    assert contents(made) == before
    assert newest(made) < NOW
    assert forgotten.load(made).among([1, 77]) == {77}


@pytest.mark.parametrize("error", [pa.ArrowMemoryError, duckdb.OutOfMemoryException])
def test_a_file_that_the_memory_is_too_small_for_is_not_called_damaged(lived, monkeypatch, error):
    def lacking(*_):
        raise error("malloc failed")

    monkeypatch.setattr("engagement_pipeline.observe.looks.plausible", lacking)
    with pytest.raises(error):
        found(lived)


def test_a_disk_that_the_next_publication_would_fill(lived, monkeypatch):
    monkeypatch.setattr(type(lived.storage), "free", lambda _: 1_000_000)
    assert found(lived)["room"].what.endswith("has 1 MB left")


def test_a_publication_needs_room_for_the_sums_of_its_days_unpacked_too(lived, monkeypatch):
    staged = sum(path.stat().st_size for name in ("engagements", "daily") for path in (lived.root / name).rglob("*.*"))
    sums = max(pq.read_metadata(path).num_rows for path in (lived.root / "daily").iterdir())
    for free, short in ((staged, True), (staged + 21 * sums, False)):
        monkeypatch.setattr(type(lived.storage), "free", lambda _, free=free: doctor_files.FLOOR + free)
        assert ("room" in found(lived)) == short


def test_on_a_read_only_file_system_no_right_is_asked_for(lived, monkeypatch):
    monkeypatch.setattr(type(lived.storage), "is_read_only", lambda _: True)
    monkeypatch.setattr("engagement_pipeline.lake.storage.os.access", lambda _, wanted: not wanted & os.W_OK)
    told = doctor.examine(lived, Settings(data=lived.root), now=NOW, audit=None).findings
    assert [(finding.path, "chmod" in str(finding)) for finding in told] == [(lived.root, False)]
    assert "read-only" in told[0].what


@pytest.mark.parametrize(("mode", "kinds"), [(0o600, set()), (0o640, {"accounts"}), (0o604, {"accounts"})])
def test_tokens_that_others_can_read(lived, mode, kinds):
    accounts = lived.root / "accounts.toml"
    accounts.touch()
    accounts.chmod(mode)
    assert found(lived).keys() == kinds


@pytest.mark.parametrize(("hours", "kinds"), [(2.9, set()), (3.1, {"accounts"})])
def test_new_tokens_that_a_killed_refresh_has_left_are_told_once_it_can_be_none_that_goes_on(lived, hours, kinds):
    waiting = private_file.beside(lived.root / "accounts.toml", rotation.WORK)
    waiting.write_text("{}")
    then = NOW.timestamp() - 3600 * hours
    os.utime(waiting, (then, then))
    assert {kind for kind in found(lived) if kind == "accounts"} == kinds


@pytest.mark.parametrize("name", ["daily/2026-01.parquet", "raw", "lake.json"])
def test_what_every_user_may_change(lived, name):
    path = lived.root / name
    path.chmod(path.stat().st_mode | 0o002)
    (finding,) = found(lived).values()
    assert finding.kind == "open_to_all"
    assert finding.path == path
    subprocess.run(finding.fix, shell=True, check=True)
    assert found(lived) == {}


@pytest.mark.parametrize(("content", "fix"), [('{"format": 1}', "engagement upgrade"), ('{"format": 99}', "upgrade")])
def test_another_format_is_told_and_nothing_else_is_looked_at(lived, content, fix):
    (lived.root / "lake.json").write_text(content)
    (lived.root / "stray").touch()
    assert [*found(lived)] == ["format"]
    assert found(lived)["format"].fix.startswith(fix)


def test_the_roster_and_the_accounts_in_the_lake_are_the_users(lived):
    (lived.root / "mine").mkdir()
    (lived.root / "mine" / "roster.csv").touch()
    (lived.root / "keys.toml").touch(mode=0o600)
    (lived.root / "keys.toml.lock").touch()
    chosen = Settings(data=lived.root, accounts=lived.root / "keys.toml", tweets=f"{lived.root}/mine/*.csv")
    assert found(lived, settings=chosen) == {}
    assert found(lived, settings=replace(chosen, tweets="")).keys() == {"stranger"}


def test_a_lake_in_the_lake_is_no_stranger(lived):
    Lake(lived.root / "demo").open()
    assert found(lived) == {}


@pytest.mark.parametrize(
    "name",
    [
        "engagements/day=2026-02-30/engagements.parquet",
        "engagements/day=2026-01-01 copy/engagements.parquet",
        "coverage/endpoint=historical copy/day=2026-01-01/coverage.parquet",
        "totals/observed_on=2026-02-01/totals (1).parquet",
        "raw/historical/2026-01-01_2026-01-02/20260201T010000.000000Z copy/pull.json",
        "requests/2026-02.jsonl.sync-conflict",
        "requests/2026-00.jsonl",
        "raw/historical/2026-01-01_2026-01-02/20269901T010000.000000Z/pull.json",
        ".DS_Store",
    ],
)
def test_a_stranger_anywhere(lived, name):
    path = lived.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (finding,) = found(lived).values()
    assert finding.kind == "stranger"
    assert path.is_relative_to(finding.path)


def test_a_catalogue_of_another_place(lived, tmp_path):
    lived.catalog.unlink()
    catalog.elsewhere(lived, root=tmp_path / "there", output=lived.catalog)
    assert "it was written for another place" in found(lived)["catalogue"].what


def test_a_catalogue_of_another_version(lived, monkeypatch):
    monkeypatch.setattr(seal, "all_macros", lambda: ("another",))
    assert "another version of this program wrote it" in found(lived)["catalogue"].what


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_what_raw_can_make_again_costs_no_request_though_rows_and_coverage_are_gone(lived, damage):
    damage(lived.rows(ENGAGEMENTS, FIRST))
    damage(lived.coverage(HISTORICAL, FIRST))
    chosen = Settings(data=lived.root, accounts=lived.root / "accounts.toml")
    fixes = {finding.fix for finding in doctor.examine(lived, chosen, now=NOW).findings}
    assert {fix.split(" --")[0] for fix in fixes} == {"engagement rebuild"}


def test_the_command_prints_a_line_a_finding_and_fails(in_world, engagement):
    assert engagement("pull", "--from", "2026-01-30", "--to", "2026-01-31")[0] == 0
    code, said, told = engagement("doctor")
    assert (code, told) == (0, [])
    assert said.startswith("the lake is whole: 2 days (2026-01-30 to 2026-01-31, no gap), ")
    stray = in_world.lake / "a\nstray"
    stray.touch()
    code, said, told = engagement("doctor")
    assert (code, told) == (1, ["the lake is not whole: 1 finding, see above"])
    assert len(said.splitlines()) == 1


def test_the_command_speaks_json(in_world, engagement):
    assert engagement("pull", "--from", "2026-01-30", "--to", "2026-01-31")[0] == 0
    Lake(in_world.lake).daily(WINDOW.first).unlink()
    code, said, _ = engagement("doctor", "--quick", "--json")
    answer = json.loads(said)
    assert (code, answer["whole"], answer["days"]) == (1, False, 2)
    finding = answer["findings"][0]
    assert finding["kind"] == "sums_apart"
    assert finding["fix"] == "engagement rebuild --table engagements --from 2026-01-01 --to 2026-01-31"


def test_without_a_lake_the_command_says_so(failed, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "none"))
    code, line = failed("doctor")
    assert (code, line.split(":")[0]) == (2, f"there is no lake in {tmp_path}/none")


def test_as_many_files_are_read_at_a_time_as_the_setting_workers_says(lived, monkeypatch):
    read, threads = [], []
    ask = "select current_setting('threads')"
    monkeypatch.setattr(LocalStorage, "admit", lambda _, connection: threads.extend(connection.execute(ask).fetchone()))
    for module in (patient, doctor_raw):
        monkeypatch.setattr(module, "ThreadPoolExecutor", lambda most: read.append(most) or ThreadPoolExecutor(most))
    doctor.examine(lived, Settings(data=lived.root, workers=3), now=NOW)
    assert {*read} == {*threads} == {3}
