"""The code location as a process of its own loads it: dg beside workspace.yaml."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from processes import CLONE

DG = Path(sys.executable).with_name("dg")


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a command in the clone, with a Dagster home as the README makes it."""
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(CLONE / "deploy" / "dagster.yaml", home)

    def done(*command):
        environment = os.environ | {"DAGSTER_HOME": str(home), "ENGAGEMENT_DATA": str(tmp_path / "lake")}
        return subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True, check=False)

    return done


def test_dg_finds_the_definitions_sound(run):
    done = run(DG, "check", "defs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "All component YAML validated successfully.",
        "All definitions loaded successfully.",
    ]


def test_dg_lists_the_assets_and_the_jobs(run):
    done = run(DG, "list", "defs", "--json")
    assert done.returncode == 0, done.stderr
    for name in ("responses", "engagements", "totals", "recent", "catalog", "daily", "rebuild", "new_tweets"):
        assert f'"{name}"' in done.stdout


def test_dg_and_the_workspace_name_the_same_code_location():
    project = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    (entry,) = yaml.safe_load((CLONE / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    assert project["code_location_name"] == entry["python_file"]["location_name"]
    assert project["code_location_target_module"].replace(".", "/") + ".py" == entry["python_file"]["relative_path"]
