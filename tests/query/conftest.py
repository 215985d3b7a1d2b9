"""What the tests of the marts share."""

import os

import pytest
import traps

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog


@pytest.fixture(scope="session")
def trapped(tmp_path_factory):
    """The lake with a case of each trap and its catalogue, to be read alone; it need outlive no power cut."""
    lake = Lake(tmp_path_factory.mktemp("traps") / "lake")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        traps.build(lake)
        catalog.refresh(lake)
    return lake
