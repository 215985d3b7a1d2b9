"""No secret leaves the command line, and nothing that the API or the roster brought along commands a terminal."""

import csv
import io
import json
import logging
import os
import pty
import subprocess
import sys

import pyarrow as pa
import pytest

from engagement_pipeline.cli.main import main

ESCAPE = "\x1b]0;owned\x07"


@pytest.fixture(autouse=True)
def _log_records_as_before():
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.fixture
def broken(in_world, monkeypatch):
    """A program with a mistake, which raises an exception with a token in it."""
    token = in_world.emulator.credentials.bearer_token

    def mistaken(*_, **__):
        raise ValueError(f"Invalid header value b'Bearer {token}\\n'")

    monkeypatch.setattr("engagement_pipeline.pipeline.run", mistaken)
    return token


def test_an_exception_that_nobody_foresaw_is_one_line_without_the_secret(broken, failed):
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert line == (
        r"ValueError: Invalid header value b'Bearer …\n': a mistake of this program; what has landed is kept; "
        "the same command with --traceback shows where, without secrets"
    )


@pytest.mark.parametrize("arguments", [("--traceback", "pull"), ("pull", "--traceback")])
def test_its_traceback_is_shown_on_demand_without_the_secret(broken, capsys, arguments):
    assert main([*arguments, "--from", "2026-01-31"]) == 1
    told = capsys.readouterr().err
    assert "Traceback (most recent call last):" in told
    assert "in mistaken" in told
    assert broken not in told


def test_a_log_record_of_a_library_is_masked(in_world, monkeypatch, capsys):
    token = in_world.emulator.credentials.bearer_token
    monkeypatch.setattr(
        "engagement_pipeline.pipeline.publish_landed",
        lambda *_, **__: logging.getLogger("somebody").error("sent %s", token, exc_info=ValueError(token)) or [],
    )
    main(["pull", "--from", "2026-01-31"])
    assert capsys.readouterr().err.splitlines() == ["engagement: sent …", "ValueError: …"]


def test_a_token_with_a_line_end_in_the_middle_is_told_without_it(in_world, failed):
    credentials = in_world.emulator.credentials
    broken = credentials.bearer_token[:50] + "\\n" + credentials.bearer_token[50:]
    in_world.accounts.write_text(in_world.accounts.read_text().replace(credentials.bearer_token, broken))
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 2
    assert "app.bearer_token in line 5 holds a line end (U+000A)" in line
    assert credentials.bearer_token[:16] not in line


@pytest.mark.parametrize("written", [str, lambda token: token.replace("-", "%2D")])
def test_an_answer_that_repeats_the_request_never_lands_as_it_is(in_world, failed, monkeypatch, written):
    """A debugging proxy, say: the 200 is right in all else."""
    credentials = in_world.emulator.credentials
    told = [credentials.consumer_key, *(written(token.key) for token in credentials.tokens.values())]
    whole = in_world.emulator._service._body
    monkeypatch.setattr(in_world.emulator._service, "_body", lambda *arguments: repeating(whole(*arguments), told))
    code, line = failed("pull", "--from", "2026-01-31")
    assert code == 1
    assert "the body held a secret of the accounts file, and now [a secret of ours] instead" in line
    assert [*in_world.lake.rglob("rejected/*")]
    contents = "".join(unpacked(path) for path in in_world.lake.rglob("*") if path.is_file())
    assert "[a secret of ours]" in contents
    assert not [secret for secret in told if secret in contents]


def repeating(body, told):
    echo = json.dumps({"echo": [f"OAuth oauth_token={secret}" for secret in told]}).encode()
    return echo[:-1] + b", " + body[1:]


def unpacked(path):
    """Return what a file of the lake holds, unpacked where it is of raw."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
            content = stream.read()
    return content.decode(errors="replace")


# Terminals and spreadsheets.


def test_what_the_roster_says_commands_no_terminal(in_world, failed):
    in_world.roster.write_text(f"tweet_id,handle\n1,{ESCAPE}\n")
    _, line = failed("pull", "--from", "2026-01-31")
    assert "\x1b" not in line
    assert "\x07" not in line


def test_a_table_shows_control_characters_as_escapes(lake, engagement):
    shown = engagement("sql", f"select '{ESCAPE}' as \"x\x1by\", chr(155) || 'a' as b")[1]
    assert r"\x1b]0;owned\x07" in shown
    assert r"x\x1by" in shown
    assert r"\x9ba" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


def test_json_is_the_same_value_without_a_control_character(lake, engagement):
    shown = engagement("sql", f"select '{ESCAPE}' || chr(155) || chr(8238) as a", "--format", "json")[1]
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
    assert json.loads(shown) == [{"a": ESCAPE + "\x9b\u202e"}]


def on_a_terminal(*arguments):
    """Return what a command prints where its standard output is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "engagement_pipeline", *arguments]
    with os.fdopen(ours, "rb") as screen:
        done = subprocess.run(command, stdout=theirs, check=True)
        os.close(theirs)
        assert done.returncode == 0
        return screen.read1().decode()


def test_csv_on_a_terminal_shows_escapes_and_in_a_file_the_text_as_it_is(lake):
    query = f"select '{ESCAPE}' as a, '\x1b'::blob as b"
    shown = on_a_terminal("sql", query, "--format", "csv")
    assert r'"\x1b]0;owned\x07"' in shown
    assert "\x1b" not in shown


FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\uff1d1", "=cmd|' /C calc'!A0"]


def rows(printed):
    return [*csv.reader(io.StringIO(printed))]


def test_on_request_no_text_in_a_csv_is_run_as_a_formula(lake, capfd):
    texts = ", ".join("('" + text.replace("'", "''") + "')" for text in FORMULAS)
    assert (
        main(["sql", f'select a as "=a", -5 as n from (values {texts}) as v(a)', "--format", "csv", "--safe-csv"]) == 0
    )
    head, *found = rows(capfd.readouterr().out)
    assert head == ["'=a", "n"]
    assert found == [[f"'{text}", "-5"] for text in FORMULAS]


def test_without_the_request_a_csv_has_each_text_as_it_is(lake, capfd):
    assert main(["sql", "select '=1' as a, 'x' as b", "--format", "csv"]) == 0
    assert rows(capfd.readouterr().out) == [["a", "b"], ["=1", "x"]]


def test_safe_csv_is_for_csv_alone(lake, failed):
    assert failed("sql", "select 1", "--safe-csv") == (
        2,
        "--safe-csv and --bom are for --format csv: leave them out, or add that",
    )
