"""The wheel: built and installed without a network, it is a whole `engagement` that needs no clone."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
from processes import CLONE

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

PACKAGES = sysconfig.get_path("purelib")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=CLONE, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel):
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The `engagement` of an environment with the wheel; its other packages are those of the tests, but no Dagster."""
    place = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    others = place / "others"
    others.mkdir()
    for package in Path(PACKAGES).iterdir():
        if not package.name.startswith(("dagster", "engagement_pipeline")) and package.suffix != ".pth":
            (others / package.name).symlink_to(package)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    (inside / "others.pth").write_text(str(others))
    return place / "bin" / "engagement"


@pytest.fixture
def ran(installed, tmp_path):
    """Return a function that runs the installed command in an empty folder; it gives the exit code and the text."""

    def run(*arguments, **environment):
        chosen = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(installed), *arguments],
            cwd=tmp_path,
            env=chosen | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("part", ["assets/*.py", "deploy/**/*", "workspace.yaml"])
def test_the_wheel_holds_what_lies_beside_the_package(names, part):
    found = [path.relative_to(CLONE) for path in CLONE.glob(part) if path.is_file() and path.suffix != ".pyc"]
    assert found
    assert {f"engagement_pipeline/clone/{path}" for path in found} <= names


@pytest.mark.parametrize("name", ["entrypoint", "code-location"])
def test_the_scripts_of_the_image_can_be_run_from_the_wheel(wheel, name):
    with ZipFile(wheel) as archive:
        assert archive.getinfo(f"engagement_pipeline/clone/deploy/container/{name}").external_attr >> 16 & 0o111


def test_the_wheel_holds_the_whole_package(names):
    package = CLONE / "engagement_pipeline"
    files = [path for end in ("py", "sql", "html", "css") for path in package.rglob(f"*.{end}")]
    assert {str(path.relative_to(CLONE)) for path in files} <= names


def test_installed_without_dagster_it_runs_and_answers_in_sql(ran, tmp_path):
    assert ran("--version")[1].startswith("engagement ")
    catalog.refresh(Lake(tmp_path / "lake"))
    code, said = ran("sql", "select count(*) as n from engagements", ENGAGEMENT_DATA="lake")
    assert (code, said.split()[-1]) == (0, "0")


def test_installed_its_own_code_location_is_found(installed):
    say = "from engagement_pipeline.cli.home import home; print(home())"
    found = subprocess.run(
        [installed.with_name("python"), "-c", say],
        cwd="/",
        env=os.environ | {"PYTHONPATH": PACKAGES},
        capture_output=True,
        text=True,
        check=True,
    )
    home = Path(found.stdout.strip())
    assert home.is_relative_to(installed.parents[1])
    assert (home / "assets" / "definitions.py").exists()
    assert (home / "deploy" / "dagster.yaml").exists()


def test_without_dagster_one_line_says_what_up_needs(ran, tmp_path):
    code, said = ran("up")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "dagster is not installed, and demo and up run on Dagster: in a clone of the project, pip install" in said
    assert [*tmp_path.iterdir()] == []


@pytest.mark.operations
def test_installed_the_demo_runs_in_an_empty_folder(ran, tmp_path):
    code, said = ran("demo", PYTHONPATH=PACKAGES)
    assert code == 0, said
    assert "Three questions in SQL" in said
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
