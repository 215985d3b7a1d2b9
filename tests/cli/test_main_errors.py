"""The command line where something is wrong: one line on standard error that names the fact and the fix."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from processes import CLONE, started

from engagement_pipeline.emulator import Credentials

# What is wrong with what the user gave: exit code 2, and nothing was asked.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required: COMMAND; see engagement --help"),
        (("pul",), "invalid choice: 'pul'"),
        (("plan", "--form", "2026-01-01"), "unrecognized arguments"),
        (
            ("plan", "--from", "notaday"),
            "argument --from: 'notaday' is not a day such as 2026-01-31; see engagement plan",
        ),
        (("plan", "--to", "2026-02-30"), "argument --to: '2026-02-30' is not a day such as 2026-01-31"),
        (
            ("plan", "--from", "2026-01-31", "--to", "2026-01-30"),
            "the first day, 2026-01-31, is after the last, 2026-01-30",
        ),
        (
            ("plan", "--from", "2026-02-02"),
            "2026-02-02 is not over yet: 2026-01-31 is the last whole UTC day, end there",
        ),
        (("plan", "--from", "2026-01-31", "--to", "2026-02-01"), "2026-02-01 is not over yet"),
        (("plan", "--from", "2014-08-31"), "2014-08-31 is before 2014-09-01, where the API's data begin"),
        (("plan", "--to", "0001-01-01"), "0001-01-01 is before 2014-09-01"),
        (("pull", "--endpoint", "tweets"), "invalid choice: 'tweets'"),
        (("pull", "--endpoint", "totals", "--from", "2026-01-31"), "/totals knows only the present: leave out --from"),
        (("plan", "--endpoint", "28hr", "--to", "2026-01-31"), "/28hr knows only the present: leave out --from and"),
        (("sql", "select 1", "--file", "x.sql"), "there are two queries, in --file and beside it: leave one out"),
        (("sql", "select 1", "--format", "xml"), "invalid choice: 'xml'"),
        (
            ("explain", "1", "impressions", "2026-01-31", "25"),
            "20, 21, 22, 23); see engagement explain --help",
        ),
        (("--config", "x.toml", "plan"), "'help'); an option of a command stands behind it; see engagement --help"),
        (("authorize",), "required: HANDLE; see engagement authorize --help"),
        (("authorize", "a/b"), "argument HANDLE: 'a/b' is not a handle: letters, digits and _ only; see engagement"),
        (("emulator",), "required: --port; see engagement emulator --help"),
        (("emulator", "--port", "99999"), "port must be 0 to 65535, got 99999"),
        (("emulator", "--port", "0", "--now", "then"), "'then' is not a time such as 2026-02-01T00:00:00Z"),
        (("emulator", "--port", "0", "--requests-per-minute", "0"), "'0' is not a whole number of at least 1"),
        (("emulator", "--port", "0", "--requests-per-15-minutes", "0"), "'0' is not a whole number of at least 1"),
        (("up", "--port", "0"), "'0' is not a whole number of at least 1"),
        (("up", "--port", "99999"), "port must be 1 to 65535, got 99999"),
        (("emulator", "--port", "http"), "argument --port: 'http' is not a whole number; see engagement emulator"),
        (("emulator", "--port", "0", "--seed", "x"), "argument --seed: 'x' is not a whole number; see engagement"),
        (("emulator", "--port", "0", "--latency", "x"), "'x' is not a number of seconds such as 0.5"),
    ],
)
def test_wrong_arguments_are_told_in_one_line_with_the_fix(in_world, failed, arguments, words):
    code, line = failed(*arguments)
    assert code == 2
    assert words in line
    assert not in_world.emulator.requests


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("TRIES=none", "ENGAGEMENT_TRIES = 'none': must be a whole number"),
        ("CONFIG=/no/such.toml", "/no/such.toml does not exist: create it, or name another with --config"),
        ("API_URL=http://example.org", "must be https"),
        ("ACCOUNTS=/no/accounts.toml", "/no/accounts.toml does not exist"),
        ("TWEETS=/no/tweets/*", "no roster: /no/tweets/* names no file"),
        ("REQUESTS_PER_MINUTE=0", "ENGAGEMENT_REQUESTS_PER_MINUTE = '0': must be a whole number of at least 1"),
        ("TYPES=impressions,likes", "likes is not an engagement type; choose from"),
        (
            "SOURCE_OF=harborboks=x_api_v2",
            "source_of names harborboks, which is not in the accounts file: did you mean harb",
        ),
        (
            "SOURCE_OF=ann=both",
            "source_of names ann, which is not in the accounts file: engagement authorize ann adds it",
        ),
        ("TYPES=quote_tweets", "none of the setting types is served by /historical: add some of app_install"),
    ],
)
def test_wrong_settings_are_told_in_one_line_with_the_fix(in_world, failed, monkeypatch, setting, words):
    monkeypatch.setenv(*f"ENGAGEMENT_{setting}".split("=", 1))
    code, line = failed("pull")
    assert code == 2
    assert words in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[app\n", "is not valid TOML: at line 1"),
        ("[app]\n[accounts.a]\n", "lacks app.consumer_key, app.consumer_secret"),
        ('[app]\nconsumer_key = "k"\nconsumer_secret = "s"\n', "holds no account yet: run engagement authorize HANDLE"),
    ],
)
def test_a_malformed_accounts_file_is_told_in_one_line(in_world, failed, text, words):
    in_world.accounts.write_text(text)
    code, line = failed("pull")
    assert code == 2
    assert line.startswith(f"{in_world.accounts} {words}")


@pytest.fixture
def bad_rows(in_world):
    """A roster with two bad rows and a good one; gives the bad ones as they are told."""
    good = in_world.tweets("harborbooks", 1)
    in_world.follow({"harborbooks": ["x1", *good], "stranger": [5]})
    return [
        f"{in_world.roster}:2 tweet_id 'x1' is not a 64-bit whole number",
        f"{in_world.roster}:4 handle 'stranger' is not in the accounts file: engagement authorize stranger adds it",
    ]


@pytest.mark.parametrize("command", ["plan", "pull"])
def test_bad_rows_of_the_roster_stop_everything(failed, bad_rows, command):
    fix = "Correct them, or go on without them: --skip-bad-rows, or the setting skip_bad_rows"
    assert failed(command) == (2, f"2 bad rows of the roster: {'; '.join(bad_rows)}. {fix}")


@pytest.mark.parametrize("command", ["plan", "pull"])
def test_bad_rows_are_listed_and_left_out_on_request(engagement, bad_rows, command):
    code, out, errors = engagement(command, "--from", "2026-01-31", "--skip-bad-rows")
    assert (code, errors) == (0, [f"left out: {row}" for row in bad_rows])
    assert "1 request for 1 Tweet\n" in out


@pytest.mark.parametrize("command", ["plan", "pull", "check"])
def test_bad_rows_are_left_out_by_the_setting_too(engagement, bad_rows, monkeypatch, command):
    monkeypatch.setenv("ENGAGEMENT_SKIP_BAD_ROWS", "true")
    assert engagement(command)[2][:2] == [f"left out: {row}" for row in bad_rows]


# What fails though the user did nothing wrong: exit code 1.


@pytest.mark.parametrize(
    ("dials", "words"),
    [
        ({"revoked_handles": ["harborbooks"]}, "account harborbooks: the API answered 401 ("),
        ({"app_not_approved": True}, "the API answered 403 (Your application id is not authorized.)"),
        ({"status_503": 1}, "the vendor's side, try again later"),
        ({"html_error": 1}, "answered 502 ("),
        ({"broken_json": 1}, "answered 200 with a body of JSON that broke off ("),
        ({"truncated_gzip": 1}, "answered 200 with a body of JSON that broke off ("),
        ({"reset": 1}, "answered with a body that broke off: check the network"),
    ],
)
def test_an_api_that_does_not_answer_as_it_should_is_told_in_one_line(in_world, failed, monkeypatch, dials, words):
    monkeypatch.setenv("ENGAGEMENT_TRIES", "1")
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2)})
    in_world.emulator.faults.set(**dials)
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert words in line
    refused = dials.keys() & {"revoked_handles", "app_not_approved"}  # as they would be again
    advice = "mend that first, then " if refused else ""
    assert line.rstrip().endswith(f" What has landed is kept: {advice}run the same pull again to resume it")
    assert ".." not in line
    assert "?." not in line


def test_an_api_that_cannot_be_reached_is_named(in_world, failed, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: nobody else answers there
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("ENGAGEMENT_API_URL", url)
        monkeypatch.setenv("ENGAGEMENT_TRIES", "1")
        code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert (
        f"{url}/insights/engagement/historical cannot be reached (no connection): check the network and api_url" in line
    )


def test_wrong_tokens_are_named_by_their_account_and_never_shown(in_world, failed):
    credentials = Credentials.from_seed(2)
    credentials.write_accounts(in_world.accounts)
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 1)})
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert line.startswith("account harborbooks: the API answered 401 (")
    assert "check consumer_key, consumer_secret and its tokens in the accounts file" in line
    token = credentials.tokens["harborbooks"]
    assert not any(text in line for text in (token.key, token.secret, credentials.consumer_secret))


def test_one_revoked_account_fails_the_pull_but_the_others_are_stored(in_world, engagement, failed):
    in_world.emulator.faults.set(revoked_handles=["harborbooks"])
    assert failed("pull", "--from", "2026-01-31")[0] == 1
    query = "select handle from tweets semi join engagements using (tweet_id) group by handle order by handle"
    assert engagement("sql", query, "--format", "csv")[1].split() == ['"handle"', '"lumenaudio"', '"tidalcoffee"']


def test_every_account_that_failed_is_named(in_world, failed):
    in_world.emulator.faults.set(revoked_handles=["harborbooks", "lumenaudio", "tidalcoffee"])
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert all(handle in line for handle in ("harborbooks", "lumenaudio", "tidalcoffee"))
    assert "; engagement check says why). What has landed is kept" in line


def test_a_response_that_does_not_add_up_fails_and_says_where_it_is_kept(in_world, engagement):
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 1)})
    in_world.emulator.faults.set(wrong_sums=1)
    code, _, errors = engagement("pull", "--from", "2026-01-31")
    assert code == 1
    kept = list(in_world.lake.glob("raw/historical/*/*/rejected/*"))
    assert kept
    assert any(f"the response is kept as {path}" in errors[-1] for path in kept)


@pytest.mark.parametrize("command", [("pull",), ("sql", "select 1")])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 99}', "has format 99, this program knows 3: upgrade this program"),
        ('{"format": 2}', "has format 2, this program knows 3: run engagement upgrade"),
        ("{", "lake.json is damaged"),
    ],
)
def test_a_lake_of_another_program_is_left_alone(in_world, failed, command, content, words):
    in_world.lake.mkdir()
    (in_world.lake / "lake.json").write_text(content)
    code, line = failed(*command)
    assert code == 1
    assert words in line
    assert [path.name for path in in_world.lake.iterdir()] == ["lake.json"]


@pytest.mark.parametrize("command", [("pull",), ("sql", "select 1")])
@pytest.mark.parametrize("place", ["accounts.toml", "accounts.toml/lake"])
def test_a_data_folder_that_cannot_be_made_is_named(in_world, failed, monkeypatch, command, place):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(in_world.root / place))
    code, line = failed(*command)
    assert code == 1
    assert str(in_world.root / place) in line


def test_an_emulator_whose_port_is_taken_says_so(in_world, failed):
    port = in_world.emulator.url.rpartition(":")[2]
    code, line = failed("emulator", "--port", port)
    assert code == 2
    assert line == f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port"


@pytest.mark.parametrize("files", [(), ("--accounts", "accounts.toml")])
def test_the_emulator_says_how_a_client_gets_its_keys_if_no_file_has_them(engagement, monkeypatch, files):
    monkeypatch.setattr("engagement_pipeline.cli.emulated.Emulator", lambda **_: None)
    monkeypatch.setattr("engagement_pipeline.cli.emulated.serve", lambda _, ready, **__: ready("http://here"))
    first, *hint = engagement("emulator", "--port", "0", *files)[1].splitlines()
    assert first == "the Engagement API and X API v2, emulated, at http://here; Ctrl-C ends it"
    keys = "it accepts keys of its own alone: --accounts FILE writes them to a file, and --tweets FILE its Tweets"
    assert hint == ([] if files else [keys])


def test_the_emulator_s_switches_reach_it(engagement, monkeypatch):
    asked = {}
    monkeypatch.setattr("engagement_pipeline.cli.emulated.Emulator", lambda **options: asked.update(options))
    monkeypatch.setattr("engagement_pipeline.cli.emulated.serve", lambda *_, **__: None)
    switches = ("--require-gzip", "--max-age-days", "365", "--settle-hours", "48")
    assert engagement("emulator", "--port", "0", *switches)[0] == 0
    assert (asked["require_gzip"], asked["max_age_days"], asked["settle_hours"]) == (True, 365, 48)


def test_what_the_system_refuses_is_told_without_its_number(lake):
    with Path("/dev/full").open("w") as full, started("sql", "select 1", "--format", "csv", stdout=full) as process:
        said = process.stderr.read()
    assert process.returncode == 1
    assert said.startswith("engagement: a file cannot be read or written: No space left on device; make room, then run")
    assert said.count("\n") == 1


def test_a_catalogue_that_cannot_be_written_is_told_without_the_system_s_number(lake, failed):
    code, line = failed("catalog", "--output", "/no/such/folder/views.duckdb")
    assert (code, line) == (
        1,
        "/no/such/folder/views.duckdb cannot be written: No such file or directory; mend that, or name another place",
    )


def test_a_pull_tells_nothing_of_another_one_that_stopped_before(in_world, engagement):
    in_world.emulator.faults.set(revoked_handles=["lumenaudio"])
    assert engagement("pull", "--from", "2026-01-29", "--to", "2026-01-29")[0] == 1
    in_world.emulator.faults.reset()
    out = engagement("pull", "--from", "2026-01-31")[1]
    assert [line for line in out.splitlines() if "asked for = " in line] == [
        "/historical 2026-01-31 to 2026-01-31: 6 Tweets asked for = 6 stored + 0 set aside"
    ]


@pytest.mark.parametrize("made_of_it", [KeyboardInterrupt(), RuntimeError("Query interrupted")], ids=type)
def test_an_interrupt_ends_with_one_line_also_where_duckdb_is_at_a_query(in_world, failed, monkeypatch, made_of_it):
    def interrupted(*_arguments, **_options):
        raise made_of_it

    monkeypatch.setattr("engagement_pipeline.pipeline.run", interrupted)
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 130
    assert line.startswith("interrupted; what a pull has landed is kept")


@pytest.mark.parametrize(
    "lack", [MemoryError(), duckdb.OutOfMemoryException("malloc"), RuntimeError("can't start new thread")], ids=type
)
def test_a_lack_of_memory_is_no_mistake_of_the_program(failed, monkeypatch, in_world, lack):
    def runs_out(*_, **__):
        raise lack

    monkeypatch.setattr("engagement_pipeline.pipeline.run", runs_out)
    code, line = failed("pull")
    assert (code, line) == (
        1,
        "the memory ran out; what has landed is kept: run again, with more memory or a shorter window",
    )


def test_a_file_of_the_lake_that_is_closed_to_this_user_is_told_with_what_to_do(in_world, engagement, monkeypatch):
    in_world.lake.mkdir()
    lock = in_world.lake / ".lake.lock"

    def closed(*_arguments, **_named):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(lock))

    monkeypatch.setattr("engagement_pipeline.pipeline.rebuild", closed)
    code, _, errors = engagement("rebuild")
    assert (code, len(errors)) == (1, 1)
    assert errors[0].startswith(f"{lock} cannot be used: Permission denied; ")
    assert errors[0].endswith("then run the same again: what has landed is kept")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_one_that_nobody_reads(closed):
    shell = ["sh", "-c", f'exec "$0" -m engagement_pipeline tables daily {closed}', sys.executable]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=CLONE)
    assert (done.returncode, done.stderr) == (0, "")
