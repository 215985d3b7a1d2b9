"""The command that serves the explorer."""

import sys

import pytest

from engagement_pipeline.explore import server
from engagement_pipeline.explore.server import listening


@pytest.fixture
def served(lake, monkeypatch):
    """What the command asks to be served, which is ready at once; and what it opens in a browser."""
    found = {"opened": []}

    def serve(lake, *, port, ready):
        found.update(lake=lake.root, port=port)
        ready("http://127.0.0.1:8420/")

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr("webbrowser.open", found["opened"].append)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def test_the_page_is_opened_in_a_browser(served, engagement, lake):
    code, told, errors = engagement("explore", "--port", "8420")
    assert (code, told, errors) == (0, f"the explorer of {lake}: http://127.0.0.1:8420/ ; Ctrl-C ends it\n", [])
    assert served == {"opened": ["http://127.0.0.1:8420/"], "lake": lake, "port": 8420}


def test_no_browser_is_opened_where_there_is_none_to_see_or_to_want(served, engagement, monkeypatch):
    engagement("explore", "--no-browser")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    engagement("explore")
    assert served["opened"] == []


def test_a_taken_port_is_one_line(lake, failed):
    with listening(0) as listener:
        port = str(listener.getsockname()[1])
        assert failed("explore", "--port", port) == (
            2,
            f"port {port} cannot be used (Address already in use): choose another with --port",
        )


def test_without_a_lake_there_is_nothing_to_explore(tmp_path, failed, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path / "none"))
    code, line = failed("explore")
    assert code == 2
    assert line.startswith(f"there is no lake in {tmp_path / 'none'}: ")


def test_without_the_extra_the_command_says_what_to_install(lake, failed, monkeypatch):
    for name in [n for n in sys.modules if n.startswith(("engagement_pipeline.explore", "engagement_pipeline.charts"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    assert failed("explore") == (
        2,
        "altair is not installed, and the explorer needs it: in a clone of the project, pip install '.[explore]'",
    )
