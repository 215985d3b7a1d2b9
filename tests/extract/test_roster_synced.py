"""The file that the program writes for each handle: where it lies, what a merge keeps, and who wins."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from rosters import BIG, HEADER

from engagement_pipeline.core.erased import Cleared, Erased
from engagement_pipeline.core.errors import InputError, RosterError
from engagement_pipeline.core.model import Tweet
from engagement_pipeline.core.posts import Post
from engagement_pipeline.extract import roster_synced
from engagement_pipeline.extract.roster_synced import ARCHIVE, EXPORT, PART, TIMELINE
from engagement_pipeline.lake.forgotten import Forgotten

WHOLE = Post(
    tweet_id=BIG,
    created_at=datetime(2025, 2, 13, 11, 28, 9, tzinfo=UTC),
    kind="reply",
    lang="en",
    text='Two lines,\nand a "quote"',
    media_kinds=("photo", "photo"),
    media_keys=("3_1", "3_2"),
    links=("https://example.com/a b",),
)
NOTHING = Forgotten(key=b"key")
WHEN = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def merge(tmp_path):
    """Return a function that merges Posts into the file of handle a, and gives what it tells."""

    def merged(*posts, found_in=TIMELINE, gone=NOTHING):
        return roster_synced.merge(str(tmp_path / "*"), "a", posts, found_in=found_in, gone=gone)

    merged.path = tmp_path / "a.synced.csv"
    return merged


def rows(merge):
    return roster_synced.known(str(merge.path.parent), "a")


def test_what_is_known_of_a_post_comes_back_as_columns_of_the_roster(merge, folder):
    merge(WHOLE)
    (row,) = folder({}).table.to_pylist()
    assert {name: row[name] for name in ("tweet_id", "handle", "kind", "lang", "text", "media_kinds", "links")} == {
        "tweet_id": BIG,
        "handle": "a",
        "kind": "reply",
        "lang": "en",
        "text": WHOLE.text,
        "media_kinds": "photo",
        "links": "https://example.com/a%20b",
    }
    assert (row["media_keys"], row["created_at"]) == ("3_1 3_2", "2025-02-13T11:28:09Z")


def test_a_merge_tells_how_many_tweets_are_new(merge):
    assert merge(Post(tweet_id=1), Post(tweet_id=2)).new == 2
    again = merge(Post(tweet_id=2), Post(tweet_id=3))
    assert (again.new, again.tweets, again.path) == (1, 3, merge.path)


def test_a_tweet_that_was_known_stays_when_it_is_not_among_those_that_came(merge):
    merge(Post(tweet_id=1))
    merge(Post(tweet_id=2))
    assert set(rows(merge)) == {1, 2}


def test_the_same_posts_again_leave_the_file_as_it_is(merge):
    merge(WHOLE)
    before = merge.path.stat()
    assert merge(WHOLE).new == 0
    assert merge.path.stat() == before


def test_what_a_merge_that_was_killed_has_left_is_removed_by_the_next(merge):
    left = merge.path.with_name(f".{merge.path.name}.{2**22 + 1}")  # no process has this number
    left.touch()
    merge(Post(tweet_id=1))
    assert not left.exists()


def test_what_was_known_stays_and_what_was_not_is_filled(merge):
    merge(Post(tweet_id=1, text="first"))
    merge(Post(tweet_id=1, text="second", lang="en"))
    assert (rows(merge)[1]["text"], rows(merge)[1]["lang"]) == ("first", "en")


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [(EXPORT, TIMELINE, TIMELINE), (PART, ARCHIVE, ARCHIVE), (TIMELINE, EXPORT, TIMELINE), (EXPORT, PART, EXPORT)],
)
def test_a_complete_source_counts_more_than_one_with_gaps(merge, first, then, kept):
    merge(Post(tweet_id=1), found_in=first)
    merge(Post(tweet_id=1), found_in=then)
    assert rows(merge)[1]["found_in"] == kept


def test_a_column_that_somebody_has_added_stays(merge):
    merge.path.write_text("tweet_id,handle,campaign\n1,a,spring\n", encoding="utf-8")
    merge(Post(tweet_id=2))
    assert rows(merge)[1]["campaign"] == "spring"


def test_a_file_with_a_bad_row_is_refused_and_stays_as_it_is(merge):
    text = f"{HEADER}1,a\n1.89e18,a\n"
    merge.path.write_text(text, encoding="utf-8")
    with pytest.raises(RosterError, match=r"a\.synced\.csv:3 .*nothing is written"):
        merge(Post(tweet_id=2))
    assert merge.path.read_text(encoding="utf-8") == text


def test_a_users_own_row_wins_over_the_programs(merge, folder, caplog):
    merge(Post(tweet_id=1, text="theirs", lang="en"), Post(tweet_id=2))
    loaded = folder({"z.csv": "tweet_id,handle,text\n1,a,mine\n2,b,\n"})
    assert loaded.tweets == (Tweet(1, "a"), Tweet(2, "b"))
    assert loaded.table["text"][0].as_py() == "mine"
    assert loaded.table["lang"][0].as_py() == "en"
    assert caplog.messages == []


def test_a_text_that_looks_like_a_row_is_no_stray_quote_in_the_programs_file(merge, folder):
    merge(Post(tweet_id=1, text=f"a list:\n{BIG},a,1,2,3,4,5,6,7,8"))
    assert folder({}).tweets == (Tweet(1, "a"),)


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        ("tweets/*", "tweets/a.synced.csv"),
        ("tweets/*.csv", "tweets/a.synced.csv"),
        ("tweets", "tweets/a.synced.csv"),
        ("[[]x]/*", "[x]/a.synced.csv"),
    ],
)
def test_the_file_lies_where_the_setting_reads_it(tmp_path, pattern, file):
    assert roster_synced.place(f"{tmp_path}/{pattern}", "a") == tmp_path / file


@pytest.mark.parametrize("pattern", ["mine.csv", "tweets/*.parquet", "*/roster.csv"])
def test_a_setting_that_would_not_read_the_file_is_refused(tmp_path, pattern):
    with pytest.raises(InputError, match=r"would not read a file a\.synced\.csv: set it to a folder"):
        roster_synced.place(f"{tmp_path}/{pattern}", "a")


def test_a_tweet_that_is_forgotten_is_left_out_with_a_number_and_goes_where_it_was_known(merge):
    merge(Post(tweet_id=1), Post(tweet_id=2))
    told = merge(Post(tweet_id=2), Post(tweet_id=3), Post(tweet_id=4), gone=NOTHING.begun([1, 3]).finished(WHEN))
    assert set(rows(merge)) == {2, 4}
    assert (told.tweets, told.new, told.left_out) == (2, 1, 1)


def test_forgotten_tweets_go_from_a_file_and_what_names_them_is_masked(merge):
    merge(Post(tweet_id=BIG), Post(tweet_id=BIG + 1, links=(f"https://x.com/a/status/{BIG}",)))
    assert roster_synced.files(str(merge.path.parent)) == [merge.path]
    erased = Erased(frozenset({BIG}))
    assert roster_synced.names(merge.path, erased) == 1
    (change,) = roster_synced.clear(str(merge.path.parent), erased).changes
    assert change.path == str(merge.path)
    assert change.before != change.after == sha256(merge.path.read_bytes()).hexdigest()
    assert {tweet: row["links"] for tweet, row in rows(merge).items()} == {
        BIG + 1: "https://x.com/a/status/[forgotten]"
    }
    assert roster_synced.clear(str(merge.path.parent), erased) == Cleared()


def test_a_file_of_which_no_tweet_is_left_is_still_a_roster(merge):
    merge(Post(tweet_id=BIG))
    roster_synced.clear(str(merge.path.parent), Erased(frozenset({BIG})))
    assert rows(merge) == {}
    assert merge(Post(tweet_id=BIG + 1)).tweets == 1
