"""What Tweets lack since they were posted: which windows to pull for those that are new in the roster."""

from datetime import UTC, date, datetime, timedelta

import pytest
from bodies import at, begin, full, land, pulled

from engagement_pipeline.core.errors import RosterError
from engagement_pipeline.core.model import SNOWFLAKE_EPOCH, Tweet, Window
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.extract import backlog
from engagement_pipeline.lake import forgotten
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

NEVER = datetime(2010, 1, 1, tzinfo=UTC)
FIRST, LAST = date(2025, 11, 1), date(2026, 1, 31)


def posted(day, hour=12, sequence=0):
    """Return the ID of a Tweet that was posted then."""
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return (int((moment - SNOWFLAKE_EPOCH) / timedelta(milliseconds=1)) << 22) + sequence


@pytest.fixture
def chosen(world):
    return world.settings(first_day=str(FIRST))


def add(world, name, *tweets, handle="harborbooks"):
    rows = "".join(f"{tweet},{handle}\n" for tweet in tweets)
    (world.roster.parent / name).write_text("tweet_id,handle\n" + rows)


def new_windows(world, chosen, *tweets, **further):
    """Return the windows for a file of Tweets that comes into the roster."""
    known = backlog.fingerprints(chosen)
    add(world, "new.csv", *tweets, **further)
    return backlog.windows(chosen, known, since=NEVER)


def test_a_new_tweet_lacks_all_days_since_it_was_posted(world, chosen):
    assert new_windows(world, chosen, posted(date(2026, 1, 10))) == [Window(date(2026, 1, 10), LAST)]


def test_a_tweet_that_is_forgotten_lacks_nothing(world, chosen):
    tweet, lake = posted(date(2026, 1, 10)), Lake(world.lake)
    lake.open()
    forgotten.save(lake, forgotten.load(lake).begun([tweet]))
    assert new_windows(world, chosen, tweet) == []


def test_more_than_28_days_are_several_windows_oldest_first(world, chosen):
    found = new_windows(world, chosen, posted(date(2025, 12, 1)))
    assert found == [
        Window(date(2025, 12, 1), date(2025, 12, 28)),
        Window(date(2025, 12, 29), date(2026, 1, 25)),
        Window(date(2026, 1, 26), LAST),
    ]


def test_nothing_is_lacking_before_the_first_day(world, chosen):
    assert new_windows(world, chosen, posted(date(2020, 1, 1)))[0].first == FIRST


def test_a_tweet_of_a_day_that_is_not_over_lacks_nothing_yet(world, chosen):
    assert new_windows(world, chosen, posted(LAST + timedelta(days=1), hour=0)) == []


def test_days_that_were_asked_for_are_not_lacking_whatever_came(world, chosen):
    tweet = posted(date(2025, 12, 1))
    window = Window(date(2025, 12, 5), date(2026, 1, 30))
    lake = Lake(world.lake)
    pulled(lake, full([tweet], 1, window=Window(window.first, window.first)), at(1), window=window)
    publish_pulls(lake)
    assert new_windows(world, chosen, tweet) == [
        Window(date(2025, 12, 1), date(2025, 12, 4)),
        Window(LAST, LAST),
    ]


def test_days_that_were_asked_for_in_vain_are_still_lacking_and_begin_nothing(world, chosen):
    """Else a revoked token would leave holes that no later run fills."""
    tweet = posted(date(2026, 1, 30))
    lake, window = Lake(chosen.data), Window(date(2026, 1, 30), date(2026, 1, 31))
    pull = begin(lake, at(1), window=window)
    land(pull, {}, tweets=[tweet], refusal="401: no", unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    assert new_windows(world, chosen, tweet) == [window]
    assert not backlog.has_begun(chosen)
    land(pull, full([tweet], 1, window=window), asked_at=at(2))
    publish_pulls(lake)
    assert new_windows(world, chosen, tweet) == []
    assert backlog.has_begun(chosen)


def test_what_is_set_aside_is_not_lacking(world, chosen):
    tweet = posted(date(2026, 1, 10))
    window = Window(LAST, LAST)
    pulled(Lake(world.lake), {}, at(1), window=window, tweets=[tweet], unavailable_tweet_ids=[str(tweet)])
    publish_pulls(Lake(world.lake))
    assert new_windows(world, chosen, tweet) == []


def test_tweets_of_others_have_no_history(world, chosen):
    assert new_windows(world, chosen, posted(date(2026, 1, 10)), handle="") == []


def test_a_file_that_is_known_as_it_is_lacks_nothing(world, chosen):
    assert backlog.windows(chosen, backlog.fingerprints(chosen), since=NEVER) == []


def test_a_file_that_grew_is_looked_at_again(world, chosen):
    add(world, "new.csv", posted(date(2026, 1, 20)))
    known = backlog.fingerprints(chosen)
    add(world, "new.csv", posted(date(2026, 1, 20)), posted(date(2026, 1, 10)))
    assert backlog.windows(chosen, known, since=NEVER) == [Window(date(2026, 1, 10), LAST)]


def test_a_bad_row_is_told(world, chosen):
    with pytest.raises(RosterError, match=r"new\.csv:2 tweet_id 'x'"):
        new_windows(world, chosen, "x")


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ([], []),
        ([date(2026, 1, 9)], []),
        ([date(2026, 1, 1), date(2026, 1, 7)], [Window(date(2026, 1, 8), date(2026, 1, 9))]),
        ([date(2025, 12, 12)], [Window(date(2025, 12, 13), date(2026, 1, 9))]),
        ([date(2025, 12, 11)], []),
    ],
)
def test_missed_are_the_days_since_the_last_that_is_known_28_at_most(chosen, known, found):
    assert backlog.missed(chosen, date(2026, 1, 10), known) == found


def test_had_are_the_tweets_that_lack_no_day_of_the_window(world):
    old, new = Tweet(posted(date(2025, 12, 1)), "ann"), Tweet(posted(date(2025, 12, 2)), "ann")
    window = Window(date(2025, 12, 5), date(2025, 12, 6))
    lake = Lake(world.lake)
    pulled(lake, full([old.tweet_id], 1, window=window), at(1), window=window)
    publish_pulls(lake)
    assert backlog.had(lake, [old, new], window, since=NEVER) == {old}
    assert backlog.had(lake, [old, new], Window(window.first, date(2025, 12, 7)), since=NEVER) == set()


@pytest.mark.parametrize(("looked_at", "new"), [(at(0), True), (at(2), False)])
def test_a_tweet_is_new_if_nothing_of_it_had_come_when_somebody_last_looked(world, looked_at, new):
    """Such as one whose last days the daily run took up just before."""
    tweet = posted(date(2026, 1, 10))
    window = Window(date(2026, 1, 20), LAST)
    pulled(Lake(world.lake), full([tweet], 1, window=window), at(1), window=window)
    publish_pulls(Lake(world.lake))
    had = backlog.had(Lake(world.lake), [Tweet(tweet, "ann")], Window(FIRST, LAST), since=looked_at)
    assert had == (set() if new else {Tweet(tweet, "ann")})


def test_a_file_of_any_kind_and_a_folder_are_found_as_the_roster_is(world):
    (world.roster.parent / "MORE.TSV").write_text(f"tweet_id\thandle\n{posted(date(2026, 1, 10))}\tharborbooks\n")
    (world.roster.parent / "notes.md").write_text("x")
    found = backlog.fingerprints(world.settings(tweets=str(world.roster.parent)))
    assert [*found] == [str(world.roster.parent / "MORE.TSV"), str(world.roster)]


def test_a_bad_row_elsewhere_does_not_hold_new_tweets_back_where_it_is_skipped(world):
    add(world, "strange.csv", 5, handle="stranger")
    chosen = world.settings(first_day=str(FIRST), skip_bad_rows="true")
    assert new_windows(world, chosen, posted(date(2026, 1, 10))) == [Window(date(2026, 1, 10), LAST)]


def test_a_known_tweet_that_stands_in_a_new_file_too_is_looked_at(world, chosen):
    add(world, "old.csv", posted(date(2026, 1, 10)))
    assert new_windows(world, chosen, posted(date(2026, 1, 10))) == [Window(date(2026, 1, 10), LAST)]
