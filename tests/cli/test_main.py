"""The command line: results on standard output, one line on standard error for whatever is wrong, and exit codes."""

import re
import signal
import subprocess
import sys
import tomllib

import pytest
from parsers import commands_of
from processes import CLONE, started

from engagement_pipeline.cli.commands import parser
from engagement_pipeline.cli.main import main

COMMANDS = ("authorize", "check", "plan", "pull", "sql", "emulator", "demo", "up")


# What goes well.


def test_a_plan_shows_the_requests_and_sends_none(in_world, engagement):
    code, out, errors = engagement("plan", "--from", "2026-01-01", "--to", "2026-01-31")
    assert (code, errors) == (0, [])
    assert "2026-01-01 to 2026-01-28: " in out
    assert "2026-01-29 to 2026-01-31: 3 requests to /historical" in out
    assert "at 6,000 requests a minute" in out
    assert not in_world.emulator.requests
    assert not in_world.lake.exists()


def test_without_days_the_look_back_that_ends_with_the_last_whole_day_is_planned(in_world, engagement, monkeypatch):
    assert engagement("plan")[1].startswith("2026-01-04 to 2026-01-31: ")
    monkeypatch.setenv("ENGAGEMENT_LOOKBACK_DAYS", "7")
    assert engagement("plan")[1].startswith("2026-01-25 to 2026-01-31: ")


def test_the_look_back_ends_where_the_data_begin(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2014-09-01")
    assert engagement("plan", "--to", "2014-09-05")[1].startswith("2014-09-01 to 2014-09-05: ")


def test_the_look_back_does_not_go_behind_the_first_day(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-01-20")
    assert engagement("plan")[1].startswith("2026-01-20 to 2026-01-31: ")
    assert engagement("plan", "--to", "2026-01-25")[1].startswith("2026-01-20 to 2026-01-25: ")
    assert engagement("plan", "--from", "2026-01-10")[1].startswith("2026-01-10 to 2026-01-31: ")


@pytest.mark.parametrize("command", ["plan", "pull"])
def test_a_look_back_that_would_end_before_the_first_day_is_refused(in_world, failed, monkeypatch, command):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-01-20")
    code, line = failed(command, "--to", "2026-01-19")
    assert code == 2
    assert line.startswith("2026-01-19 is before 2026-01-20, the setting first_day, so no look-back ends there: ")
    assert line.endswith("name the first day with --from")
    assert not in_world.emulator.requests


def test_the_first_day_has_no_say_over_the_endpoints_of_the_present(in_world, engagement, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-03-01")
    assert engagement("plan", "--endpoint", "totals")[0] == 0


def test_a_pull_of_days_says_how_soon_dagster_shows_them(in_world, engagement, monkeypatch):
    line = "if Dagster runs on this lake, it shows each whole day within 2 minutes, without a request"
    assert engagement("pull", "--from", "2026-01-31")[1].splitlines()[-1] == line
    assert line not in engagement("pull", "--endpoint", "totals")[1]
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", "2026-02-01")  # Dagster has no partition before
    assert line not in engagement("pull", "--from", "2026-01-31", "--to", "2026-01-31")[1]


def test_a_pull_that_stored_nothing_promises_nothing_of_dagster(in_world, engagement):
    in_world.emulator.faults.set(app_not_approved=True)
    code, out, _ = engagement("pull", "--from", "2026-01-31")
    assert code == 1
    assert " = 0 stored" in out
    assert "Dagster" not in out


def test_a_pull_states_that_requested_is_stored_plus_set_aside(in_world, engagement):
    deleted = in_world.tweets("harborbooks", 1, state="deleted")
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2) + deleted})
    code, out, errors = engagement("pull", "--from", "2026-01-30", "--to", "2026-01-31")
    assert (code, errors) == (0, [])
    assert "2026-01-30 to 2026-01-31: 3 Tweets asked for = 2 stored + 1 set aside" in out
    assert f": {deleted[0]}\n" in out


def test_a_pull_that_goes_on_shows_the_plan_in_full_and_sends_what_has_not_landed(in_world, engagement):
    in_world.emulator.faults.set(revoked_handles=["lumenaudio"])
    assert engagement("pull", "--from", "2026-01-31")[0] == 1
    in_world.emulator.faults.reset()
    before = len(in_world.emulator.requests)
    code, out, _ = engagement("pull", "--from", "2026-01-31")
    assert code == 0
    assert "2026-01-31 to 2026-01-31: 3 requests to /historical" in out
    assert [request.handle for request in in_world.emulator.requests[before:]] == ["lumenaudio"]


def test_what_was_pulled_answers_sql(in_world, engagement):
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    assert engagement("sql", "select count(distinct tweet_id) as n from engagements", "--format", "json")[:2] == (
        0,
        '[{"n": 6}]\n',
    )


@pytest.mark.parametrize("endpoint", ["totals", "28hr"])
def test_the_endpoints_of_the_present_are_planned_and_pulled_without_days(in_world, engagement, endpoint):
    code, out, errors = engagement("pull", "--endpoint", endpoint)
    assert (code, errors) == (0, [])
    assert out.startswith(f"3 requests to /{endpoint}\n")
    assert "6 Tweets asked for = 6 stored + 0 set aside" in out


def test_a_plan_names_whom_it_leaves_out_and_why(in_world, engagement):
    foreign = [tweet.tweet_id for tweet in in_world.emulator.world.foreign_tweets() if tweet.state == "ok"][:3]
    gone = in_world.tweets("harborbooks", 1, state="deleted")
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2) + gone, "": foreign})
    assert engagement("pull", "--from", "2026-01-31")[0] == 0
    code, out, _ = engagement("plan", "--from", "2026-01-31")
    assert code == 0
    assert "harborbooks           1 request for 2 Tweets\n" in out
    assert "left out: 3 Tweets of others, which /totals alone serves\n" in out
    assert re.search(r"left out: 1 Tweet unavailable on \d{4}-\d\d-\d\d, asked for again after 30 days\n", out)
    assert "this month (UTC), with this pull:\n  requests   1 + 1 = 2\n  handles    1 + 0 = 1\n" in out
    assert "(of others)           1 request for 3 Tweets\n" in engagement("plan", "--endpoint", "totals")[1]


def test_a_check_fails_where_an_account_does_not_work_and_says_which(in_world, engagement):
    assert engagement("check")[0] == 0
    in_world.emulator.faults.set(revoked_handles=["lumenaudio"])
    code, out, errors = engagement("check")
    assert (code, errors) == (1, ["1 of 3 accounts cannot be used for a pull: see above"])
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["harborbooks"].startswith("works, ")
    assert "401" in lines["lumenaudio"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "historical impressions,quote_tweets",
            ["left out: type quote_tweets, which /totals and /analytics alone serve"],
        ),
        (
            "totals favorites,url_clicks",
            ["left out: type url_clicks, which /28hr, /historical and /analytics alone serve"],
        ),
        ("historical impressions", []),
        ("historical ", []),  # all types that there are
    ],
)
def test_a_plan_names_the_chosen_types_that_the_endpoint_does_not_serve(in_world, engagement, monkeypatch, asked, told):
    endpoint, types = asked.split(" ")
    monkeypatch.setenv("ENGAGEMENT_TYPES", types)
    out = engagement("plan", "--endpoint", endpoint)[1]
    assert [line for line in out.splitlines() if line.startswith("left out")] == told


@pytest.mark.parametrize("endpoint", ["historical", "28hr"])
def test_a_roster_of_others_alone_is_told_where_it_can_be_asked_for(in_world, failed, endpoint):
    in_world.follow({"": [tweet.tweet_id for tweet in in_world.emulator.world.foreign_tweets()[:2]]})
    code, line = failed("pull", "--endpoint", endpoint)
    assert code == 2
    assert "holds Tweets of others only (no handle), which /totals alone serves" in line


def test_an_empty_roster_is_told(in_world, failed):
    in_world.follow({})
    code, line = failed("pull")
    assert code == 2
    assert line.startswith(f"the roster {in_world.roster.parent}/* holds no Tweet to pull: write a row of tweet_id and")


def test_tweets_of_others_alone_need_a_type_that_is_public(in_world, failed, monkeypatch):
    """Else a pull would send nothing and call it a success."""
    in_world.follow({"": [tweet.tweet_id for tweet in in_world.emulator.world.foreign_tweets()[:2]]})
    monkeypatch.setenv("ENGAGEMENT_TYPES", "impressions")
    code, line = failed("pull", "--endpoint", "totals")
    assert code == 2
    assert line.endswith(
        "and none of the setting types is public: add some of favorites, quote_tweets, replies, retweets, video_views"
    )


def test_refusals_of_many_requests_are_one_line_of_the_outcome(in_world, engagement):
    """The API's texts differ in the Tweets that they name."""
    foreign = in_world.tweets("lumenaudio", 60)[::2]
    mine = in_world.tweets("harborbooks", 60)[::2]
    in_world.follow({"harborbooks": sorted(foreign + mine)})
    _, out, _ = engagement("pull", "--from", "2026-01-31")
    (told,) = [line for line in out.splitlines() if "Forbidden" in line]
    shown = ", ".join(map(str, foreign[:3]))
    assert told == f"  403: Forbidden to access tweets for author id …: {shown} and 27 more"


def test_a_foreign_tweet_is_set_aside_with_the_apis_own_words_and_the_rest_is_stored(in_world, engagement):
    foreign = in_world.tweets("lumenaudio", 1)
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2) + foreign})
    code, out, _ = engagement("pull", "--from", "2026-01-31")
    assert code == 0
    assert "3 Tweets asked for = 2 stored + 1 set aside" in out
    assert "Forbidden to access tweets for author id" in out
    assert str(foreign[0]) in out


def test_an_accounts_file_that_others_can_read_is_warned_of_and_used(in_world, engagement):
    in_world.accounts.chmod(0o644)
    code, out, errors = engagement("plan")
    assert (code, errors) == (
        0,
        [f"{in_world.accounts} can be read by others on this machine: chmod 600 {in_world.accounts}"],
    )
    assert "3 requests" in out


# As a process.


def test_an_error_is_one_line_and_an_exit_code_for_the_shell_too(lake):
    with started("sql", "selct", stdout=subprocess.PIPE) as process:
        assert process.stdout.read() == ""
        lines = process.stderr.read().splitlines()
    assert (len(lines), process.returncode) == (1, 2)
    assert lines[0].startswith("engagement: the query failed: ")


def test_the_emulator_serves_until_it_is_told_to_end(tmp_path):
    files = ("--accounts", str(tmp_path / "accounts.toml"), "--tweets", str(tmp_path / "roster.csv"))
    with started("emulator", "--port", "0", "--now", "2026-02-01", *files, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith("the Engagement API and X API v2, emulated, at http://127.0.0.1:")
        assert (tmp_path / "accounts.toml").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "roster.csv").read_text().startswith("tweet_id,handle,state\n")
        process.send_signal(signal.SIGTERM)
        assert (process.stderr.read(), process.wait()) == ("", 0)


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_is_an_answer_and_no_error(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    shown = capsys.readouterr()
    assert (caught.value.code or 0, shown.err) == (0, "")
    assert shown.out.startswith(f"usage: {' '.join(['engagement', *command])} ")
    assert shown.out.endswith("\nExit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.\n")


def test_the_version_is_that_of_the_project(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    project = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert capsys.readouterr() == (f"engagement {project['version']}\n", "")


def subparsers():
    """Return the parser of each command by its name."""
    return dict(commands_of(parser()))


def test_every_command_and_each_of_its_arguments_is_explained():
    assert set(COMMANDS) <= set(subparsers())
    for sub in subparsers().values():
        assert sub.description
        assert all(action.help for action in sub._actions)


def test_each_default_that_the_help_names_is_the_default():
    explained = [a for sub in subparsers().values() for a in sub._actions if "(default: " in a.help]
    assert len(explained) >= 7
    for action in explained:
        default = f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
        assert f"(default: {default})" in action.help


# Dagster stays out.


def test_no_module_of_the_library_imports_dagster():
    """In a fresh interpreter, since other tests of this process may have imported it."""
    program = """
import importlib, pkgutil, sys, engagement_pipeline
for module in pkgutil.walk_packages(engagement_pipeline.__path__, "engagement_pipeline."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert len([name for name in sys.modules if name.startswith("engagement_pipeline.")]) > 20
assert "dagster" not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=CLONE).returncode == 0


def test_no_source_of_the_library_imports_dagster_even_later():
    sources = list((CLONE / "engagement_pipeline").rglob("*.py"))
    assert sources
    for source in sources:
        assert not [line for line in source.read_text().splitlines() if "dagster" in line and "import" in line.split()]
