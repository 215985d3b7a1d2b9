"""GET /2/users/{id}/tweets: pages, limits of time and of IDs, what is left out, both spellings of the fields."""

import pytest
from emulator_client import tweets
from v2_client import PROBLEM, get, get_with

from engagement_pipeline.emulator import HANDLES
from engagement_pipeline.emulator.content import content_of
from engagement_pipeline.emulator.world import STRANGER

OWNER = HANDLES[0]
PATH = f"/2/users/{OWNER.author_id}/tweets"
REFERENCES = {"expansions": "referenced_posts.id"}


@pytest.fixture
def emulator(running):
    """The module's emulator; a timeline that reaches 300 Posts is quick to read."""
    running.v2.faults.set(timeline_reach=300)
    yield running
    running.v2.faults.reset()


def page(emulator, *, path=PATH, handle="harborbooks", **params):
    """Return the JSON of a page; a name's two underscores stand for a dot."""
    answer = get(emulator, path, {name.replace("__", "."): value for name, value in params.items()}, handle=handle)
    assert answer.status_code == 200, answer.text
    return answer.json()


def walk(emulator, **params):
    """Return the Posts of all pages, and the number of pages."""
    found, pages, token = [], 0, None
    while True:
        asked = params | ({"pagination_token": token} if token else {})
        answer = page(emulator, max_results=100, **asked)
        found += answer.get("data", [])
        pages += 1
        token = answer["meta"].get("next_token")
        if token is None:
            return found, pages


def ids(answer):
    return [int(post["id"]) for post in answer["data"]]


def kind(post):
    """Return how a Post refers to another one."""
    return post["referenced_posts"][0]["type"] if "referenced_posts" in post else None


@pytest.fixture(scope="module")
def whole(running):
    """All Posts that a timeline of 300 shows to its owner."""
    running.v2.faults.set(timeline_reach=300)
    return walk(running, post__fields="created_at", **REFERENCES)


def test_pages_lead_through_the_newest_posts_each_once_newest_first(whole):
    found, pages = whole
    keys = [int(post["id"]) for post in found]
    assert (len(keys), pages) == (300, 3)
    assert keys == sorted(set(keys), reverse=True)


def test_it_shows_the_tweets_of_the_roster_and_reposts(whole):
    shown = {int(post["id"]) for post in whole[0]}
    own = {post["id"] for post in whole[0] if kind(post) != "reposted"}
    assert {tweet.tweet_id for tweet in tweets("harborbooks")[:200]} <= shown
    assert {kind(post) for post in whole[0]} == {None, "replied_to", "quoted", "reposted"}
    assert len(own) < len(shown)


def test_a_deleted_post_is_not_there_and_a_protected_one_is_its_owners(emulator, whole):
    (deleted, *_), (protected, *_) = tweets("harborbooks", "deleted"), tweets("harborbooks", "protected")
    shown = {int(post["id"]) for post in whole[0]}
    assert (deleted.tweet_id in shown, protected.tweet_id in shown) == (False, True)
    at = {"since_id": protected.tweet_id - 1, "until_id": protected.tweet_id + 1}
    assert "data" not in page(emulator, handle="lumenaudio", **at)


def test_the_meta_tells_count_ends_and_tokens(emulator):
    first = page(emulator, max_results=5)
    assert first["meta"].keys() == {"result_count", "newest_id", "oldest_id", "next_token"}
    assert first["meta"]["result_count"] == len(first["data"]) == 5
    assert [first["meta"][name] for name in ("newest_id", "oldest_id")] == [
        first["data"][0]["id"],
        first["data"][-1]["id"],
    ]
    second = page(emulator, max_results=5, pagination_token=first["meta"]["next_token"])
    back = page(emulator, max_results=5, pagination_token=second["meta"]["previous_token"])
    assert ids(back) == ids(first)
    assert max(ids(second)) < min(ids(first))


def test_a_page_has_ten_posts_if_nothing_is_said(emulator):
    assert len(page(emulator)["data"]) == 10


def test_both_ids_are_left_out_and_only_the_end_of_the_times(emulator, whole):
    newer, older = whole[0][10], whole[0][20]
    between = [int(post["id"]) for post in whole[0][11:20]]
    assert ids(page(emulator, until_id=newer["id"], since_id=older["id"])) == between
    times = {"start_time": older["created_at"], "end_time": newer["created_at"]}
    assert ids(page(emulator, **times)) == [*between, int(older["id"])]


def test_nothing_new_is_a_page_without_data(emulator, whole):
    assert page(emulator, since_id=whole[0][0]["id"]) == {"meta": {"result_count": 0}}


@pytest.mark.parametrize(
    ("exclude", "gone"),
    [("replies", {"replied_to"}), ("retweets", {"reposted"}), ("replies,retweets", {"replied_to", "reposted"})],
)
def test_what_is_excluded_is_left_out(emulator, whole, exclude, gone):
    found, _ = walk(emulator, exclude=exclude, **REFERENCES)
    assert [post["id"] for post in found] == [post["id"] for post in whole[0] if kind(post) not in gone]


@pytest.mark.parametrize(
    ("params", "reach"), [({}, 3_200), ({"exclude": "retweets"}, 3_200), ({"exclude": "replies"}, 800)]
)
def test_it_reaches_the_newest_3200_posts_and_without_replies_800(running, params, reach):
    running.v2.faults.reset()
    oldest = page(running, end_time="2025-01-01T00:00:00Z", max_results=5, **params).get("data")
    assert bool(oldest) == (reach == 3_200)
    assert "data" not in page(running, end_time="2023-06-01T00:00:00Z", **params)


def test_a_timeline_can_shrink(emulator, whole):
    emulator.v2.faults.set(timeline_reach=7)
    assert ids(page(emulator)) == [int(post["id"]) for post in whole[0][:7]]


def test_a_page_can_come_again(emulator):
    first = page(emulator, max_results=5)
    token = first["meta"]["next_token"]
    emulator.v2.faults.set(repeated_pages=1)
    again = page(emulator, max_results=5, pagination_token=token)
    assert (ids(again), again["meta"]["next_token"]) == (ids(first), token)


def test_a_page_can_be_empty_and_lead_on(emulator):
    first = page(emulator, max_results=5)
    emulator.v2.faults.set(empty_pages=1)
    empty = page(emulator, max_results=5)
    assert (empty["meta"]["result_count"], "data" in empty) == (0, False)
    emulator.v2.faults.set(empty_pages=0)
    assert ids(page(emulator, max_results=5, pagination_token=empty["meta"]["next_token"])) == ids(first)


def test_a_post_has_its_text_and_what_was_asked_for(emulator):
    tweet = tweets("harborbooks")[30]
    at = {"since_id": tweet.tweet_id - 1, "until_id": tweet.tweet_id + 1}
    (bare,) = page(emulator, **at)["data"]
    key = str(tweet.tweet_id)
    assert bare == {"id": key, "text": content_of(1, tweet).text, "edit_history_post_ids": [key]}
    (post,) = page(emulator, post__fields="created_at,lang,public_metrics", **at)["data"]
    assert post["created_at"] == f"{tweet.created:%Y-%m-%dT%H:%M:%S}.{tweet.created.microsecond // 1000:03}Z"
    assert post["lang"] == content_of(1, tweet).lang
    assert post["public_metrics"]["like_count"] == emulator.world.lifetime([tweet.tweet_id], ["favorites"])[0, 0]


def test_a_repost_is_not_counted(emulator, whole):
    reposts = [post for post in whole[0] if kind(post) == "reposted"]
    at = {"since_id": int(reposts[0]["id"]) - 1, "until_id": int(reposts[0]["id"]) + 1}
    (post,) = page(emulator, post__fields="public_metrics", **at)["data"]
    assert set(post["public_metrics"].values()) == {0}


def test_expansions_bring_the_author_the_media_and_the_posts_referred_to(emulator):
    expansions = "author_id,attachments.media_keys,referenced_posts.id,referenced_posts.id.author_id"
    answer = page(emulator, max_results=100, expansions=expansions, media__fields="duration_ms,url")
    includes = answer["includes"]
    assert {post["author_id"] for post in answer["data"]} == {str(OWNER.author_id)}
    assert {user["username"] for user in includes["users"]} == {OWNER.name, STRANGER.name}
    keys = {key for post in answer["data"] for key in post.get("attachments", {}).get("media_keys", [])}
    assert {media["media_key"] for media in includes["media"]} == keys
    assert {media["type"] for media in includes["media"]} == {"photo", "video", "animated_gif"}
    referenced = {post["referenced_posts"][0]["id"] for post in answer["data"] if kind(post)}
    lost = {error["resource_id"] for error in answer.get("errors", [])}
    assert {post["id"] for post in includes["posts"]} | lost == referenced


def test_a_post_referred_to_that_is_gone_is_an_error(emulator):
    said = ((tweet, content_of(1, tweet).referenced) for tweet in tweets("harborbooks"))
    tweet, lost = next((tweet, gone) for tweet, gone in said if gone and gone.state == "deleted")
    answer = page(emulator, since_id=tweet.tweet_id - 1, until_id=tweet.tweet_id + 1, **REFERENCES)
    assert answer["data"][0]["referenced_posts"][0]["id"] == str(lost.tweet_id)
    assert "includes" not in answer
    (error,) = answer["errors"]
    told = (error["type"], error["resource_id"], error["parameter"])
    assert told == (f"{PROBLEM}resource-not-found", str(lost.tweet_id), "referenced_posts.id")


def test_the_pages_of_the_vendor_spell_the_fields_otherwise(emulator):
    emulator.v2.faults.set(spelling="both")
    params = {"expansions": "referenced_tweets.id", "tweet__fields": "author_id,public_metrics,referenced_tweets"}
    answer = page(emulator, max_results=100, **params)
    assert {"author_id", "edit_history_tweet_ids", "public_metrics"} <= answer["data"][0].keys()
    assert "retweet_count" in answer["data"][0]["public_metrics"]
    kinds = {reference["type"] for post in answer["data"] for reference in post.get("referenced_tweets", [])}
    assert kinds == {"replied_to", "quoted", "retweeted"}
    assert "tweets" in answer["includes"]


@pytest.mark.parametrize(("spelling", "other"), [("post", "tweet"), ("tweet", "post")])
def test_a_spelling_that_is_not_taken_is_refused(emulator, spelling, other):
    emulator.v2.faults.set(spelling=spelling)
    refused = get(emulator, PATH, {f"{other}.fields": "text"})
    assert refused.status_code == 400
    assert f"[{other}.fields] is not one of [" in refused.json()["errors"][0]["message"]
    assert get(emulator, PATH, {f"{spelling}.fields": "text"}).status_code == 200


@pytest.mark.parametrize(
    ("spelling", "params", "word"),
    [
        ("post", {}, "post"),
        ("tweet", {}, "tweet"),
        ("tweet", {"expansions": "referenced_tweets.id"}, "tweet"),
        ("both", {}, "post"),
        ("both", {"expansions": "referenced_tweets.id"}, "tweet"),
        ("both", {"post__fields": "lang"}, "post"),
    ],
)
def test_a_page_speaks_as_it_is_asked(emulator, spelling, params, word):
    emulator.v2.faults.set(spelling=spelling)
    assert f"edit_history_{word}_ids" in page(emulator, **params)["data"][0]


def test_both_spellings_at_once_are_refused(emulator):
    emulator.v2.faults.set(spelling="both")
    refused = get(emulator, PATH, {"post.fields": "lang", "tweet.fields": "lang"})
    assert (refused.status_code, [*refused.json()["errors"][0]["parameters"]]) == (400, ["tweet.fields"])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max_results": 4}, "[4] is not between 5 and 100"),
        ({"max_results": 101}, "[101] is not between 5 and 100"),
        ({"max_results": "x"}, "[x] is not between 5 and 100"),
        ({"pagination_token": "nonsense"}, "`pagination_token` [nonsense] is not valid"),
        ({"pagination_token": ""}, "`pagination_token` [] is not valid"),
        ({"exclude": "quotes"}, "[quotes] is not one of [replies,retweets]"),
        ({"since_id": "x"}, "[x] does not match"),
        ({"start_time": "yesterday"}, "must be a date-time of RFC 3339"),
        ({"post.fields": "author_id"}, "[author_id] is not one of"),
        ({"expansions": "referenced_tweets.id"}, "[referenced_tweets.id] is not one of"),
        ({"media.fields": "size"}, "[size] is not one of"),
        ({"count": 5}, "[count] is not one of"),
    ],
)
def test_a_broken_rule_of_the_parameters_is_named(emulator, params, words):
    answer = get(emulator, PATH, params)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][0]["message"]


def test_the_app_alone_may_ask_and_sees_no_protected_post(emulator):
    protected = tweets("harborbooks", "protected")[0].tweet_id
    token = emulator.credentials.bearer_token
    at = {"since_id": protected - 1, "until_id": protected + 1}
    assert get_with(emulator, token, PATH, {"max_results": 5}).json()["meta"]["result_count"] == 5
    assert get_with(emulator, token, PATH, at).json() == {"meta": {"result_count": 0}}


def test_an_account_that_does_not_exist_is_an_error(emulator):
    answer = get(emulator, "/2/users/12/tweets")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["resource_id"]) == (200, "12")
    assert error["type"] == f"{PROBLEM}resource-not-found"
    assert get(emulator, "/2/users/me2/tweets").status_code == 400


def test_a_vanished_post_leaves_the_timeline(emulator, whole):
    newest = whole[0][0]["id"]
    emulator.v2.faults.set(vanished_tweet_ids=[newest])
    assert ids(page(emulator))[0] == int(whole[0][1]["id"])
