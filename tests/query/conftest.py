"""What the tests of the marts share."""

import os

import pytest
import traps

from engagement_pipeline.lake.layout import Lake


@pytest.fixture(scope="session")
def trapped(tmp_path_factory):
    """The lake with a case of each trap, for tests that only read it; it need outlive no power cut."""
    lake = Lake(tmp_path_factory.mktemp("traps") / "lake")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        traps.build(lake)
    return lake
