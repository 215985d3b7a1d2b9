"""Accounts with OAuth 2 tokens, from the authorisation to the tables: what is pulled, refreshed and told."""

import re

import forks
import pytest
from kills import DIE_AT_FILE
from oauth2_page import app_alone, expire_in_file, held, let_in, refreshes, revoke

from engagement_pipeline import pipeline
from engagement_pipeline.core.errors import AccountError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.extract import roster_sync, roster_synced
from engagement_pipeline.extract.prepare import prepare_sources
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.transport import accounts, oauth2

HANDLE, OTHER = "harborbooks", "lumenaudio"
ANALYTICS = "/2/tweets/analytics"


@pytest.fixture
def alone(in_world, monkeypatch):
    """The world with one account, which has OAuth 2 tokens alone, and few counts of its Tweets by X API v2."""
    app_alone(in_world.accounts)
    let_in(in_world, HANDLE)
    in_world.follow({HANDLE: in_world.tweets(HANDLE, 2)})
    for variable, value in {"SOURCE": "x_api_v2", "TYPES": "impressions,bookmarks", "TRIES": "1"}.items():
        monkeypatch.setenv(f"ENGAGEMENT_{variable}", value)
    return in_world


def pulled(world, *, source="x_api_v2"):
    """Pull the last whole day from each source, and return what it failed with."""
    chosen = world.settings(source=source, types="impressions,bookmarks", tries="1")
    day = chosen.last_whole_day()
    outcomes = [pipeline.run_source(chosen, each) for each in prepare_sources(chosen, day, day)]
    return [failure for outcome in outcomes if outcome.failure for failure in outcome.failure.failures]


def statuses(world):
    """Return those of the answers with counts."""
    return [asked.status for asked in world.emulator.v2.requests if asked.path == ANALYTICS]


def rows(world, source):
    lake = Lake(world.lake).of(source)
    return lake.storage.exists(lake.rows(ENGAGEMENTS, world.settings().last_whole_day()))


def test_an_account_with_oauth_2_alone_is_pulled_from_x_api_v2(alone):
    assert pulled(alone) == []
    assert statuses(alone) == [200]
    assert rows(alone, "x_api_v2")


def test_its_timeline_is_synced(alone):
    alone.roster.unlink()
    alone.emulator.v2.faults.set(timeline_reach=30)
    chosen = alone.settings(tries="1")
    known = accounts.load(chosen.accounts)
    assert not roster_sync.sync(chosen, known, roster_sync.estimates(chosen, known, [HANDLE])).failures
    assert roster_synced.known(chosen.tweets, HANDLE)


def test_of_both_sources_the_one_that_takes_no_oauth_2_says_so_and_the_other_is_pulled(alone):
    (failure,) = pulled(alone, source="both")
    assert isinstance(failure, AccountError)
    assert "the Engagement API takes those of OAuth 1.0a: engagement authorize harborbooks gets them" in str(failure)
    assert not alone.emulator.requests
    assert rows(alone, "x_api_v2")
    assert not rows(alone, "engagement")


def test_an_account_with_both_kinds_is_pulled_from_both_sources(world):
    world.follow({HANDLE: world.tweets(HANDLE, 2)})
    let_in(world, HANDLE)
    assert pulled(world, source="both") == []
    assert rows(world, "x_api_v2")
    assert rows(world, "engagement")


def test_a_token_that_is_over_in_the_file_is_refreshed_before_the_pull(alone):
    expire_in_file(alone)
    before = held(alone, HANDLE)
    assert pulled(alone) == []
    assert (refreshes(alone), statuses(alone)) == ([200, 200], [200])
    after = held(alone, HANDLE)
    assert after.refresh_token != before.refresh_token
    assert after.user_id == before.user_id
    expire_in_file(alone)
    assert pulled(alone) == []
    assert refreshes(alone) == [200] * 3


def test_a_pull_that_dies_before_the_new_tokens_are_in_the_file_costs_no_authorisation(alone):
    expire_in_file(alone)
    before = held(alone, HANDLE)
    assert forks.run(DIE_AT_FILE, "accounts.toml", "pull", "--from", "2026-01-31").code == 9
    assert held(alone, HANDLE) == before
    assert refreshes(alone) == [200, 200]
    assert pulled(alone) == []
    assert refreshes(alone) == [200, 200]


def test_a_token_that_was_taken_back_is_refreshed_at_the_401(alone):
    revoke(alone, held(alone, HANDLE).access_token)
    assert pulled(alone) == []
    assert (refreshes(alone), statuses(alone)) == ([200, 200], [401, 200])


def test_a_clock_of_the_api_that_is_ahead_of_ours_costs_a_refresh(alone):
    """The token is over by that clock alone."""
    alone.emulator.v2.faults.set(clock_ahead_seconds=7300)
    assert pulled(alone) == []
    assert (refreshes(alone), statuses(alone)) == ([200, 200], [401, 200])


def test_a_refresh_token_that_is_no_good_is_one_line_and_the_other_accounts_go_on(alone, engagement):
    let_in(alone, OTHER)
    alone.follow({handle: alone.tweets(handle, 2) for handle in (HANDLE, OTHER)})
    dead = held(alone, HANDLE)
    revoke(alone, dead.access_token)
    revoke(alone, dead.refresh_token)
    code, _, lines = engagement("pull", "--from", "2026-01-31")
    told = [line for line in lines if HANDLE in line]
    assert code == 1
    assert len(told) == 1
    assert "answered 400 (Value passed for the token was invalid.): its refresh token has expired" in told[0]
    assert "run engagement authorize harborbooks --oauth2" in told[0]
    assert 200 in [asked.status for asked in alone.emulator.v2.requests if asked.handle == OTHER]


def test_after_an_answer_that_was_lost_the_handle_authorises_again(alone, engagement, failed):
    expire_in_file(alone)
    alone.emulator.v2.faults.set(reset=1)
    code, line = failed("pull", "--from", "2026-01-31")
    assert (code, refreshes(alone)) == (1, [200, 200, 400])
    assert "spent by a refresh whose answer got lost: run engagement authorize harborbooks --oauth2" in line
    alone.emulator.v2.faults.reset()
    let_in(alone, HANDLE)
    assert engagement("pull", "--from", "2026-01-31")[0] == 0


def test_a_scope_that_the_token_lacks_is_named(alone, failed, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(oauth2, "SCOPES", ("tweet.read", "offline.access"))
        patched.setattr("engagement_pipeline.transport.authorizing._user_id", lambda *_, **__: "99")
        let_in(alone, HANDLE)
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert "answered 403 (Forbidden): this needs the scopes tweet.read and users.read" in line


def test_check_tells_what_each_source_makes_of_it(alone, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_SOURCE", "both")
    code, out, _ = engagement("check")
    of_engagement, of_v2 = [line for line in out.splitlines() if HANDLE in line]
    assert code == 1
    assert "the Engagement API takes those of OAuth 1.0a" in of_engagement
    assert f"works, 2 types of /analytics; the tokens belong to user id {held(alone, HANDLE).user_id}" in of_v2


def test_status_tells_which_handles_have_oauth_2(alone, engagement):
    said = engagement("status")[1].splitlines()
    assert f"  OAuth 2 for X API v2: {HANDLE}; nothing for the Engagement API: {HANDLE}" in said


def test_no_token_old_or_new_is_in_the_lake_or_in_what_is_told(alone, capfd, monkeypatch):
    from engagement_pipeline.cli.main import main  # noqa: PLC0415

    expire_in_file(alone)
    text = alone.accounts.read_text()
    assert main(["-v", "pull", "--from", "2026-01-31"]) == 0
    found = re.findall(r'oauth2_\w+_token = "(.*)"', text + alone.accounts.read_text())
    assert len(set(found)) == 4
    told = "".join(capfd.readouterr())
    files = b"".join(file.read_bytes() for file in alone.lake.rglob("*") if file.is_file())
    assert not [token for token in found if token in told or token.encode() in files]
