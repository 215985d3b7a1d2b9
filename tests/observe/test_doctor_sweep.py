"""Whatever becomes of a file of a lake, the doctor names it, and the command that it gives makes the lake whole again.

Each sweep takes a lake of all endpoints, and one file of each kind at a time. They take minutes, so `make test-faults`
runs most of them.
"""

import shlex
import shutil
import subprocess

import pytest
from tables import contents

from engagement_pipeline import pipeline
from engagement_pipeline.cli.main import main
from engagement_pipeline.core import settings
from engagement_pipeline.core.tables import REQUESTS
from engagement_pipeline.lake import inventory
from engagement_pipeline.lake.layout import Lake

DAYS = ("--from", "2026-01-29", "--to", "2026-01-31")
COUNTS = ("engagements", "daily")
SILENT = {  # kinds of files, each with what may become of it without a word
    inventory.LOCK: {"missing", "truncated", "flipped"},  # the next command that needs it makes it
    inventory.CATALOG: {"flipped"},  # much of it holds nothing
    inventory.NOTE: {"missing", "truncated", "flipped"},  # a query then makes views of its own
    REQUESTS.name: {"truncated", "flipped"},  # a line that a power cut left torn is no fault
}


@pytest.fixture
def lake(in_world):
    """A lake of every endpoint, with a Tweet that is not served."""
    deleted = in_world.tweets("harborbooks", 1, state="deleted")
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2) + deleted})
    for arguments in (("historical", *DAYS), ("totals",), ("28hr",)):
        assert main(["pull", "--endpoint", *arguments]) == 0
    return Lake(in_world.lake)


def examined(**how):
    return pipeline.examine(settings.load(), **{"quick": False} | how)


def files(lake):
    """Return a file of each kind."""
    found = inventory.take(lake, own=lambda _: False).files
    found[inventory.STAND_IN] = [e for e in found[inventory.STAND_IN] if "evisions" in str(e.path)]  # others are spare
    return {kind: entries[0].path for kind, entries in found.items()}


def done(fix):
    """Run a command as a shell does, `engagement` in this process."""
    for command in fix.replace("; ", " && ").split(" && "):
        if command.startswith("engagement "):
            assert main(shlex.split(command)[1:]) in (0, 1), command
        else:
            subprocess.run(command, shell=True, check=True)


def sweep(lake, harm, do, step=1):
    """Harm a file of every kind, or of every `step`th; return those that the doctor does not name, or does not mend."""
    kept = lake.root.with_name("kept")
    shutil.copytree(lake.root, kept)
    before = contents(lake, *COUNTS)
    wrong = {}
    for kind, path in [*files(lake).items()][::step]:
        do(path)
        found = examined().findings
        if not found and harm not in SILENT.get(kind, ()):
            wrong[kind] = f"found {found}"
        left = found
        for _ in found:
            if left:
                done(left[0].fix)
                left = examined().findings
        if left:
            wrong[kind] = [f"{finding.kind}: {finding}" for finding in left]
        elif any({*before[view]} - {*now} for view, now in contents(lake, *COUNTS).items()):
            wrong[kind] = "counts are lost"
        shutil.rmtree(lake.root)
        shutil.rmtree(lake.root.with_name("lake.apart"), ignore_errors=True)
        shutil.copytree(kept, lake.root)
    return wrong


def flip(path):
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 16)
    content[middle] = (byte ^ 0b0101 for byte in content[middle])
    path.chmod(0o644)
    path.write_bytes(content)


def truncate(path):
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_lake_of_the_sweeps_is_whole_and_has_a_file_of_each_kind(lake):
    assert examined().findings == ()
    assert files(lake).keys() >= {
        *("engagements", "daily", "totals", "recent", "coverage", "set_aside", "tweets", "requests"),
        *(inventory.RESPONSE, inventory.PULL, inventory.MARKER, inventory.CATALOG, inventory.STAND_IN),
    }


@pytest.mark.parametrize("step", [pytest.param(9, id="some"), pytest.param(1, id="each", marks=pytest.mark.faults)])
def test_a_file_that_is_missing(lake, step):
    assert sweep(lake, "missing", lambda path: path.unlink(), step) == {}


@pytest.mark.faults
def test_a_file_that_is_truncated(lake):
    assert sweep(lake, "truncated", truncate) == {}


@pytest.mark.faults
def test_a_file_with_flipped_bits(lake):
    assert sweep(lake, "flipped", flip) == {}


@pytest.mark.faults
def test_copies_beside_a_file_and_beside_its_folder(lake):
    def copy(path):
        for name in ("{} (conflicted copy 2026-02-01){}", "{}{}.tmp", "{} copy{}"):
            shutil.copy(path, path.with_name(name.format(path.stem, path.suffix)))
        if path.parent != lake.root:
            shutil.copytree(path.parent, path.parent.with_name(f"{path.parent.name} copy"))

    assert sweep(lake, "copied", copy) == {}


@pytest.mark.faults
def test_a_file_that_its_owner_may_not_read(lake):
    assert sweep(lake, "unreadable", lambda path: path.chmod(0)) == {}
