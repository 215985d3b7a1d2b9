"""What Dagster needs beside the package: assets/, workspace.yaml and deploy/.

In: nothing. Out: the folder that has them. In a clone they lie beside the package, in an installed one within it.
Dagster itself need not be installed: who only pulls and reads does without.
"""

from importlib.util import find_spec
from pathlib import Path

from engagement_pipeline.core.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
DAGSTER = ("dagster", "dagster_dg_cli", "dagster_webserver")


def home() -> Path:
    """Return the folder with assets/, workspace.yaml and deploy/; raise InputError if it or Dagster is missing."""
    missing = [module for module in DAGSTER if not find_spec(module)]
    if missing:
        raise InputError(
            f"{missing[0]} is not installed, and demo and up run on Dagster: in a clone of the project, "
            "pip install '.[dagster]'"
        )
    for folder in (PACKAGE.parent, PACKAGE / "clone"):
        if (folder / "workspace.yaml").exists() and (folder / "assets" / "definitions.py").exists():
            return folder
    raise InputError("the Dagster code location is not with this package: install it again, or run it from a clone")
