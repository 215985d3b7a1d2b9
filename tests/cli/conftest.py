"""What the tests of the command share."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, in which the files for settings are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENGAGEMENT_CONFIG")
    for variable in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path
