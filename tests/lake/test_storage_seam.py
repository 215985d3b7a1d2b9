"""Nothing but the storage touches a lake: shown of what runs, and of the sources."""

import ast
import json
import os
import subprocess
import sys

import counting
import pytest
from processes import CLONE

PACKAGE = CLONE / "engagement_pipeline"
ROOMS = ("lake", "publish", "query", "observe", "extract")
OF_A_PATH = {
    *(
        "exists",
        "stat",
        "lstat",
        "open",
        "glob",
        "rglob",
        "iterdir",
        "unlink",
        "rename",
        "mkdir",
        "rmdir",
        "touch",
        "chmod",
    ),
    *("read_bytes", "read_text", "write_bytes", "write_text", "is_dir", "is_file", "is_symlink", "symlink_to", "walk"),
}
OF_MODULES = {
    *("pq.read_table", "pq.read_schema", "pq.read_metadata", "pq.ParquetFile", "pq.ParquetWriter", "pq.write_table"),
    *("pa.OSFile", "pa.memory_map", "pa.input_stream", "pa.output_stream", "glob.glob", "open", "FileLock"),
}
NO_FILES = {"os.getpid", "os.environ", "os.environ.get", "os.environ.items"}
SOURCE = "it reads what storage.source has opened"
STAGED = "it writes a staged file, which is local in any storage"
ROSTER = "the files of a roster are the user's, not the lake's"
BROUGHT = "the file that the user brings is not the lake's"
ACCOUNTS = "the accounts file is the user's, not the lake's"
WORKER = "it is of a worker's process and its streams"
KERNEL = "it asks the kernel for processes"
PAGES = "it writes the pages of the project"
ALLOWED = {
    ("__main__.py", "open"): "it is a stream that goes nowhere",
    ("lake/parquet.py", "pq.read_table"): SOURCE,
    ("lake/parquet.py", "pq.ParquetFile"): SOURCE,
    ("lake/parquet.py", "pq.write_table"): STAGED,
    ("publish/day_file.py", "pq.ParquetWriter"): STAGED,
    ("publish/by_day.py", "path.open"): STAGED,
    ("publish/by_day.py", "pa.memory_map"): STAGED,
    ("publish/day_sums.py", "path.open"): STAGED,
    ("publish/day_sums.py", "pa.memory_map"): STAGED,
    ("publish/day_worker.py", "unlink"): STAGED,
    ("publish/workers.py", "os.dup"): WORKER,
    ("publish/workers.py", "os.dup2"): WORKER,
    ("publish/workers.py", "os.fdopen"): WORKER,
    ("publish/workers.py", "os._exit"): WORKER,
    ("publish/erasure_tables.py", "pq.ParquetWriter"): STAGED,
    ("query/stored.py", "pq.ParquetWriter"): STAGED,
    ("lake/object_lock.py", "read_text"): KERNEL,
    ("lake/object_lock.py", "exists"): KERNEL,
    ("lake/objects.py", "os.strerror"): "it touches no file",
    ("lake/object_ahead.py", "os.strerror"): "it touches no file",
    ("forgetting.py", "path.read_text"): "the list of Tweets is the user's own",
    ("query/files.py", "pq.write_table"): "it writes into memory",
    ("observe/looks.py", "pq.ParquetFile"): SOURCE,
    ("__main__.py", "os._exit"): "it ends the process",
    ("observe/doctor_files.py", "path.exists"): ACCOUNTS,
    ("observe/doctor_files.py", "path.stat"): ACCOUNTS,
    ("observe/doctor_files.py", "waiting.exists"): ACCOUNTS,
    ("observe/doctor_files.py", "waiting.stat"): ACCOUNTS,
    ("query/damage.py", "pq.read_table"): SOURCE,
    ("query/damage.py", "pq.read_schema"): SOURCE,
    ("query/dictionary.py", "DICTIONARY.write_text"): PAGES,
    ("query/views.py", "MARTS.glob"): "the marts are the package's own",
    ("query/views.py", "mart.read_text"): "the marts are the package's own",
    ("extract/roster.py", "pq.ParquetFile"): SOURCE,
    ("extract/roster.py", "pq.write_table"): "it writes into memory",
    ("extract/roster.py", "path.is_dir"): ROSTER,
    ("extract/backlog.py", "path.read_bytes"): ROSTER,
    ("extract/roster_synced.py", "path.exists"): ROSTER,
    ("extract/roster_synced.py", "mkdir"): ROSTER,
    ("extract/account_archive.py", "member.is_dir"): BROUGHT,
    ("extract/account_archive.py", "open"): BROUGHT,
    ("extract/premium_export.py", "path.stat"): BROUGHT,
    ("extract/premium_export.py", "path.read_bytes"): BROUGHT,
    ("extract/roster_files.py", "glob.glob"): ROSTER,
    ("extract/roster_files.py", "path.glob"): ROSTER,
    ("extract/roster_files.py", "path.is_dir"): ROSTER,
    ("extract/roster_files.py", "path.is_file"): ROSTER,
    ("extract/roster_files.py", "path.read_bytes"): ROSTER,
    ("extract/roster_files.py", "pq.read_table"): ROSTER,
}


@pytest.fixture
def stages(world):
    """What each stage called of a counting storage, and what it touched beside it."""
    environment = os.environ | world.environment | {"ENGAGEMENT_TYPES": "impressions engagements"}
    command = [sys.executable, counting.__file__, "2026-01-30", "2026-01-31"]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_a_storage_in_place_of_the_local_one_sees_every_access(stages):
    planted = stages.pop("planted")["outside"]
    assert {access.partition(" ")[0] for access in planted} >= {"open", "os.stat", "os.scandir"}
    outside = [access for stage in stages.values() for access in stage["outside"]]
    assert [access for access in outside if not access.endswith(".arrow")] == []  # Arrow's own are staged files
    wanted = {
        "pull": {"put", "mark", "marked", "write_whole", "append_line", "lock"},
        "publication": {"find", "marked", "source", "staging", "swap", "location", "lock"},
        "report": {"exists", "size", "source", "location"},
        "rebuild": {"find", "marked", "source", "staging", "swap", "make_folder", "lock"},
        "prune": {"find", "size", "remove_folder", "sweep", "lock"},
    }
    missed = {(name, method) for name in wanted for method in wanted[name] - stages[name]["calls"].keys()}
    assert missed == set()


def accesses(text):
    """Return the calls in a module that may touch a file, as they are written."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            receiver, _, method = name.rpartition(".")
            moved = method == "replace" and len(node.args) == 1 and not node.keywords  # others replace parts of a text
            of_a_path = receiver and (method in OF_A_PATH or moved)
            opens_a_lake = method == "open" and receiver in {"lake", "home", "shadow"}
            if name in OF_MODULES or name.startswith(("os.", "shutil.")):
                yield name
            elif of_a_path and not opens_a_lake and not receiver.endswith("storage"):
                yield name if receiver.isidentifier() else method


def found():
    modules = [*PACKAGE.glob("*.py"), *(path for room in ROOMS for path in (PACKAGE / room).glob("**/*.py"))]
    names = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in modules}
    for storage in ("lake/storage.py", "lake/disk.py", "lake/bucket.py", "lake/object_swap.py"):
        del names[storage]
    return {(name, access) for name, text in names.items() for access in accesses(text) if access not in NO_FILES}


def test_no_other_module_touches_a_file_of_the_lake():
    assert found() - ALLOWED.keys() == set()


def test_every_exception_is_needed():
    assert ALLOWED.keys() - found() == set()


@pytest.mark.parametrize(
    "planted",
    [
        "lake.tweets.exists()",
        "path.parent.mkdir(parents=True)",
        "aside.replace(target)",
        "os.replace(aside, target)",
        "shutil.rmtree(lake.staging)",
        "pq.read_table(path)",
        "path.open('rb')",
        "open(path)",
        "any(lake.root.glob('*'))",
        "FileLock(path)",
    ],
)
def test_what_touches_a_file_is_found(planted):
    assert [*accesses(planted)]


@pytest.mark.parametrize(
    "planted",
    [
        "lake.open()",
        "lake.storage.exists(path)",
        "text.replace('a', 'b')",
        "moment.replace(tzinfo=UTC)",
        "replace(pull)",
    ],
)
def test_what_touches_none_is_not(planted):
    assert not [*accesses(planted)]
