"""engagement forget: what it shows, when it removes, its receipt, and each wrong use in one line."""

import io
import json
import re
from pathlib import Path

import pytest
from archives import archive, tweet
from forgetting import GONE, LAST, NOW, lived, reported
from tables import counts

from engagement_pipeline import pipeline
from engagement_pipeline.extract import roster_synced
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import accounts


@pytest.fixture
def had(tmp_path, monkeypatch):
    """A lake with the Tweet; no catalogue is written, since its views would take most of the time."""
    monkeypatch.setattr(catalog, "refresh", lambda lake, **_: lake.catalog)
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "lake"))
    return lived(Lake(tmp_path / "lake"))


def tweets_of(lake):
    return {tweet for tweet, *_ in counts(lake)}


def test_without_a_terminal_and_without_yes_it_shows_what_would_go_and_removes_nothing(had, engagement):
    code, out, errors = engagement("forget", str(GONE))
    assert (code, errors) == (0, [])
    lines = out.splitlines()
    assert lines[0] == "1 Tweet to forget"
    assert "  responses    8 responses" in lines
    assert lines[-1] == "nothing is removed: engagement forget with --yes removes it for good"
    assert GONE in tweets_of(had)


def test_with_yes_it_prints_what_was_done_where_and_that_no_file_holds_it(had, engagement):
    code, out, errors = engagement("forget", str(GONE), "--yes")
    assert (code, errors) == (0, [])
    lines = out.splitlines()
    assert re.fullmatch(r"forgotten on 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\+00:00: 1 Tweet", lines[0])
    assert "  recent.parquet 1 rewritten" in lines
    assert "  raw          6 rewritten, 5 removed" in lines
    assert "of the lake: none holds them any more" in out
    (receipt,) = had.receipts.iterdir()
    assert f"receipt: {receipt}" in lines
    assert GONE not in tweets_of(had)


def test_a_person_reads_no_hash_and_the_receipt_that_is_kept_has_them(had, engagement):
    out = engagement("forget", str(GONE), "--yes")[1]
    assert not re.search("[0-9a-f]{32}", out)
    (receipt,) = had.receipts.iterdir()
    kept = json.loads(receipt.read_text())
    assert kept["tweets"] == [forgotten.load(had).hash_of(GONE)]
    assert kept["searched"]["holding"] == []


def test_a_report_that_shows_it_goes_with_the_command_that_writes_it_anew(had, engagement, tmp_path):
    path = reported(had, tmp_path / "january.html", shows=[GONE])
    assert "  reports      1 file" in engagement("forget", str(GONE))[1].splitlines()
    lines = engagement("forget", str(GONE), "--yes")[1].splitlines()
    assert f"  {path} 1 removed" in lines
    assert f"to write a report anew without them: engagement report ann 2026-01 --output {path}" in lines
    assert not path.exists()


def test_the_receipt_as_json_names_each_file_and_no_tweet(had, engagement):
    code, out, _ = engagement("forget", str(GONE), "--yes", "--json")
    receipt = json.loads(out)
    assert code == 0
    assert receipt["tweets"] == [forgotten.load(had).hash_of(GONE)]
    assert {"path", "before", "after"} == receipt["changes"][0].keys()
    assert receipt["searched"]["holding"] == []
    assert str(GONE) not in out


def test_a_file_of_somebody_else_that_names_it_is_told(had, failed, engagement):
    (had.root / "notes.txt").write_text(f"our best Tweet: {GONE}\n")
    code, out, lines = engagement("forget", str(GONE), "--yes")
    assert (code, len(lines)) == (1, 1)
    assert "still there: notes.txt" in out
    assert lines[0].startswith("1 file still holds a Tweet, or cannot be read: the receipt names them; mend or")


def test_a_file_names_the_tweets_an_id_a_line_with_or_without_quotes(had, engagement, tmp_path):
    (tmp_path / "ids.txt").write_text(f'"tweet_id"\n"{GONE}"\n\n{LAST}\n')
    assert engagement("forget", "--file", str(tmp_path / "ids.txt"), "--yes")[0] == 0
    assert tweets_of(had).isdisjoint({GONE, LAST})


@pytest.mark.parametrize(
    ("options", "told"), [((), "ids.csv names no Tweet: nothing to forget"), (("--json",), "null")]
)
def test_a_file_without_a_tweet_is_no_mistake_of_whoever_runs_it_daily(had, engagement, monkeypatch, options, told):
    monkeypatch.chdir(had.root.parent)
    Path("ids.csv").write_text('"tweet_id"\n')
    assert engagement("forget", "--file", "ids.csv", "--yes", *options) == (0, f"{told}\n", [])
    assert not had.receipts.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name the Tweets to forget, a handle, or a file of IDs; see engagement forget --help"),
        (("--file", "bad.txt"), "bad.txt:2: 'x' is no Tweet's ID: write one ID a line"),
        (("--file", "long.txt"), "long.txt:1: '99999999999999999999' is no Tweet's ID: write one ID a line"),
        (("--file", "none.txt"), "none.txt cannot be read: No such file or directory"),
        (("--handle", "nobody"), "the lake knows no Tweet of nobody: name the Tweets, or look at the handle"),
        (("1", "--json"), "--json prints the receipt, so it needs --yes"),
        (("9" * 20,), f"{'9' * 20} is no Tweet's ID: no ID has 64 bits"),
        (("x",), "argument TWEET: 'x' is not a whole number of at least 1"),
    ],
)
def test_wrong_use_is_one_line(had, failed, monkeypatch, arguments, told):
    monkeypatch.chdir(had.root.parent)
    Path("bad.txt").write_text("1\nx\n")
    Path("long.txt").write_text("9" * 5000)
    code, line = failed("forget", *arguments)
    assert code == 2
    assert line.startswith(told)


def test_a_handle_that_is_mistyped_is_answered_with_the_nearest(in_world, failed, engagement):
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 1)})
    assert engagement("pull", "--from", "2026-01-31", "--to", "2026-01-31")[0] == 0
    told = "the lake knows no Tweet of harborboks; did you mean harborbooks?"
    assert failed("forget", "--handle", "harborboks") == (2, told)


def test_a_removal_that_was_stopped_goes_on_without_a_name(had, engagement):
    forgotten.save(had, forgotten.load(had).begun([GONE]))
    assert engagement("forget", "--yes")[0] == 0
    assert GONE not in tweets_of(had)


def test_where_there_is_no_lake_none_is_made(tmp_path, monkeypatch, failed):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "none"))
    assert failed("forget", "1")[1].startswith("there is no lake in")
    assert not (tmp_path / "none").exists()


def test_a_tweet_of_the_roster_that_is_forgotten_is_left_out_of_each_pull_with_a_word(in_world, engagement):
    gone, stays = in_world.tweets("harborbooks", 2)
    in_world.follow({"harborbooks": [gone, stays]})
    days = ("--from", "2026-01-30", "--to", "2026-01-31")
    chosen = in_world.settings()
    planned_before = prepare(
        chosen, *(day.date() for day in (NOW.replace(month=1, day=30), NOW.replace(month=1, day=31)))
    )
    assert engagement("pull", *days)[0] == 0
    code, out, _ = engagement("forget", "--handle", "harborbooks")
    assert (code, out.splitlines()[0]) == (0, "2 Tweets to forget")
    assert engagement("forget", str(gone), "--yes")[0] == 0
    assert "  left out: 1 Tweet forgotten, and never asked for again\n" in engagement("plan", *days)[1]
    assert engagement("pull", *days)[0] == 0
    pipeline.run(chosen, planned_before)  # prepared before it was forgotten
    lake = Lake(in_world.lake)
    assert tweets_of(lake) == {stays}
    assert str(gone) not in "".join(path.read_text() for path in (lake.root / "requests").iterdir())
    assert catalog.query(lake, "select tweet_id from tweets").to_pylist() == [{"tweet_id": stays}]
    assert engagement("doctor")[1].startswith("the lake is whole")


class Terminal(io.StringIO):
    """A standard input at which somebody sits who types."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("typed", "goes"), [("yes\n", True), ("n\n", False), ("", False)])
def test_at_a_terminal_it_asks_and_only_a_yes_removes(had, engagement, monkeypatch, typed, goes):
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    code, out, errors = engagement("forget", str(GONE))
    assert (code, errors) == (0, [])
    assert "Forget 1 Tweet for good? Type yes: " in out
    assert (GONE not in tweets_of(had)) == goes


def test_a_tweet_goes_from_the_roster_that_the_program_wrote_and_no_import_brings_it_back(
    in_world, engagement, tmp_path
):
    kept, gone = in_world.tweets("harborbooks", 2)
    in_world.roster.unlink()
    token = accounts.load(in_world.settings().accounts).by_handle["harborbooks"].access_token
    packed = archive(tmp_path / "a.zip", tweet(kept), tweet(gone), user_id=token.partition("-")[0])
    taking_in = ("roster", "import", str(packed))
    assert engagement(*taking_in)[0] == 0
    (synced,) = roster_synced.files(in_world.settings().tweets)
    Lake(in_world.lake).open()
    assert "  roster       1 row" in engagement("forget", str(gone))[1].splitlines()
    assert f"  {synced} 1 rewritten" in engagement("forget", str(gone), "--yes")[1].splitlines()
    assert str(gone) not in synced.read_text()
    told = engagement(*taking_in)[1].splitlines()
    assert told == [
        f"harborbooks: no new Tweet; 1 Tweet in {synced}",
        "  left out: 1 Tweet forgotten, and never asked for again",
    ]
    assert str(gone) not in synced.read_text()


def test_a_file_of_the_roster_that_cannot_be_read_is_told(had, engagement, monkeypatch, tmp_path):
    monkeypatch.setenv("ENGAGEMENT_TWEETS", str(tmp_path / "tweets"))
    (tmp_path / "tweets").mkdir()
    (tmp_path / "tweets" / "ann.synced.csv").write_text("no columns\n")
    code, out, _ = engagement("forget", str(GONE), "--yes")
    assert code == 1
    assert f"not read: {tmp_path}/tweets/ann.synced.csv" in out
