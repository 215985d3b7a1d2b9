"""The stages in order: pulls that go on from one another, take turns or fail in part; what is kept of the roster."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import NEVER_STALE, TYPES, at, body, full, land, nothing
from bodies import WINDOW as EARLIER
from tables import counts

from engagement_pipeline import pipeline, pulling
from engagement_pipeline.cli import demo
from engagement_pipeline.core.endpoints import HISTORICAL, RECENT, TOTALS
from engagement_pipeline.core.errors import AccountError, InputError, LakeError, PullError, UnavailableError
from engagement_pipeline.core.model import Response, Window
from engagement_pipeline.extract import puller
from engagement_pipeline.extract.prepare import prepare
from engagement_pipeline.lake import layout, raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import publisher
from engagement_pipeline.query import catalog
from engagement_pipeline.transport import app_lock

WINDOW = Window(date(2026, 1, 30), date(2026, 1, 31))
PATIENCE_SECONDS = 60  # for another thread; only a broken one uses it up


def prepared(world, **changes):
    settings = world.settings(types=" ".join(TYPES), **changes)
    return settings, prepare(settings, WINDOW.first, WINDOW.last)


def answered(world):
    return sorted(tweet for request in world.emulator.requests if request.status == 200 for tweet in request.tweet_ids)


def test_what_has_landed_is_not_asked_for_again(world):
    """Answers and refusals both: the second pull asks for the account that was missing, and nothing else."""
    tweets = {handle: world.tweets(handle, 3) for handle in ("harborbooks", "lumenaudio")}
    protected = world.tweets("harborbooks", 1, state="protected")
    world.follow(tweets | {"harborbooks": tweets["harborbooks"] + protected})
    world.emulator.faults.set(revoked_handles=["lumenaudio"])
    settings, plans = prepared(world)
    with pytest.raises(PullError, match="account lumenaudio"):
        pulling.pull(settings, plans)
    before = len(world.emulator.requests)
    world.emulator.faults.reset()
    (report,) = pulling.pull(settings, plans)
    assert (report.planned, report.answered) == (1, 1)
    assert [request.tweet_ids for request in world.emulator.requests[before:]] == [tuple(tweets["lumenaudio"])]
    assert answered(world) == sorted(tweets["harborbooks"] + tweets["lumenaudio"])


def test_a_published_pull_is_made_anew(world):
    settings, plans = prepared(world)
    for _ in range(2):
        (report,) = pulling.pull(settings, plans)
        pipeline.publish_landed(settings)
        assert report.answered == plans.requests
    assert len(world.emulator.requests) == 2 * plans.requests


def test_a_pull_that_is_not_published_yet_is_not_paid_for_again(world):
    """It was killed before or while it was published."""
    settings, plans = prepared(world)
    pulling.pull(settings, plans)
    (report,) = pulling.pull(settings, plans)
    assert (report.planned, report.answered) == (0, 0)
    assert len(world.emulator.requests) == plans.requests


def test_a_body_that_was_never_looked_at_is_looked_at_before_going_on(world):
    """A process that was killed between landing and looking leaves no lopsided body in the tables' way."""
    tweets = world.tweets("harborbooks", 2)
    world.follow({"harborbooks": tweets})
    settings, plans = prepared(world)
    pull = raw.begin(Lake(settings.data), nothing(WINDOW), now=at(1), resume=NEVER_STALE)
    killed = Response(body=body({}, by_type={"impressions": "1"}), asked_at=at(1))
    path = pull.land(replace(plans.plans[0].requests[0], window=WINDOW), killed)
    pulling.pull(world.settings(types=" ".join(TYPES), resume_hours="1000000"), plans)
    assert [landed.request.tweet_ids for landed in pull.landed()] == [tuple(tweets)]
    assert (pull.path / "rejected" / path.name.removesuffix(".new")).exists()
    assert answered(world) == tweets


def test_a_good_body_that_was_never_looked_at_counts_and_is_not_asked_for_again(world):
    world.follow({"harborbooks": world.tweets("harborbooks", 2)})
    settings, plans = prepared(world)
    pulling.pull(settings, plans)
    pull = raw.open_pulls(Lake(settings.data))[0].marked(finished=False)
    (landed,) = pull.landed()
    landed.path.rename(landed.path.with_name(landed.path.name + ".new"))
    (report,) = pulling.pull(settings, plans)
    assert report.planned == 0
    assert [again.path for again in pull.landed()] == [landed.path]


def test_an_abandoned_pull_is_published_and_closed(world):
    """Whatever its window; what it had no time to look at is looked at first. Nobody reads it again after that."""
    settings, plans = prepared(world)
    ours = Lake(settings.data)
    ours.open()
    started = settings.current_time() - timedelta(hours=settings.resume_hours, minutes=1)
    abandoned = raw.begin(ours, nothing(EARLIER), now=started, resume=NEVER_STALE)
    for tweets, further in (([1], {}), ([2], {"by_type": {"impressions": "1"}})):
        path = land(abandoned, full(tweets, 7), asked_at=started, **further)
        path.rename(path.with_name(path.name + ".new"))
    pipeline.run(settings, plans)
    assert {tweet: count for (tweet, *_), count in counts(ours).items() if tweet in {1, 2}} == {1: 7}
    assert raw.open_pulls(ours) == []
    assert len(list((abandoned.path / "rejected").iterdir())) == 1


@pytest.mark.parametrize("shares", ["app", "lake"])
def test_a_second_pull_waits_for_the_first(world, monkeypatch, shares):
    """Of the same app for the rate; of the same lake, since it goes on from what the first has landed."""
    other = shutil.copy(world.accounts, world.root / "other.toml")
    settings, plans = prepared(world)
    second_settings = settings if shares == "app" else prepared(world, accounts=str(other))[0]
    inside, waiting = Event(), Event()
    run = puller.run

    def held(*arguments, **options):
        inside.set()
        assert waiting.wait(PATIENCE_SECONDS)
        return run(*arguments, **options)

    monkeypatch.setattr(puller, "run", held)
    monkeypatch.setattr((app_lock if shares == "app" else layout).logger, "warning", lambda *_: waiting.set())
    with ThreadPoolExecutor() as pool:
        first = pool.submit(pulling.pull, settings, plans)
        assert inside.wait(PATIENCE_SECONDS)
        second = pool.submit(pulling.pull, second_settings, plans)
        assert (first.result()[0].answered, second.result()[0].answered) == (plans.requests, 0)
    assert len(world.emulator.requests) == plans.requests


def failing(monkeypatch, *failures):
    """Let pulls fail one after another; return what was begun."""
    begun, left = [], list(failures)

    def run(plan, *_, **__):
        begun.append(plan.window)
        raise PullError([left.pop(0)])

    monkeypatch.setattr(puller, "run", run)
    return begun


NOT_LET_IN = AccountError("account harborbooks: no", account="harborbooks", status=401)
DOWN = UnavailableError("the API is down", account="tidalcoffee")


def test_a_pull_of_several_windows_names_every_cause_once_and_stops_when_the_api_is_down(world, monkeypatch):
    settings = world.settings()
    plans = prepare(settings, WINDOW.first - timedelta(days=100), WINDOW.last)
    same = AccountError("account harborbooks: no, once more", account="harborbooks", status=403)
    begun = failing(monkeypatch, NOT_LET_IN, same, DOWN)
    with pytest.raises(PullError) as caught:
        pulling.pull(settings, plans)
    assert caught.value.failures == (NOT_LET_IN, DOWN)
    assert begun == [plan.window for plan in plans.plans[:3]]


def test_what_could_be_had_is_published_where_a_pull_fails_in_part(world):
    world.emulator.faults.set(revoked_handles=["harborbooks"])
    settings, plans = prepared(world)
    outcome = pipeline.run(settings, plans)
    assert [failure.account for failure in outcome.failure.failures] == ["harborbooks"]
    (publication,) = outcome.publications
    assert publication.stored == {*world.tweets("lumenaudio", 2), *world.tweets("tidalcoffee", 2)}
    assert {tweet for tweet, *_ in counts(Lake(settings.data))} == publication.stored


def test_where_publishing_fails_too_both_are_named(world, monkeypatch):
    full_disk = LakeError("the lake cannot be written")

    def fails(*_, **__):
        raise full_disk

    settings, plans = prepared(world)
    failing(monkeypatch, NOT_LET_IN)
    monkeypatch.setattr(publisher, "publish_pulls", fails)
    with pytest.raises(PullError) as caught:
        pipeline.run(settings, plans)
    assert caught.value.failures == (NOT_LET_IN, full_disk)


def test_where_publishing_alone_fails_it_is_what_is_raised(world, monkeypatch):
    settings, plans = prepared(world)
    ours = Lake(settings.data)
    ours.open()
    ours.set_aside.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"set_aside\.parquet is damaged"):
        pipeline.run(settings, plans)
    ours.set_aside.unlink()
    assert pipeline.run(settings, plans).failure is None
    assert len(world.emulator.requests) == plans.requests


def test_a_tweet_that_left_the_roster_is_kept_and_no_longer_followed(world):
    """So that its rows can still be joined; once it is back, it is followed again."""
    first, second = world.tweets("harborbooks", 2)
    left = {}
    for tweets in ([first, second], [second], [first, second]):
        rows = "".join(f"{tweet},harborbooks,spring\n" for tweet in tweets)
        world.roster.write_text("tweet_id,handle,campaign\n" + rows)
        settings, plans = prepared(world)
        pipeline.run(settings, plans)
        table = catalog.query(Lake(settings.data), "select tweet_id, handle, campaign, followed from tweets order by 1")
        left[len(left)] = [tuple(row.values()) for row in table.to_pylist()]
    both = [(first, "harborbooks", "spring", True), (second, "harborbooks", "spring", True)]
    assert left == {0: both, 1: [(first, "harborbooks", "spring", False), both[1]], 2: both}


def test_a_roster_that_was_taken_from_a_lake_is_followed_all_the_same(world):
    """It has the column `followed` already."""
    tweets = world.tweets("harborbooks", 2)
    rows = "".join(f"{tweet},harborbooks,false\n" for tweet in tweets)
    world.roster.write_text("tweet_id,handle,followed\n" + rows)
    settings, plans = prepared(world)
    for _ in range(2):
        pipeline.run(settings, plans)
        table = catalog.query(Lake(settings.data), "select tweet_id, followed from tweets order by 1")
        assert [tuple(row.values()) for row in table.to_pylist()] == [(tweet, True) for tweet in tweets]


def test_a_column_that_changes_its_type_stops_no_pull_and_loses_no_tweet(world):
    first, second = world.tweets("harborbooks", 2)
    world.roster.write_text(f"tweet_id,handle,budget\n{first},harborbooks,n/a\n{second},harborbooks,5\n")
    pipeline.run(*prepared(world))
    world.roster.unlink()
    rows = pa.table({"tweet_id": [second], "handle": ["harborbooks"], "budget": [7]})
    pq.write_table(rows, world.roster.with_suffix(".parquet"))
    settings, plans = prepared(world)
    assert pipeline.run(settings, plans).failure is None
    table = catalog.query(Lake(settings.data), "select tweet_id, budget, followed from tweets order by 1")
    assert table.to_pydict() == {"tweet_id": [first, second], "budget": ["n/a", "7"], "followed": [False, True]}


def test_ids_that_are_all_unavailable_are_doubted_after_the_pull_and_in_each_later_plan(world, caplog):
    """As rounded ones are, where their digits do not tell."""
    wrong = [tweet + 1 for tweet in world.tweets("harborbooks", 6)]
    world.roster.with_name("new.csv").write_text("tweet_id,handle\n" + "".join(f"{t},harborbooks\n" for t in wrong))
    settings, plans = prepared(world)
    assert caplog.messages == []
    pipeline.run(settings, plans)
    told = f"{world.roster.with_name('new.csv')}: 6 of its 6 Tweets are unavailable, and so many are seldom deleted"
    assert [message.startswith(told) for message in caplog.messages] == [True]
    prepared(world)
    assert [message.startswith(told) for message in caplog.messages] == [True, True]


def test_a_damaged_list_of_tweets_is_named(world):
    settings, plans = prepared(world)
    ours = Lake(settings.data)
    ours.open()
    ours.tweets.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"tweets\.parquet is damaged .*: restore it from a backup of the lake"):
        pulling.pull(settings, plans)
    assert world.emulator.requests == []
    ours.tweets.unlink()
    assert pipeline.run(settings, plans).failure is None


def test_handles_that_were_queried_in_this_month_are_known_to_the_next_plan(world):
    """Contracts count them."""
    world.follow({"harborbooks": world.tweets("harborbooks", 1)})
    settings, plans = prepared(world)
    assert plans.used.handles == frozenset()
    pulling.pull(settings, plans)
    assert prepared(world)[1].used.handles == {"harborbooks"}


@pytest.mark.parametrize("endpoint", [HISTORICAL, RECENT])
def test_a_roster_of_others_alone_can_be_asked_of_totals_alone(world, endpoint):
    world.follow({"": [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets()[-3:]]})
    settings = world.settings()
    with pytest.raises(InputError, match="holds Tweets of others only"):
        prepare(settings, WINDOW.first, WINDOW.last, endpoint=endpoint)
    assert prepare(settings, endpoint=TOTALS).requests == 1


@pytest.mark.parametrize("endpoint", [HISTORICAL, RECENT, TOTALS])
def test_without_an_account_totals_alone_can_be_asked(world, endpoint):
    world.follow({"": [tweet.tweet_id for tweet in world.emulator.world.foreign_tweets()[-3:]]})
    world.accounts.write_text(world.accounts.read_text().partition("[accounts.")[0])
    days = (WINDOW.first, WINDOW.last) if endpoint == HISTORICAL else ()
    if endpoint == TOTALS:
        assert prepare(world.settings(), *days, endpoint=endpoint).requests == 1
    else:
        with pytest.raises(InputError, match="holds no account yet: run engagement authorize HANDLE"):
            prepare(world.settings(), *days, endpoint=endpoint)


def test_the_demo_brings_its_earlier_lake_up_to_date(in_world):
    settings = in_world.settings()
    day = date(2026, 1, 31)
    pipeline.run(settings, prepare(settings, day, day))
    of_demo = Lake(settings.data)
    before = catalog.query(of_demo, "from engagements order by all")
    (of_demo.root / "lake.json").write_text('{"format": 1}')
    demo._bring_up_to_date(settings)
    assert catalog.query(of_demo, "from engagements order by all").equals(before)
