"""The code location as a process of its own loads it: by Dagster's two ways, and with what warnings."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from processes import CLONE

DG = Path(sys.executable).with_name("dg")
LOADED_WITH_ONE_MORE = """
import warnings
import dagster as dg
import assets.definitions
warnings.warn("Parameter `x` of function `asset` is currently in beta", dg.BetaWarning)
"""


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


def test_it_loads_without_a_warning_of_dagsters_and_another_one_still_shows(run):
    done = run(sys.executable, "-W", "always::FutureWarning", "-c", LOADED_WITH_ONE_MORE)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"\w+Warning: .*", done.stderr) == [
        "BetaWarning: Parameter `x` of function `asset` is currently in beta"
    ]


def test_dg_finds_the_definitions_sound_and_says_nothing_else(run):
    done = run(DG, "check", "defs")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "All component YAML validated successfully.",
        "All definitions loaded successfully.",
    ]
    assert "Warning" not in done.stderr


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
