"""One puller at a time an app: who waits, for whom, and what frees the turn."""

import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from filelock import FileLock
from processes import CLONE, started

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport import app_lock

HOLD = (
    "import sys; from pathlib import Path; from engagement_pipeline.transport import app_lock\n"
    "with app_lock.held(Path(sys.argv[1]), what='the pull of a test'):\n"
    "    print('held', flush=True); sys.stdin.read(1)"
)
PATIENCE_SECONDS = 60  # for another process or thread; only a broken one uses it up


@pytest.fixture
def accounts(tmp_path):
    return tmp_path / "accounts.toml"


@pytest.fixture
def said():
    """Give a queue of what is logged, so that a test can wait for a line."""
    lines = queue.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: lines.put(record.getMessage())
    app_lock.logger.addHandler(handler)
    yield lines
    app_lock.logger.removeHandler(handler)


@contextmanager
def holder(accounts):
    """Run a process that holds the turn until it reads something."""
    command = [sys.executable, "-c", HOLD, str(accounts)]
    with subprocess.Popen(command, cwd=CLONE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process


def wait_for_holder(process, accounts):
    """Return once a process holds the turn."""
    lock = accounts.with_name("accounts.toml.lock")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (lock.exists() and lock.read_text().endswith("\n")) and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    assert f"(process {process.pid} on " in lock.read_text()


def take(accounts):
    """Take the turn and give it back."""
    with app_lock.held(accounts, what="a test"):
        return "taken"


def test_who_waits_says_for_whom_in_one_line_and_gets_the_turn_after_that(accounts, said):
    with ThreadPoolExecutor(1) as pool, holder(accounts) as process:
        waiting = pool.submit(take, accounts)
        line = said.get(timeout=PATIENCE_SECONDS)
        assert line.startswith(
            f"waiting for the pull of a test (process {process.pid} on {socket.gethostname()}, since 20"
        )
        assert line.endswith(" UTC) to end: an app's rate is for one at a time")
        assert not waiting.done()
        process.communicate(b"x")
        assert waiting.result(timeout=PATIENCE_SECONDS) == "taken"
    assert said.empty()


def test_the_turn_of_a_process_that_was_killed_is_free(accounts, said):
    with holder(accounts) as process:
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert take(accounts) == "taken"
    assert said.empty()


def test_threads_of_one_process_take_turns_too(accounts, said):
    with ThreadPoolExecutor(1) as pool:
        with app_lock.held(accounts, what="the pull of a thread"):
            waiting = pool.submit(take, accounts)
            assert f"the pull of a thread (process {os.getpid()} on " in said.get(timeout=PATIENCE_SECONDS)
        assert waiting.result(timeout=PATIENCE_SECONDS) == "taken"


def test_who_waits_says_so_again_when_somebody_else_comes_first(accounts, said):
    """A line that is not whole yet, as its holder has just begun to write it, names nobody."""
    lock = accounts.with_name("accounts.toml.lock")
    with ThreadPoolExecutor(1) as pool:
        with FileLock(lock):
            lock.write_text("the pull of Ja")
            waiting = pool.submit(take, accounts)
            assert f"another pull with {accounts} to end" in said.get(timeout=PATIENCE_SECONDS)
            lock.write_text("the pull of January\n")
            assert "waiting for the pull of January to end" in said.get(timeout=PATIENCE_SECONDS)
        assert waiting.result(timeout=PATIENCE_SECONDS) == "taken"


def test_the_turn_is_given_back_and_nobody_named_after_a_failure(accounts, said):
    with pytest.raises(ZeroDivisionError), app_lock.held(accounts, what="a test"):
        raise ZeroDivisionError
    assert accounts.with_name("accounts.toml.lock").read_text() == ""
    assert take(accounts) == "taken"
    assert said.empty()


def test_a_link_to_an_accounts_file_shares_its_turn(accounts, tmp_path):
    accounts.touch()
    link = tmp_path / "link.toml"
    link.symlink_to(accounts)
    with app_lock.held(link, what="a test"):
        assert accounts.with_name("accounts.toml.lock").read_text().startswith("a test (process ")
    assert not link.with_name("link.toml.lock").exists()


def test_apps_do_not_wait_for_each_other(accounts, tmp_path):
    with app_lock.held(accounts, what="a test"):
        assert take(tmp_path / "other.toml") == "taken"


def test_a_lock_that_cannot_be_written_is_told_in_one_line_with_the_fix(accounts):
    accounts.with_name("accounts.toml.lock").mkdir()
    with pytest.raises(InputError) as caught:
        take(accounts)
    assert str(caught.value).startswith(f"{accounts}.lock cannot be written (")
    assert "make it and its folder writable" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_accounts_folder_that_cannot_be_written_is_told_in_one_line(accounts, monkeypatch):
    """As any user but root meets it."""

    def refuse(path, *_arguments, **_options):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"accounts\.toml\.lock cannot be written \(Permission denied\): "):
        take(accounts)


def test_a_pull_waits_for_its_turn_says_for_whom_and_gives_it_back(in_world, engagement, said):
    days = ("--from", "2026-01-30", "--to", "2026-01-31")
    with app_lock.held(in_world.accounts, what="the pull of somebody else"):
        process = started("pull", *days, stdout=subprocess.PIPE)
        line = process.stderr.readline()
        assert line.startswith("engagement: waiting for the pull of somebody else (process ")
        assert len(in_world.emulator.requests) == 0
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, errors) == (0, "")
    assert len(in_world.emulator.requests) == 3
    assert engagement("pull", *days)[0] == 0
    assert said.empty()


def test_pulls_into_two_lakes_with_one_app_take_turns(in_world, monkeypatch):
    """While one waits for its answers, the other waits for it, and names its days."""
    in_world.emulator.faults.set(slow=1, slow_seconds=3600)
    arguments = ("pull", "--from", "2026-01-30", "--to", "2026-01-31")
    with started(*arguments, stdout=subprocess.DEVNULL) as first:
        wait_for_holder(first, in_world.accounts)
        monkeypatch.setenv("ENGAGEMENT_DATA", str(in_world.root / "other lake"))
        with started(*arguments, stdout=subprocess.DEVNULL) as second:
            line = second.stderr.readline()
            in_world.emulator.faults.reset()
            first.kill()
            assert second.communicate(timeout=PATIENCE_SECONDS) == (None, "")
    assert second.returncode == 0
    holder = f"the pull of /historical 2026-01-30 to 2026-01-31 (process {first.pid} "
    assert line.startswith(f"engagement: waiting for {holder}")
