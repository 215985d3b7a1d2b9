"""The demo makes its lake anew, and leaves what is not its own as it is."""

import pytest

from engagement_pipeline.cli import demo, demo_lake
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.emulator import Emulator
from engagement_pipeline.lake.layout import Lake

NOTES = "what somebody wrote"


@pytest.fixture
def demoed(history):
    """A lake with a past, beside the accounts of an emulator and a file of somebody's own."""
    (history.root / "accounts.toml").write_text("# of an emulator", encoding="utf-8")
    (history.root / "notes.txt").write_text(NOTES, encoding="utf-8")
    return history


def test_all_that_a_lake_has_is_removed_and_nothing_else(demoed):
    (demoed.root / "tweets").mkdir(exist_ok=True)
    demo_lake.clear(demoed)
    left = {path.name for path in demoed.root.iterdir() if not path.name.endswith(".lock")}
    assert left == {"accounts.toml", "notes.txt", "tweets"}


def test_a_lake_that_no_emulator_filled_is_left_as_it_is(demoed):
    (demoed.root / "accounts.toml").unlink()
    before = sorted(demoed.root.rglob("*"))
    refused = pytest.raises(InputError, match=r" holds a lake that no emulator filled, so it is left as it is: --data ")
    with refused, demo.world(demoed.root, now=demo_lake.NOW, first_day=demo_lake.FIRST_DAY, settle_hours=0):
        pass
    assert sorted(demoed.root.rglob("*")) == before


def world_in(place, folder, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(place))
    return demo.world(folder, now=demo_lake.NOW, first_day=demo_lake.FIRST_DAY, settle_hours=0)


def test_a_lake_in_a_bucket_is_an_emulator_s_from_its_beginning(in_bucket, tmp_path, monkeypatch):
    with world_in(in_bucket, tmp_path, monkeypatch):
        assert Lake(in_bucket).storage.noted(demo.EMULATED)


def test_a_lake_in_a_bucket_that_no_emulator_filled_is_left_as_it_is(in_bucket, tmp_path, monkeypatch):
    Lake(in_bucket).open()
    with (
        pytest.raises(InputError, match="that no emulator filled, so it is left as it is: ENGAGEMENT_DATA names"),
        world_in(in_bucket, tmp_path, monkeypatch),
    ):
        pass
    names = [path.name for path in Lake(in_bucket).storage.find("*")]
    assert [name for name in names if not name.endswith(".lock")] == ["lake.json"]


def test_in_a_folder_without_a_lake_there_is_nothing_to_remove(tmp_path):
    demo_lake.clear(Lake(tmp_path))
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []


def test_the_world_takes_the_demo_s_roster_for_its_own(tmp_path):
    emulator = Emulator(now=demo_lake.NOW)
    rows = list(demo_lake._rows(emulator))
    emulator.close()
    assert {len(row.split(",")) for row in rows} == {len(demo_lake.HEAD.split(","))}
    (tmp_path / "roster.csv").write_text("\n".join([demo_lake.HEAD, *rows, ""]), encoding="utf-8")
    emulator.world.refuse_foreign(tmp_path / "roster.csv")
