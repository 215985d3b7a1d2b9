"""Refresh tokens are good once: none is lost in a crash, by another process or with a full disk."""

import errno
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import forks
import pytest
import rotating
from power_cuts import recorded
from rotating import FILE, NOW, Host, accounts_file, answer, pair, rotated

from engagement_pipeline.core.errors import AccountError, InputError, UnavailableError
from engagement_pipeline.transport import accounts, rotation
from engagement_pipeline.transport.accounts import Account, UserTokens

PREPARE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import rotating
rotating.prepare(Path(sys.argv[1]))
"""
OLD = UserTokens("AccessToken-1", "RefreshToken-1", datetime(2026, 1, 1, tzinfo=UTC), "99")


@pytest.fixture
def path(tmp_path):
    return accounts_file(tmp_path)


def held(path):
    return accounts.glance(path).by_handle["ann"].oauth2


def left(path):
    """Return the names beside the accounts file, but for locks."""
    return sorted(found.name for found in path.parent.iterdir() if found.suffix != ".lock" and found != path)


def test_new_tokens_are_in_the_file_and_all_else_in_it_stays(path):
    new = rotated(path, Host())
    assert (new.access_token, new.refresh_token, new.user_id) == ("AccessToken-2", "RefreshToken-2", "99")
    assert new.expires_at == NOW + timedelta(hours=2)
    assert held(path) == new
    assert path.read_text().startswith(FILE.partition("oauth2_access")[0])
    assert path.stat().st_mode & 0o777 == 0o600
    assert left(path) == []


def test_tokens_that_another_process_has_refreshed_are_read_from_the_file(path):
    host = Host()
    assert rotated(path, host) == rotated(path, host)
    assert host.asked == 1


def test_of_many_that_refresh_at_once_one_does_and_the_others_read_its_tokens(path):
    host, together, found = Host(), threading.Barrier(8), []

    def refresh():
        together.wait()
        found.append(rotated(path, host))

    threads = [threading.Thread(target=refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert host.asked == 1
    assert {tokens.access_token for tokens in found} == {"AccessToken-2"}


def test_a_refresh_that_waits_for_another_too_long_says_so(path, monkeypatch):
    monkeypatch.setattr("engagement_pipeline.transport.private_file.SAVE_SECONDS", -9.9)  # of the 10 to wait
    inside = threading.Event()
    go_on = threading.Event()

    def slow(before):
        inside.set()
        go_on.wait(60)
        return answer(pair(2))

    thread = threading.Thread(target=rotated, args=(path, slow))
    thread.start()
    inside.wait(60)
    with pytest.raises(InputError, match="is being written by another program for 0 s: try again"):
        rotated(path, Host())
    monkeypatch.undo()
    go_on.set()
    thread.join()


# A crash.


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of refreshes that were killed or met another."""
    root = tmp_path_factory.mktemp("killed")
    ended = forks.run(PREPARE, str(root), str(Path(rotating.__file__).parent))
    assert ended.code == 0, ended.said
    return root


def test_two_processes_that_refresh_at_once_spend_one_token_and_have_the_same(killed):
    both = killed / "both"
    assert (both / "spent").read_text() == "RefreshToken-1\n"
    assert {(both / f"had-{number}").read_text() for number in range(2)} == {"AccessToken-2"}


def is_on_the_disk(path):
    """Tell whether the answer of the host is."""
    waiting = path.with_name(".accounts.toml.refresh")
    return "AccessToken-2" in path.read_text() or (waiting.exists() and b"AccessToken-2" in waiting.read_bytes())


def test_a_refresh_killed_at_any_step_once_its_answer_is_on_the_disk_loses_no_token(killed):
    """The next one finds the new tokens, and asks nobody: the host would refuse the old refresh token.

    The answer is there before anything else is done, so no later kill finds it missing.
    """
    tried, found = [], []
    for folder in sorted(killed.glob("0*")):
        path = folder / "accounts.toml"
        tried.append((folder / "killed").read_text())
        found.append(is_on_the_disk(path))
        host = Host()
        host.number += found[-1]
        assert rotated(path, host).refresh_token == "RefreshToken-2", tried[-1]
        assert host.asked == (not found[-1]), tried[-1]
        assert [name for name in left(path) if name != "killed"] == []
        assert path.stat().st_mode & 0o777 == 0o600
    answered = tried.index("before the answer") + 1
    assert tried[answered] == "before fsync"
    assert not any(found[:answered])
    assert all(found[answered:])
    assert {"before replace", "before unlink", "not killed"} <= {*tried[answered:]}


def test_a_refresh_survives_a_power_cut(path):
    with recorded(path.parent) as recording:
        rotated(path, Host())
    assert recording.steps
    unsynced = recording.unsynced()[1]
    assert {name for change in unsynced for _, name in change.names} <= {".accounts.toml.refresh"}


def test_a_lost_answer_is_told_by_the_next_refresh(path):
    host = Host()

    def broken(before):
        host(before)
        raise UnavailableError("broke off", account="ann")

    with pytest.raises(UnavailableError):
        rotated(path, broken)
    assert held(path) == OLD
    assert left(path) == []
    with pytest.raises(AccountError, match="spent"):
        rotated(path, host)


# What is left, and the file.


def waiting(path):
    """Leave what a refresh leaves that was killed with its answer on the disk."""

    def killed(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            rotated(path, lambda _: answer(pair(2)))
    assert left(path) == [".accounts.toml.refresh"]


def test_what_waits_is_its_owners_alone(path):
    waiting(path)
    assert stat.S_IMODE(path.with_name(".accounts.toml.refresh").stat().st_mode) == 0o600


def test_what_waits_does_not_replace_tokens_that_came_since(path):
    waiting(path)
    path.write_text(FILE.replace("-1", "-7"))
    assert rotated(path, Host()).access_token == "AccessToken-7"
    assert left(path) == []


def test_authorising_again_replaces_what_waits(path):
    waiting(path)
    new = UserTokens("AccessToken-9", "RefreshToken-9", OLD.expires_at, "99")
    rotation.keep(path, Account("ann", oauth2=new), seconds=10)
    assert left(path) == []
    assert rotated(path, Host()) == new


@pytest.mark.parametrize("content", [b"", b"{", b'{"handle": "ann"}\n', b"\xff\n\xff", b"[]\n{}"])
def test_half_of_what_would_wait_stops_nobody(path, content):
    path.with_name(".accounts.toml.refresh").write_bytes(content)
    assert rotated(path, Host()).access_token == "AccessToken-2"


def test_an_answer_of_which_a_part_is_on_the_disk_is_as_good_as_none(path):
    waiting(path)
    place = path.with_name(".accounts.toml.refresh")
    place.write_bytes(place.read_bytes().rstrip()[:-5])
    assert rotated(path, Host()).access_token == "AccessToken-2"


def test_an_answer_without_a_refresh_token_leaves_the_old_one(path):
    rotated(path, lambda _: answer(pair(2, refresh_token=None)))
    assert (held(path).access_token, held(path).refresh_token) == ("AccessToken-2", "RefreshToken-1")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"access_token": 5}', b'{"access_token": ""}'])
def test_an_answer_without_tokens_changes_nothing(path, body):
    with pytest.raises(UnavailableError, match="answered 200 without OAuth 2 tokens: is a proxy in the way"):
        rotated(path, lambda _: answer(body))
    assert held(path) == OLD
    assert left(path) == []


@pytest.mark.parametrize("seconds", [None, 0, -5, 10**30])
def test_a_lifetime_that_is_none_is_no_error(path, seconds):
    new = rotated(path, lambda _: answer(pair(2, expires_in=seconds)))
    assert NOW <= new.expires_at <= NOW + timedelta(days=366)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_nothing_is_asked_where_the_answer_could_not_be_kept(path, monkeypatch, number):
    really = os.open

    def refused(name, *arguments, **named):
        if str(name).endswith(".refresh"):
            raise OSError(number, os.strerror(number), str(name))
        return really(name, *arguments, **named)

    monkeypatch.setattr(os, "open", refused)
    host = Host()
    with pytest.raises(InputError, match=r"refresh cannot be written \(.*without it new tokens may get lost"):
        rotated(path, host)
    assert host.asked == 0


def test_tokens_that_the_file_cannot_take_wait_and_are_told(path, monkeypatch):
    def full(*_):
        raise InputError(f"{path} cannot be written: No space left on device; nothing in it has changed")

    monkeypatch.setattr("engagement_pipeline.transport.private_file.write", full)
    with pytest.raises(InputError, match=r"No space left.*new tokens of ann wait in \S+refresh for the next refresh"):
        rotated(path, Host())
    monkeypatch.undo()
    assert rotated(path, Host()).access_token == "AccessToken-2"


def test_an_account_that_left_the_file_is_told_so(path):
    path.write_text(FILE.partition("\n[accounts")[0])
    with pytest.raises(AccountError, match="has no OAuth 2 tokens of it any more: run engagement authorize ann"):
        rotated(path, Host())
