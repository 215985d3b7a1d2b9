"""The order of the rooms: what pyproject.toml demands, what the package draws, what a planted import does."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from processes import CLONE

import engagement_pipeline

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def layers():
    """Return the rooms of the contract, the lowest first, each layer's in their order."""
    contracts = tomllib.loads((CLONE / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.removeprefix("engagement_pipeline.") for room in layer.split(" | ")] for layer in reversed(found)]


def test_the_docstring_draws_what_the_contract_demands():
    drawn = re.search(r"^    (core -> .*?),\n", engagement_pipeline.__doc__, re.MULTILINE | re.DOTALL)[1]
    assert [layer.split(" · ") for layer in " ".join(drawn.split()).split(" -> ")] == layers()


def test_every_module_lies_in_a_room_of_the_contract():
    package = CLONE / "engagement_pipeline"
    found = {path.stem for path in package.iterdir() if path.name[0] not in "_."}
    assert found == {room for layer in layers() for room in layer} | {"emulator"}


PLANTED = {
    "core/model.py": "from engagement_pipeline.lake import raw",
    "lake/raw.py": "from engagement_pipeline.sources.engagement import flatten",
    "transport/client.py": "from engagement_pipeline.lake import layout",
    "extract/ownership.py": "from engagement_pipeline.sources.engagement import flatten",
    "query/catalog.py": "from engagement_pipeline.publish import merge",
    "publish/publisher.py": "from engagement_pipeline import pipeline",
    "emulator/world.py": "from engagement_pipeline.core import metrics",
    "observe/checks.py": "from engagement_pipeline.emulator import world",
}


def test_each_import_upward_is_refused(tmp_path):
    shutil.copy(CLONE / "pyproject.toml", tmp_path)
    shutil.copytree(CLONE / "engagement_pipeline", tmp_path / "engagement_pipeline")
    for module, planted in PLANTED.items():
        path = tmp_path / "engagement_pipeline" / module
        path.write_text(f"{path.read_text()}\n{planted}\n")
    told = subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert told.returncode == 1
    edges = " ".join(told.stdout.decode().split())  # long ones are broken into lines
    for module, planted in PLANTED.items():
        named = planted.removeprefix("from ").replace(" import ", ".")
        assert f"{module.removesuffix('.py').replace('/', '.')} -> {named}" in edges
