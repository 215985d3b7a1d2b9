"""Other versions of DuckDB, each in a folder and a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "duckdb"  # kept from run to run, for each interpreter
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import duckdb
database, statements, queries = json.loads(sys.argv[2])
connection = duckdb.connect(database, read_only=database != ":memory:")
for statement in statements:
    connection.execute(statement)
print(json.dumps([duckdb.__version__, [connection.execute(query).fetchall() for query in queries]], default=str))
"""


def installed(version, *, seconds):
    """Install a version where it is not yet; return its folder, or None where the package index does not give it."""
    folder = FOLDER / version
    aside = FOLDER / f".{version}.{os.getpid()}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", aside]
    try:
        if not folder.exists():
            subprocess.run([*pip, f"duckdb=={version}"], check=True, capture_output=True, timeout=seconds)
            aside.rename(folder)
    except (subprocess.SubprocessError, OSError):
        return folder if folder.exists() else None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def answers(version, database, queries, *, statements=()):
    """Return what a version answers to queries over a database, after some statements."""
    arguments = json.dumps([str(database), statements, queries])
    done = subprocess.run(
        [sys.executable, "-S", "-c", ASK, FOLDER / version, arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, rows = json.loads(done.stdout)
    assert found == version
    return rows
