"""What the tests of the pages share: the lake of `make demo`, made once a run of the tests."""

import pytest
from demonstration import LAKE


@pytest.fixture(scope="session")
def demo_lake(demonstration):
    """The demo's lake, which no test changes."""
    assert demonstration.code == 0, demonstration.err
    return LAKE
