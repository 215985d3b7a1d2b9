"""The limits of a month on the command line: what plan shows, what is refused, and what goes over them."""

PULL = ("pull", "--from", "2026-01-31")


def test_a_plan_tells_what_the_month_has_used_and_what_is_left_and_sends_nothing(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "2")
    code, out, errors = engagement("plan", "--from", "2026-01-31")
    assert (code, errors) == (0, [])
    assert out.splitlines()[-3:] == [
        "this month (UTC), with this pull:",
        "  requests   0 + 3 = 3 of 2, 0 left, 1 too many",
        "  handles    0 + 3 = 3",
    ]
    assert not in_world.emulator.requests


def test_a_plan_of_two_sources_tells_their_sum(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_PRICE_PER_READ", "0.005")
    out = engagement("plan", "--from", "2026-01-31", "--source", "both")[1]
    assert out.splitlines()[-3:] == [
        "  requests   0 + 6 = 6",
        "  handles    0 + 3 = 3",
        "  Posts read 0 + 6 = 6; 0.03 at 0.005 each",
    ]


def test_a_pull_over_a_limit_is_one_line_that_says_what_to_do(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "2")
    code, _, (line,) = engagement(*PULL)
    assert code == 1
    assert line == (
        "this pull needs 3 requests, and 2 of this month's 2 are left (requests_per_month): nothing is sent. Raise "
        "requests_per_month, wait until 2026-03-01 (UTC), or go over it with --over-budget, in Dagster with the tag "
        "engagement/over_budget: true. What has landed is kept: the same pull goes on then"
    )
    assert not in_world.emulator.requests
    assert engagement(*PULL, "--over-budget")[0] == 0


def test_a_check_over_a_limit_is_one_line(in_world, engagement, failed, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "2")
    code, line = failed("check")
    assert code == 1
    assert line.startswith("0 of this month's 2 requests are left (requests_per_month): nothing more is sent.")
    assert engagement("check", "--over-budget")[0] == 0


def test_a_sync_over_a_limit_is_one_line(in_world, engagement, failed, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_POSTS_PER_MONTH", "10")
    code, line = failed("roster", "sync", "harborbooks", "--yes")
    assert code == 1
    assert line.startswith("this sync of the roster needs 3,200 Posts, and 10 of this month's 10 are left (posts_per")
    in_world.emulator.v2.faults.set(timeline_reach=10)
    assert engagement("roster", "sync", "harborbooks", "--yes", "--over-budget")[0] == 0


def test_a_pull_warns_from_80_percent_on(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "4")
    assert engagement(*PULL)[2] == []
    monkeypatch.setenv("ENGAGEMENT_REQUESTS_PER_MONTH", "7")
    assert engagement(*PULL)[2] == [
        "86 % of this month's requests are used: 6 of 7 (requests_per_month), until 2026-03-01 (UTC)"
    ]
