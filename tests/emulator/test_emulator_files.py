"""The emulator writes over its own files alone: an accounts.toml may be the only copy of somebody's tokens."""

from datetime import timedelta

import pytest
from emulator_client import NOW

from engagement_pipeline.emulator import Credentials, Emulator, World, serve

MINE = '[app]\nconsumer_key = "mine"\nconsumer_secret = "mine too"\n'
LEFT = r"\A[^\n]*/{name} holds what the emulator did not write, so it is left as it is: [^\n]*\Z"
ROSTER = "tweet_id,handle\n1890000000000000001,my_brand\n"


@pytest.fixture
def accounts(tmp_path):
    return tmp_path / "accounts.toml"


@pytest.fixture
def roster(tmp_path):
    return tmp_path / "tweets.csv"


def written(path, **options):
    World(now=NOW, **options).write_roster(path, foreign=True)
    return path.read_text()


@pytest.mark.parametrize("content", [MINE.encode(), b"[app", b"\xff\xfe"])
def test_accounts_that_it_did_not_write_are_left_as_they_are(accounts, content):
    accounts.write_bytes(content)
    with pytest.raises(FileExistsError, match=LEFT.format(name="accounts.toml")):
        Credentials.from_seed(1).write_accounts(accounts)
    assert accounts.read_bytes() == content


def test_its_own_accounts_that_somebody_has_changed_are_left_as_they_are(accounts):
    Credentials.from_seed(1).write_accounts(accounts)
    accounts.write_text(accounts.read_text() + '[accounts.mine]\naccess_token = "a"\naccess_token_secret = "b"\n')
    before = accounts.read_bytes()
    with pytest.raises(FileExistsError, match=LEFT.format(name="accounts.toml")):
        Credentials.from_seed(1).write_accounts(accounts)
    assert accounts.read_bytes() == before


@pytest.mark.parametrize("seed", [1, 2])
def test_its_own_accounts_are_written_anew_be_they_of_another_seed(accounts, seed):
    Credentials.from_seed(1).write_accounts(accounts)
    Credentials.from_seed(seed).write_accounts(accounts)
    assert Credentials.from_seed(seed).consumer_key in accounts.read_text()


def test_accounts_without_the_mark_that_are_the_same_are_its_own(accounts):
    Credentials.from_seed(1).write_accounts(accounts)
    marked = accounts.read_text()
    accounts.write_text(marked.partition("\n")[2])
    Credentials.from_seed(1).write_accounts(accounts)
    assert accounts.read_text() == marked


def test_accounts_of_before_there_was_a_client_are_its_own(accounts):
    Credentials.from_seed(2).write_accounts(accounts)
    whole = accounts.read_text()
    accounts.write_text("".join(line for line in whole.splitlines(keepends=True) if not line.startswith("client_")))
    Credentials.from_seed(1).write_accounts(accounts)
    assert Credentials.from_seed(1).client_id in accounts.read_text()


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_filled(accounts, roster, content):
    accounts.write_text(content)
    roster.write_text(content)
    Credentials.from_seed(1).write_accounts(accounts)
    assert written(roster)


@pytest.mark.parametrize(
    "content",
    [
        ROSTER,
        "tweet_id,handle,state\n1890000000000000001,harborbooks,ok\n",
        "tweet_id,handle,state\nnot a number,harborbooks,ok\n",
        "id\n1\n",
        "tweet_id,handle\n" + "9" * 5000 + ",harborbooks\n",
    ],
)
def test_a_roster_that_it_did_not_write_is_left_as_it_is(roster, content):
    roster.write_text(content)
    with pytest.raises(FileExistsError, match=LEFT.format(name="tweets.csv")):
        World(now=NOW).write_roster(roster)
    assert roster.read_text() == content


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "1890000000000000001,harborbooks,ok\n",
        lambda text: text.replace("harborbooks", "my_brand", 1),
        lambda text: text.replace("tweet_id,handle,state", "tweet_id,handle,campaign"),
    ],
)
def test_its_own_roster_that_somebody_has_added_to_is_left_as_it_is(roster, change):
    roster.write_text(change(written(roster)))
    before = roster.read_bytes()
    with pytest.raises(FileExistsError, match=LEFT.format(name="tweets.csv")):
        World(now=NOW).write_roster(roster)
    assert roster.read_bytes() == before


def test_its_own_roster_is_written_anew_on_another_day(roster):
    first = written(roster)
    World(now=NOW + timedelta(days=3)).write_roster(roster, foreign=True)
    assert roster.read_text() != first
    World(now=NOW).write_roster(roster, foreign=True)
    assert roster.read_text() == first


@pytest.mark.parametrize("mine", ["accounts", "tweets"])
def test_where_one_of_the_two_files_is_another_s_neither_is_written(tmp_path, mine):
    files = {"accounts": tmp_path / "accounts.toml", "tweets": tmp_path / "tweets.csv"}
    files[mine].write_text(MINE if mine == "accounts" else ROSTER)
    before = files[mine].read_bytes()
    with pytest.raises(FileExistsError, match=LEFT.format(name=files[mine].name)):
        serve(Emulator(now=NOW), **files)
    assert files[mine].read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [files[mine].name]
