"""The commands that write the roster, as somebody types them."""

import pytest
from archives import archive, tweet

ACCOUNTS = """[app]
consumer_key = "k"
consumer_secret = "s"

[accounts.harborbooks]
access_token = "1-t"
access_token_secret = "s"
"""


@pytest.fixture
def files(folder):
    """A folder with an accounts file, in which the roster is data/tweets."""
    (folder / "accounts.toml").write_text(ACCOUNTS, encoding="utf-8")
    (folder / "accounts.toml").chmod(0o600)
    return folder


def test_an_archive_is_taken_into_the_folder_of_the_roster(files, engagement):
    archive(files / "a.zip", tweet(1), tweet(2))
    code, out, errors = engagement("roster", "import", "a.zip")
    assert (code, errors) == (0, [])
    assert out == f"harborbooks: 2 new Tweets; 2 Tweets in {files}/data/tweets/harborbooks.synced.csv\n"
    assert engagement("roster", "import", "a.zip")[1].startswith("harborbooks: no new Tweet; 2 Tweets")


def test_a_file_that_is_no_archive_is_one_line(files, failed):
    (files / "a.zip").write_text("x", encoding="utf-8")
    code, line = failed("roster", "import", "a.zip")
    assert code == 2
    assert line.startswith("a.zip is not a whole zip")


def test_roster_alone_is_wrong_use(files, failed):
    code, line = failed("roster")
    assert code == 2
    assert line.endswith("see engagement roster --help")


@pytest.fixture
def synced(in_world, engagement):
    """A function that syncs a handle whose timeline is short, without a file of the roster."""
    in_world.roster.unlink()
    in_world.emulator.v2.faults.set(timeline_reach=10)
    return lambda *options: engagement("roster", "sync", "harborbooks", *options)


def asked(world):
    return world.emulator.v2.requests


def test_a_sync_tells_the_reads_and_their_price_and_then_what_it_found(synced, in_world):
    code, out, errors = synced("--yes")
    assert (code, errors) == (0, [])
    *told, found = out.splitlines()
    assert told == [
        "harborbooks      at most 3,200 reads: all that its timeline shows",
        "in all at most 3,200 reads",
        "where reads are billed: at most $3.20, at $0.001 for an own Tweet",
        "this month (UTC), with this sync:",
        "  requests   0 + 33 = 33",
        "  handles    0 + 0 = 0",
        "  Posts read 0 + 3,200 = 3,200",
    ]
    assert found.endswith(f"{in_world.roster.parent}/harborbooks.synced.csv")
    assert synced("--yes")[1].startswith("harborbooks      about 1, at most 3,200 reads: since Tweet ")


def test_what_a_timeline_sends_that_is_not_documented_is_told_by_one_sync(synced, in_world):
    in_world.emulator.v2.faults.set(unknown_keys=1)
    assert "/timeline now sends key `reach_class` in $.data[]; nothing reads it" in synced("--yes")[1]
    assert "now sends" not in synced("--yes")[1]


def test_a_price_of_one_s_own_stands_in_the_place_of_the_vendor_s(synced, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_PRICE_PER_READ", "0.005")
    *_, posts, _ = synced("--yes")[1].splitlines()
    assert posts == "  Posts read 0 + 3,200 = 3,200; 16.00 at 0.005 each"
    assert "$" not in synced("--yes")[1]


def test_without_a_terminal_nothing_is_asked_unless_yes_says_so(synced, in_world, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    code, out, (line,) = synced()
    assert code == 2
    assert out.startswith("harborbooks ")
    assert line.endswith("look at the reads above, and add --yes")
    assert asked(in_world) == []


@pytest.mark.parametrize(("answer", "asks"), [("n", False), ("", False), ("Y", True), ("yes", True)])
def test_on_a_terminal_nothing_is_asked_without_a_yes(synced, in_world, monkeypatch, answer, asks):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    code, out, _ = synced()
    assert code == 0
    assert bool(asked(in_world)) == asks
    assert ("nothing is read" in out) != asks


def test_a_timeline_that_fails_names_its_handle_and_keeps_what_came(synced, in_world):
    in_world.emulator.v2.faults.set(revoked_handles=["harborbooks"])
    code, _, (line,) = synced("--yes")
    assert code == 1
    assert line.startswith(
        "1 of 1 timelines are not read to their end, and what came is kept: harborbooks: account harborbooks: "
    )
