"""What the tests of X API v2 share: an emulator a module, with all dials at rest after each test."""

import pytest
from emulator_client import NOW

from engagement_pipeline.emulator import Emulator


@pytest.fixture(scope="module")
def running():
    with Emulator(now=NOW) as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    """The module's emulator with all dials at rest."""
    yield running
    running.v2.faults.reset()
