"""Files of X that become rows of the roster: whose they are, and what is refused."""

import pytest
from archives import archive, tweet

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.extract import roster_import, roster_synced
from engagement_pipeline.lake.forgotten import Forgotten
from engagement_pipeline.transport.accounts import Account, Accounts, App

GONE = 99
ACCOUNTS = Accounts(
    App("key", "secret"),
    {"ann": Account("ann", "11-token", "secret"), "bob": Account("bob", "a token without an id", "secret")},
)


@pytest.fixture
def take_in(tmp_path):
    """Return a function that imports a file into a folder for the roster."""
    (tmp_path / "tweets").mkdir()

    def imported(path):
        gone = Forgotten(key=b"key").begun([GONE])
        return roster_import.from_file(path, ACCOUNTS, pattern=f"{tmp_path}/tweets/*", gone=gone)

    imported.folder = tmp_path / "tweets"
    return imported


@pytest.mark.parametrize(
    ("named", "user_id", "handle"), [("ann", "11", "ann"), ("former_ann", "11", "ann"), ("bob", "12", "bob")]
)
def test_an_archive_is_of_the_account_with_its_user_id_or_its_name(take_in, tmp_path, named, user_id, handle):
    merged = take_in(archive(tmp_path / "a.zip", tweet(1), tweet(2), handle=named, user_id=user_id))
    assert (merged.handle, merged.new) == (handle, 2)
    assert set(roster_synced.known(str(take_in.folder), handle)) == {1, 2}


def test_a_tweet_that_is_forgotten_is_left_out(take_in, tmp_path):
    merged = take_in(archive(tmp_path / "a.zip", tweet(1), tweet(GONE), handle="ann", user_id="11"))
    assert (merged.new, merged.left_out) == (1, 1)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("zoe", r"of zoe, which is not in the accounts file \(it has: ann, bob\).*engagement authorize zoe"),
        ("ann", "of user id 99, but the tokens of ann are of user id 11"),
    ],
)
def test_an_archive_of_another_account_is_refused_and_changes_nothing(take_in, tmp_path, named, told):
    with pytest.raises(InputError, match=told):
        take_in(archive(tmp_path / "a.zip", tweet(), handle=named, user_id="99"))
    assert [*take_in.folder.iterdir()] == []


def test_an_archive_with_a_damaged_part_changes_nothing(take_in, tmp_path):
    with pytest.raises(InputError):
        take_in(archive(tmp_path / "a.zip", tweet(), handle="bob", **{"data/tweets-part1.js": "x"}))
    assert [*take_in.folder.iterdir()] == []


def test_the_same_archive_twice_adds_nothing(take_in, tmp_path):
    path = archive(tmp_path / "a.zip", tweet(1), handle="bob")
    assert [take_in(path).new, take_in(path).new] == [1, 0]


def test_a_file_that_is_not_there_is_one_line(take_in, tmp_path):
    with pytest.raises(InputError, match="No such file"):
        take_in(tmp_path / "none.zip")


def export(path, *links):
    rows = [f"1,x,text,{link},1" for link in links]
    path.write_text("\n".join(["Post id,Date,Post text,Post Link,Likes", *rows]), encoding="utf-8")
    return path


def test_an_export_is_of_the_account_in_its_links(take_in, tmp_path):
    links = ("https://x.com/Ann/status/5", "https://x.com/others/status/6")
    merged = take_in(export(tmp_path / "e.CSV", *links))
    assert (merged.handle, merged.new) == ("ann", 1)
    assert [row["found_in"] for row in roster_synced.known(str(take_in.folder), "ann").values()] == ["export"]


@pytest.mark.parametrize(
    ("handles", "told"),
    [
        (["zoe"], "of zoe, of whom none is in the accounts file"),
        (["ann", "bob"], "of ann, bob, of whom several are in the accounts file"),
        ([], "of nobody, of whom none is"),
    ],
)
def test_an_export_of_another_account_or_of_several_is_refused(take_in, tmp_path, handles, told):
    with pytest.raises(InputError, match=told):
        take_in(export(tmp_path / "e.csv", *(f"https://x.com/{handle}/status/5" for handle in handles)))
    assert [*take_in.folder.iterdir()] == []
