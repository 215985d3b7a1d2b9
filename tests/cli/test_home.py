"""Where Dagster's files lie: beside the package in a clone, within it where it is installed."""

import pytest
from processes import CLONE

from engagement_pipeline.cli import home
from engagement_pipeline.core.errors import InputError


def test_in_a_clone_it_is_the_clone():
    assert home.home() == CLONE


def test_without_dagster_one_line_says_what_to_install(tmp_path, monkeypatch, failed):
    monkeypatch.setattr(home, "find_spec", lambda name: None if name == "dagster_dg_cli" else name)
    for command in ("demo", "up"):
        code, line = failed(command, "--data", str(tmp_path / "data"))
        assert code == 2
        assert line == (
            "dagster_dg_cli is not installed, and demo and up run on Dagster: in a clone of the project, "
            "pip install '.[dagster]'"
        )
    assert not (tmp_path / "data").exists()


def test_installed_it_is_within_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(home, "PACKAGE", tmp_path / "package")
    with pytest.raises(InputError, match="install it again, or run it from a clone"):
        home.home()
    folder = tmp_path / "package" / "clone"
    (folder / "assets").mkdir(parents=True)
    for name in ("workspace.yaml", "assets/definitions.py"):
        (folder / name).touch()
    assert home.home() == folder
