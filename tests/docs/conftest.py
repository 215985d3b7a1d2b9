"""What the tests of the pages share: the lake of `make demo`, made once a run of the tests."""

import os

import pytest
from filelock import FileLock

from docs import answers
from engagement_pipeline.lake.layout import Lake


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory):
    """The demo's lake, which no test changes; the first worker that asks for it makes it for all."""
    here = tmp_path_factory.getbasetemp()
    folder = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "the-demo"
    with FileLock(f"{folder}.lock"):
        if not (folder / "engagement.duckdb").exists():
            answers.make_lake(folder)
    return Lake(folder)
