"""deploy/systemd/install opens what the services read to all, and nothing that holds tokens or a lake."""

import os
import shutil
import stat
import subprocess

import pytest
from processes import CLONE

NOT_RUN = ("chgrp", "id", "install", "ln", "runuser", "systemctl", "useradd")
READ = (".venv/bin/dagster", "assets/definitions.py", "engagement_pipeline/core/errors.py", "docs/operations.md")
SECRET = (
    "accounts.toml",
    ".accounts.toml.x1.part",
    "engagement.toml",
    "engagement.local.toml",
    "data/raw/historical/a.json.zst",
    "data/tweets/mine.csv",
)


@pytest.fixture
def clone(tmp_path):
    """A clone as a root with the umask 077 has it, with the files of a user in it."""
    folder = tmp_path / "clone"
    shutil.copytree(CLONE / "deploy", folder / "deploy")
    for name in (*READ, *SECRET):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() or path.parent.name in {"bin", "systemd"} else 0o600)
    return folder


def install(clone):
    """Run the script with stand-ins for all that changes the machine."""
    stubs = clone.parent / "stubs"
    stubs.mkdir(exist_ok=True)
    for name in NOT_RUN:
        (stubs / name).write_text(f'#!/bin/sh\necho 1\necho "{name} $*" >> {stubs}/said\n')
        (stubs / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{stubs}:{os.environ['PATH']}"}
    subprocess.run([clone / "deploy" / "systemd" / "install"], env=environment, capture_output=True, check=True)
    return (stubs / "said").read_text().splitlines()


def readable(clone, name):
    """Tell whether others can read a file: it, and each folder on the way."""
    path = clone / name
    ways = [above for above in path.parents if above.is_relative_to(clone)]
    return bool(path.stat().st_mode & stat.S_IROTH) and all(way.stat().st_mode & stat.S_IXOTH for way in ways)


def test_the_services_can_read_the_program(clone):
    install(clone)
    assert [name for name in READ if not readable(clone, name)] == []
    assert (clone / ".venv" / "bin" / "dagster").stat().st_mode & stat.S_IXOTH


def test_nobody_else_can_read_tokens_settings_or_a_lake(clone):
    install(clone)
    assert [name for name in SECRET if (clone / name).stat().st_mode & stat.S_IRWXO] == []


def test_what_an_earlier_program_opened_is_closed_again(clone):
    subprocess.run(["chmod", "-R", "a+rX", clone], check=True)
    install(clone)
    assert [name for name in SECRET if readable(clone, name)] == []
    assert (clone / "accounts.toml").stat().st_mode & 0o777 == 0o600


def test_a_clone_without_files_of_a_user_is_installed(clone):
    shutil.rmtree(clone / "data")
    for path in [*clone.glob("*.toml"), *clone.glob(".*.toml.*")]:
        path.unlink()
    install(clone)
    assert readable(clone, READ[0])


@pytest.mark.parametrize("name", ["engagement.local.toml", "engagement.toml"])
def test_the_services_begin_with_the_settings_of_the_clone(clone, name):
    if name == "engagement.toml":
        (clone / "engagement.local.toml").unlink()
    begin = f"install -m 640 -g engagement ../../{name} /etc/engagement/engagement.toml"
    assert begin in install(clone)
