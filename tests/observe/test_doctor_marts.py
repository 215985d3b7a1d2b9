"""What the doctor finds of marts in files."""

import os

import pytest
from bodies import at, full, pulled

from engagement_pipeline.core.settings import Settings
from engagement_pipeline.lake.layout import LAKE_LOCK, Lake
from engagement_pipeline.observe import doctor
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    catalog.refresh(lake)
    return lake


def found(lake):
    """Return what is said of marts."""
    examined = doctor.examine(lake, Settings(data=lake.root, accounts=lake.root / "accounts.toml"), now=at(9))
    return [finding.what for finding in examined.findings if finding.kind == "marts"]


def test_of_what_the_tables_hold_there_is_nothing_to_say(lake):
    assert found(lake) == []


def test_what_the_tables_no_longer_hold_is_told_but_not_beside_a_publication(lake):
    for path in lake.root.glob("daily/*.parquet"):
        os.utime(path, ns=(1, 1))
    assert found(lake) == ["the files of the mart daily_wide are not of what the tables hold now, of 31 days"]
    with lake.locked(LAKE_LOCK, "a test"):
        assert found(lake) == []
    catalog.refresh(lake)
    assert found(lake) == []


def test_a_damaged_file_is_named(lake):
    path = lake.marts[0]
    path.write_bytes(path.read_bytes()[:-9])
    assert f"{path} is damaged" in found(lake)
    catalog.refresh(lake)
    assert found(lake) == []
