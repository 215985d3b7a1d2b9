"""The wheel: built without a network, it holds all that an installed `engagement` needs."""

import subprocess
import sys
from zipfile import ZipFile

import pytest
from processes import CLONE


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=CLONE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("part", ["assets/*.py", "deploy/dagster.yaml", "deploy/systemd/*", "workspace.yaml"])
def test_the_wheel_holds_what_lies_beside_the_package(names, part):
    found = [path.relative_to(CLONE) for path in CLONE.glob(part)]
    assert found
    assert {f"engagement_pipeline/clone/{path}" for path in found} <= names


def test_the_wheel_holds_the_whole_package(names):
    package = CLONE / "engagement_pipeline"
    files = [path for end in ("py", "sql", "html", "css") for path in package.rglob(f"*.{end}")]
    assert {str(path.relative_to(CLONE)) for path in files} <= names
