"""What Dagster needs beside the package: assets/, workspace.yaml and deploy/.

In: nothing. Out: the folder that has them. In a clone they lie beside the package, in an installed one within it.
"""

from pathlib import Path

from engagement_pipeline.core.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]


def home() -> Path:
    """Return the folder with assets/, workspace.yaml and deploy/; raise InputError if there is none."""
    for folder in (PACKAGE.parent, PACKAGE / "clone"):
        if (folder / "workspace.yaml").exists() and (folder / "assets" / "definitions.py").exists():
            return folder
    raise InputError("the Dagster code location is not with this package: install it again, or run it from a clone")
