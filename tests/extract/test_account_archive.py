"""The account archive: which Tweets it holds, what is known of each, and what is refused."""

import tracemalloc
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from archives import QUIET_ID, archive, script, tweet

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.posts import Post
from engagement_pipeline.extract import account_archive
from engagement_pipeline.extract.account_archive import Owner


@contextmanager
def memory():
    """Give what returns the most bytes that were in use at a time."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def posts(tmp_path):
    """Return a function that writes an archive and gives its Posts."""

    def read(*tweets, **files):
        with account_archive.opened(archive(tmp_path / "archive.zip", *tweets, **files)) as opened:
            return [*opened.posts()]

    return read


@pytest.fixture
def refused(posts):
    """Return a function that gives the one line with which an archive is refused."""

    def read(*tweets, **files):
        with pytest.raises(InputError) as caught:
            posts(*tweets, **files)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return read


def media(kind, number, address="https://pbs.twimg.com/media/x.jpg"):
    return {"type": kind, "id_str": str(number), "media_url_https": address}


def test_a_tweet_has_its_text_time_language_and_links(posts):
    assert posts(tweet()) == [
        Post(
            tweet_id=QUIET_ID,
            created_at=datetime(2019, 12, 31, 19, 26, 16, tzinfo=UTC),
            kind="post",
            lang="en",
            text="A quiet morning https://t.co/a",
            links=("https://example.com/stories/1",),
        )
    ]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "post"),
        ({"in_reply_to_status_id_str": "5"}, "reply"),
        ({"entities": {"urls": [{"expanded_url": "https://twitter.com/others/status/5"}]}}, "quote"),
        ({"entities": {"urls": [{"expanded_url": "https://x.com/others"}]}}, "post"),
    ],
)
def test_the_kind_tells_replies_and_quotes(posts, changes, kind):
    assert [post.kind for post in posts(tweet(**changes))] == [kind]


def test_media_have_the_keys_of_the_api(posts):
    shown = [media("photo", 1), media("animated_gif", 2), media("video", 3)]
    shown.append(media("video", 4, "https://pbs.twimg.com/amplify_video_thumb/4/img/x.jpg"))
    (post,) = posts(tweet(extended_entities={"media": shown}))
    assert post.media_keys == ("3_1", "16_2", "7_3", "13_4")
    assert post.columns()["media_kinds"] == "photo animated_gif video"


def test_a_repost_is_left_out(posts):
    assert [post.tweet_id for post in posts(tweet(7, full_text="RT @others: A morning"), tweet(8))] == [8]


@pytest.mark.parametrize(
    "name", ["data__tweets-part1.js", "data__tweet.js", "tweet.js", "twitter-2026__data__tweet.js"]
)
def test_further_parts_and_older_names_are_read_too(posts, name):
    later = script("tweet.part1", [tweet(9)])  # the older form has no object around each
    assert {post.tweet_id for post in posts(tweet(8), **{name: later})} == {8, 9}


def test_half_of_a_surrogate_pair_is_no_reason_to_refuse_a_tweet(posts):
    assert posts(tweet(full_text="\ud83d"))[0].text == "\ud83d"


def test_the_owner_is_the_account_that_the_archive_names(tmp_path):
    with account_archive.opened(archive(tmp_path / "a.zip", tweet(), handle="Harbor", user_id="77")) as opened:
        assert opened.owner() == Owner("harbor", "77")


@pytest.mark.parametrize("name", ["../data/tweets-part1.js", "/etc/passwd", "..\\x.js", "C:\\x.js"])
def test_a_path_that_leads_out_of_the_zip_is_refused(refused, name):
    assert "a path that leads out of the archive" in refused(tweet(), **{name: "x"})


def test_a_part_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(refused, monkeypatch):
    monkeypatch.setattr(account_archive, "LARGEST_PART", 1_000)
    assert "data/tweets.js unpacks to 1,0" in refused(tweet(), **{"data/tweets.js": " " * 1_001})


def test_parts_that_unpack_to_too_much_together_are_refused(refused, monkeypatch):
    monkeypatch.setattr(account_archive, "LARGEST_ARCHIVE", 1_000)
    parts = {f"data__tweets-part{number}.js": " " * 600 for number in (1, 2)}
    assert "unpack to more than 1,000 bytes" in refused(tweet(), **parts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("window.YTD.tweets.part0 = [", "it is not a list in a script"),
        ("window.YTD.tweets.part0 = {}", "it is not a list in a script"),
        ("window.YTD.tweets.part0 = []]", "it is not a list in a script"),
        ("window.YTD.tweets.part0 = [{}{}]", "its Tweet 1 is not one of an archive"),
        ("window.YTD.tweets.part0 = [1]", "it is not a list of objects"),
        (script("tweets.part0", [{"tweet": {"full_text": "x"}}]), "its Tweet 1 is not one of an archive"),
        (script("tweets.part0", [{"tweet": tweet(2**63)}]), "its Tweet 1 is not one of an archive"),
        (script("tweets.part0", [{"tweet": tweet(created_at="yesterday")}]), "its Tweet 1 is not one of an archive"),
        (b"\xff", "it is not a list in a script"),
    ],
)
def test_a_part_that_is_no_part_names_its_place(refused, text, told):
    line = refused(**{"data/tweets.js": text})
    assert f"data/tweets.js: {told}" in line


@pytest.mark.parametrize("name", ["data/account.js", "data/tweets.js"])
def test_a_zip_without_a_file_of_an_archive_is_refused(refused, name):
    assert f"has no {name}: is it the account archive that X sent?" in refused(tweet(), **{name: None})


def test_a_zip_that_is_cut_short_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", tweet())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="is not a whole zip"), account_archive.opened(path):
        pass


def test_a_part_with_a_flipped_byte_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", *[tweet(number) for number in range(1, 200)])
    content = bytearray(path.read_bytes())
    content[content.index(b"data/tweets.js") + 100] ^= 255
    path.write_bytes(content)
    with account_archive.opened(path) as opened, pytest.raises(InputError, match="it cannot be unpacked"):
        list(opened.posts())


def test_a_part_with_millions_of_members_takes_no_more_memory_than_its_text(tmp_path):
    path = archive(tmp_path / "a.zip", **{"data/tweets.js": "window.YTD.tweets.part0 = [" + "{}," * 1_000_000 + "{}]"})
    with account_archive.opened(path) as opened, memory() as peak:
        with pytest.raises(InputError, match="its Tweet 1 is not one"):
            list(opened.posts())
        assert peak() < 4 * 3_000_000


def test_no_more_is_unpacked_than_the_zip_states(tmp_path):
    """Neither of what is kept, nor for a moment."""
    path = archive(tmp_path / "a.zip", tweet(text=" " * 5_000_000))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"data/tweets.js") - 46  # in the central directory, the name is the 46th byte of an entry
    content[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    path.write_bytes(content)
    with account_archive.opened(path) as opened, memory() as peak:
        with pytest.raises(InputError, match="it cannot be unpacked"):
            list(opened.posts())
        assert peak() < 1_000_000
