"""Each command of the README and of the pages that it leads to does what they say, in a clone or a folder like one."""

import re
import shlex
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from demonstration import outside, shell
from proxy import proxy
from typing_at import terminal

CLONE = Path(__file__).parents[2]
README = (CLONE / "README.md").read_text(encoding="utf-8")
PAGES = ("real-api", "sql", "settings", "dagster", "upkeep", "upgrade")


def commands_of(page):
    return re.findall(r"^ *\$ (.+)$", page, re.MULTILINE)


COMMANDS = commands_of(README)
IN_THE_CLONE = [command for command in COMMANDS if command == "make demo" or "data/demo" in command]
BY_PAGE = {page: commands_of((CLONE / "docs" / f"{page}.md").read_text(encoding="utf-8")) for page in PAGES}
CHANGES_THE_CLONE = re.compile(r"git |make |cp engagement.toml|mkdir ../newer|.*tar -")  # of the page upgrade
AGAINST_THE_API = [c for commands in BY_PAGE.values() for c in commands if not CHANGES_THE_CLONE.match(c)]
STARTS_DAGSTER = 'DAGSTER_HOME="$PWD/.dagster" .venv/bin/dg dev --workspace workspace.yaml'


@pytest.fixture
def company():
    """A proxy for everything, without exceptions, which lets nothing through; `variables()` lead to it."""
    with proxy() as made:
        yield made
    assert made.asked == []  # nothing here leaves the machine


def shown_after(command):
    """Return the output that the README shows for a command, without what depends on the machine's speed."""
    block = README.split(f"$ {command}\n", 1)[1].split("```", 1)[0].splitlines()
    return [line.strip() for line in block if line.strip() and "━" not in line and line.strip() != "…"]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(command, *, cwd, env=None):
    """Start a command that heeds Ctrl-C also where the tests run in the background."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", *command],
        cwd=cwd,
        env=env or outside(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_commands_are_the_ones_tested_here():
    assert IN_THE_CLONE[0] == "make demo"
    assert len(IN_THE_CLONE) == 2
    assert [command for command in COMMANDS if command not in (*IN_THE_CLONE, *AGAINST_THE_API)] == []
    program, dagster = ".venv/bin/engagement", "DAGSTER_HOME=$PWD/.dagster"
    assert [shlex.split(command)[:2] for command in AGAINST_THE_API] == [
        [program, "init"],
        [program, "authorize"],
        [program, "check"],
        [program, "plan"],
        [program, "pull"],
        [program, "pull"],
        [program, "sql"],
        [program, "sql"],
        [program, "explain"],
        [program, "sql"],
        [program, "catalog"],
        [program, "config"],
        ["mkdir", "-p"],
        [dagster, ".venv/bin/dagster"],
        [dagster, ".venv/bin/dg"],
        [program, "sql"],
        [program, "rebuild"],
        [program, "prune"],
        [program, "forget"],
        [program, "sql"],
        [program, "forget"],
        [program, "status"],
        [program, "doctor"],
        [program, "upgrade"],
        [dagster, ".venv/bin/dagster"],
        [program, "doctor"],
        [program, "plan"],
    ]


def test_the_demo_shows_what_the_readme_shows(demonstration):
    assert demonstration.code == 0, demonstration.err
    assert_shown("make demo", demonstration.out)
    assert "Warning: " not in (CLONE / "data" / "demo" / "dagster.log").read_text(encoding="utf-8")


def test_the_demo_leaves_git_clean_and_asks_no_proxy(demonstration):
    assert demonstration.after == demonstration.before
    assert demonstration.asked == []


@pytest.mark.usefixtures("demonstration")
def test_the_demo_s_lake_answers_what_the_readme_shows(company):
    (command,) = IN_THE_CLONE[1:]
    done = shell(command, cwd=CLONE, env=outside() | company.variables())
    assert done.returncode == 0, done.stderr
    assert_shown(command, done.stdout)


def assert_shown(command, printed):
    """The README shows nothing for a command that was not printed."""
    lines = [line.strip() for line in printed.splitlines()]
    expected = shown_after(command)
    assert expected == [line for line in lines if line in expected]


def test_the_steps_against_the_api_work_in_order_behind_a_proxy_too(in_world, free_port, company):
    folder = in_world.root / "clone"
    folder.mkdir()
    for name in (".venv", "assets", "deploy", "engagement.toml", "workspace.yaml"):
        (folder / name).symlink_to(CLONE / name)
    environment = outside() | in_world.environment | {"XDG_CONFIG_HOME": str(folder)} | company.variables()
    del environment["ENGAGEMENT_CONFIG"]
    init, authorize, *further = (command for command in AGAINST_THE_API if command != STARTS_DAGSTER)
    answers = {"Requests a minute": "300", "First UTC day": "2026-01-04", "Days that": ""}
    code, said = terminal([init.removeprefix(".venv/bin/engagement ")], answers, cwd=folder, env=environment)
    assert code == 0, said
    assert (folder / "engagement.local.toml").exists()
    authorized = authorizing(authorize.replace("some_handle", "harborbooks"), cwd=folder, env=environment)
    assert authorized == f"the tokens of harborbooks are in {in_world.accounts}"
    for command in further:
        done = shell(command, cwd=folder, env=environment)
        assert done.returncode == 0, done.stderr
    assert STARTS_DAGSTER in AGAINST_THE_API
    dagster = started(["sh", "-c", f"exec env {STARTS_DAGSTER} --port {free_port}"], cwd=folder, env=environment)
    said = list(until("Serving dagster-webserver", dagster.stdout))
    stop(dagster)
    assert "Serving dagster-webserver" in said[-1]
    assert not [line for line in said if "Warning: " in line]


def until(words, lines):
    """Yield lines up to the first with these words."""
    for line in lines:
        yield line
        if words in line:
            return


def authorizing(command, *, cwd, env):
    """Do as the command says: open the page that it names, and type the PIN that the page shows."""
    with subprocess.Popen(
        shlex.split(command), cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        address = next(line.strip() for line in process.stdout if "http" in line)
        with urllib.request.urlopen(address, timeout=30) as page:
            pin = re.search(r"\b\d{7}\b", page.read().decode()).group()
        said, _ = process.communicate(pin + "\n")
    return said.splitlines()[-1].removeprefix("PIN: ")


def test_up_says_which_address_to_open_and_ctrl_c_ends_both_behind_a_proxy_too(tmp_path, free_port, company):
    dry_run = shell("make --dry-run --no-print-directory up VENV=.venv", cwd=CLONE)  # another Python has another
    assert dry_run.stdout.splitlines()[-1] == ".venv/bin/engagement up"
    command = [".venv/bin/engagement", "up", "--data", str(tmp_path), "--port", str(free_port)]
    up = started(command, cwd=CLONE, env=outside() | company.variables())
    address = f"http://127.0.0.1:{free_port}"
    said = next(line for line in up.stdout if line.startswith("open "))
    assert said.startswith(f"open {address} ")
    with urllib.request.urlopen(address, timeout=30) as page:
        assert page.status == 200
    assert stop(up) == 0
    assert "Warning: " not in (tmp_path / "dagster.log").read_text(encoding="utf-8")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)


def stop(process):
    """Send Ctrl-C, wait for the end, and return the exit code."""
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    process.stdout.close()
    return process.wait()
