"""The notebooks run on the demo's lake, each cell in its order, without a kernel or a server."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from notebooks import App

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"


@pytest.fixture(autouse=True)
def _on_the_demo_s_lake(demo_lake, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_DATA", str(demo_lake.root))


def test_the_marimo_notebook_runs(monkeypatch):
    marimo = SimpleNamespace(App=App, md=str, notebook_dir=lambda: NOTEBOOKS)
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    app = runpy.run_path(str(NOTEBOOKS / "brands.py"))["app"]
    made = app.run()
    assert made["weeks"]["handle"].tolist() == ["harborbooks", "lumenaudio", "tidalcoffee"]
    assert len(made["days"]) == 3 * 31
    assert made["chart"].to_dict()["mark"] == {"type": "line"}


def test_the_jupyter_notebook_runs():
    notebook = json.loads((NOTEBOOKS / "campaign.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    made = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), made)
    assert made["campaigns"]["campaign"].tolist() == ["(none)", "spring-reading"]
    assert len(made["growth"]) == 2 * 168
