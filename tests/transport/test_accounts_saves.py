"""Several saves at once, and one that is killed: no token is lost, and none stays where nobody looks for it."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from power_cuts import recorded

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport.accounts import Account, load, save

WHOLE = """\
[app]
consumer_key = "ck"
consumer_secret = "cs"
[accounts.some_handle]
access_token = "at"
access_token_secret = "ats"
"""
OLD, NEW = Account("some_handle", "at", "ats"), Account("new_one", "at-new", "ats-new")
KILLED = """
import os, signal, sys
from pathlib import Path
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport.accounts import Account, save
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
save(Path(sys.argv[1]), Account("killed", "at-killed", "ats-killed"))
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(WHOLE)
    path.chmod(0o600)
    return path


def left_by_the_killed(path):
    """Return the files that hold tokens which a killed save was to write."""
    return [found for found in path.parent.iterdir() if "at-killed" in found.read_text()]


def test_of_many_that_save_at_once_none_loses_the_tokens_of_another(path):
    accounts = [Account(f"shop_{number}", f"at-{number}", f"ats-{number}") for number in range(12)]
    together = threading.Barrier(len(accounts))

    def save_one(account):
        together.wait()
        save(path, account)

    threads = [threading.Thread(target=save_one, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load(path).by_handle == {account.handle: account for account in [OLD, *accounts]}


@pytest.mark.parametrize("use", [load, lambda path: save(path, NEW)], ids=["load", "save"])
def test_a_folder_that_this_user_may_not_list_stops_nobody(path, monkeypatch, use):
    """The file can be read there, as in a folder of another user's with mode 711."""

    def iterdir(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    monkeypatch.setattr(Path, "iterdir", iterdir)
    use(path)
    assert OLD.handle in load(path).by_handle


@pytest.mark.parametrize("use", [load, lambda path: save(path, NEW)], ids=["load", "save"])
def test_what_a_killed_save_leaves_goes_with_the_next_use_of_the_file(path, use):
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -signal.SIGKILL
    assert left_by_the_killed(path)
    use(path)
    assert not left_by_the_killed(path)
    assert load(path).by_handle["some_handle"] == OLD


def test_a_copy_of_the_user_s_own_beside_it_stays(path):
    names = (".accounts.toml.original", "accounts.toml.part", ".accounts.toml.old", ".other.toml.x.part")
    for name in names:
        path.with_name(name).write_text("mine")
    save(path, NEW)
    load(path)
    assert all(path.with_name(name).read_text() == "mine" for name in names)


def test_a_save_into_a_folder_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^\S+accounts\.toml does not exist: "):
        save(tmp_path / "gone" / "accounts.toml", NEW)
    assert not [*tmp_path.iterdir()]


def test_a_save_survives_a_power_cut(path):
    with recorded(path.parent) as recording:
        save(path, NEW)
    assert recording.steps
    assert recording.unsynced()[1] == []


def test_a_save_whose_folder_cannot_be_synced_says_that_the_tokens_are_there(path, monkeypatch):
    really = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(InputError, match=r"has the new tokens, but .*Input/output error.*authorize again"):
        save(path, NEW)
    assert load(path).by_handle["new_one"] == NEW
