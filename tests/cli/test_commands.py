"""The declaration of the commands: what it imports, and that each command leads to a function."""

import logging
import subprocess
import sys
from importlib import import_module

import pytest
from parsers import commands_of

from engagement_pipeline.cli.commands import parser
from engagement_pipeline.cli.main import main
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

# What takes tens of milliseconds each, or belongs to some commands alone.
HEAVY = {
    *("altair", "jinja2", "vl_convert"),
    *("asyncio", "dagster", "difflib", "duckdb", "filelock", "importlib.metadata", "numpy", "oauthlib", "orjson"),
    *("pandas", "pyarrow", "requests", "rich", "shtab", "ssl", "starlette", "tomlkit", "urllib.request", "uvicorn"),
}
SAY = """import sys
from engagement_pipeline.__main__ import run
try:
    run()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], ["pull", "--help"], ["up", "--help"], ["pull", "--from", "today"]])
def test_help_and_a_wrong_option_import_nothing_heavy(words):
    done = subprocess.run([sys.executable, "-c", SAY, *words], capture_output=True, text=True, check=False)
    imported = set(done.stderr.splitlines()[-1].split())
    assert "engagement_pipeline.cli.commands" in imported
    assert imported & HEAVY == set()


def test_a_short_answer_in_sql_imports_neither_arrow_nor_a_terminal_library(tmp_path, monkeypatch):
    catalog.refresh(Lake(tmp_path))
    monkeypatch.setenv("ENGAGEMENT_DATA", str(tmp_path))
    words = ["sql", "select count(*) as n, sum(1) as huge, 'a' as text, current_date as day from engagements"]
    done = subprocess.run([sys.executable, "-c", SAY, *words], capture_output=True, text=True, check=True)
    imported = set(done.stderr.splitlines()[-1].split())
    assert "duckdb" in imported
    assert imported & (HEAVY - {"duckdb", "importlib.metadata"}) == set()


def test_each_command_leads_to_a_function():
    found = dict(commands_of(parser()))
    assert {"pull", "roster import"} <= {*found}
    del found["roster"]  # which has commands of its own
    for name, sub in found.items():
        module, function = sub.get_default("command").split(":")
        assert callable(getattr(import_module(f"engagement_pipeline.cli.{module}"), function)), name


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("pul",), "; did you mean pull?; see engagement --help"),
        (("help", "plam"), "; did you mean plan?; see engagement help --help"),
        (("pull", "--endpoint", "totls"), "; did you mean totals?; see engagement pull --help"),
        (("pull", "--form=2026-01-01"), "--form=2026-01-01; did you mean --from?; see engagement pull --help"),
        (("pull", "2026-01-01"), "unrecognized arguments: 2026-01-01; see engagement pull --help"),
    ],
)
def test_a_misspelled_word_gets_the_nearest_that_is_known(failed, words, line):
    code, found = failed(*words)
    assert code == 2
    assert found.endswith(line)


@pytest.mark.parametrize(("words", "option"), [(("help",), "COMMAND"), (("help", "pull"), "--endpoint")])
def test_help_is_a_command_too(capsys, words, option):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert option in capsys.readouterr().out


@pytest.mark.parametrize(("words", "told"), [((), []), (("-v",), ["engagement: try 2 of 6 follows"])])
@pytest.mark.parametrize("behind", [False, True])
def test_verbose_shows_what_the_package_tells_of_its_work(capsys, monkeypatch, words, told, behind):
    retry = logging.getLogger("engagement_pipeline.transport.client").info
    monkeypatch.setattr("engagement_pipeline.cli.config.run", lambda _: retry("try 2 of 6 follows"))
    assert main(["config", *words] if behind else [*words, "config"]) == 0
    assert capsys.readouterr().err.splitlines() == told
