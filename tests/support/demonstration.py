"""`make demo` in the clone, run once for all workers of the tests."""

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock
from processes import CLONE
from proxy import proxy

from engagement_pipeline.lake.layout import Lake

LAKE = Lake(CLONE / "data" / "demo")


@dataclass(frozen=True)
class Demonstration:
    """How `make demo` ended, what it printed, what Git said before and after, and what a proxy was asked."""

    code: int
    out: str
    err: str
    before: str
    after: str
    asked: list[str]


def outside():
    """Return the environment of a user without settings of their own, whatever files this machine has."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ENGAGEMENT_")}
    return clean | {"ENGAGEMENT_CONFIG": str(CLONE / "engagement.toml")}


def shell(command, *, cwd, env=None):
    """Run a line of a page as a user does."""
    return subprocess.run(
        command, shell=True, cwd=cwd, env=env or outside(), capture_output=True, text=True, check=False
    )


def demonstrated(shared):
    """Return what came of the demo, which the first who asks notes in a folder that all workers share."""
    noted = Path(shared) / "demonstration.json"
    with FileLock(f"{noted}.lock"):
        if not noted.exists():
            noted.write_text(json.dumps(asdict(_run())), encoding="utf-8")
    return Demonstration(**json.loads(noted.read_text(encoding="utf-8")))


def _run():
    status = "git status --porcelain"
    before = shell(status, cwd=CLONE).stdout
    with proxy() as company:
        done = shell("make demo", cwd=CLONE, env=outside() | company.variables())
        asked = [str(asked) for asked in company.asked]
    after = shell(status, cwd=CLONE).stdout
    return Demonstration(done.returncode, done.stdout, done.stderr, before, after, asked)
