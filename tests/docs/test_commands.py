"""What the pages on scale have a reader type: each program has such commands and options, and each file is there."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import click
import page_commands
import pytest
import yaml
from celery.bin.celery import celery
from celery.worker.control import Panel
from dagster._cli import create_dagster_cli
from processes import CLONE

from engagement_pipeline.cli import commands
from engagement_pipeline.core import settings

PAGES = ("scale", "celery", "engines", "containers", "dagster")
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENGINES = (CLONE / "docs" / "engines" / "requirements.in").read_text(encoding="utf-8").splitlines()
NEEDED = {re.split("[<>=~]", line)[0] for line in [*ENGINES, *PROJECT["dependencies"]]}
TARGETS = re.findall(r"^([a-z-]+):", (CLONE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
ALIAS = "dc="
IN_POD = {"/dagster-workspace/workspace.yaml": "workspace.yaml"}  # where the chart puts it
# Programs of the system, whose commands a test of this kind cannot know: what runs them is another.
OF_THE_SYSTEM = {"cp", "git", "install", "mkdir", "mv", "openssl", "rm", "sed", "set", "tar", "umask"}
OF_THE_SYSTEM |= {"pg_dump", "pg_restore", "psql"}
(CHART,) = re.findall(r"^dagster==(\S+)", (CLONE / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)


def of_page(name):
    return page_commands.of((CLONE / "docs" / f"{name}.md").read_text(encoding="utf-8"))


def services(files):
    """Return the services of files of Compose."""
    return {name for file in files for name in yaml.safe_load((CLONE / file).read_text())["services"]}


def parsed(program, words):
    """Have a program of click take its words, without doing what they say."""
    while isinstance(program, click.Group):
        name, *words = words
        program = program.commands[name]
    program.make_context(program.name, words)


def of_celery(words):
    assert words[:2] == ["--app", "assets.celery_worker"]
    (kind, name), arguments = words[2:4], words[4:]
    parsed(celery.commands[kind], [name, *arguments])
    assert Panel.meta[name].type == kind


def of_compose(words):
    files = [CLONE / words.pop(place + 1) for place, word in reversed([*enumerate(words)]) if word == "--file"]
    assert all(file.exists() for file in files)
    action, rest = next((word, words[place + 1 :]) for place, word in enumerate(words) if word[0] != "-")
    assert action in {"build", "down", "exec", "logs", "ps", "restart", "run", "stop", "up"}
    named = [word for word in rest if word[0] != "-"]
    if action in {"run", "exec"}:
        assert named[0] in services(files)
        within = rest[rest.index(named[0]) + 1 :]
        check(["engagement", *within] if named[0] == "engagement" else within)
    else:
        assert {*named} <= services(files)


def of_helm(words):
    options = dict(pairwise(words))
    if words[0] == "upgrade":
        assert options["--version"] == CHART
        assert (CLONE / options["--values"]).exists()
    else:
        assert words[:2] == ["repo", "add"]


def of_kubectl(words):
    options = dict(pairwise(words))
    assert (CLONE / options.get("--filename", ".")).exists()
    if "--" in words:
        check([IN_POD.get(word, word) for word in words[words.index("--") + 1 :]])


def of_python(words):
    assert (CLONE / words[0]).exists()
    assert (CLONE / words[0]).parent == CLONE / "docs" / "engines"


def of_pip(words):
    assert words[0] == "install"
    for place in words[1:]:
        name, extras = re.fullmatch(r"([\w.-]+)(?:\[(.+)\])?", place).groups()
        assert {*extras.split(",")} <= PROJECT["optional-dependencies"].keys() if name == "." else name in NEEDED


PROGRAMS = {
    "celery": of_celery,
    "dagster": lambda words: parsed(create_dagster_cli(), words),
    "engagement": lambda words: commands.parser().parse_args(words),
    "helm": of_helm,
    "kubectl": of_kubectl,
    "make": lambda words: [TARGETS.index(word) for word in words],
    "pip": of_pip,
    "python": of_python,
}


def check(words, alias=()):
    """Check a command; a variable before it, or exported, is a setting if it is named as one."""
    words = [*words]
    exported = words[0] in {"export", "alias"} and words.pop(0)
    while words and re.match(r"\w+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        if name.startswith(settings.PREFIX):
            settings.load({name: value})
    if exported or not words:
        return
    if words[0] == "dc":
        words[:1] = alias
    if words[:2] == ["sh", "-c"]:
        words = shlex.split(words[2])
    if words[0] == "for":
        words = words[words.index("do") + 1 : words.index("done")]
    name, *rest = words
    name = Path(name).name
    if name == "docker":
        assert rest.pop(0) == "compose"
        of_compose(rest)
    elif name in PROGRAMS:
        PROGRAMS[name](rest)
    elif "/" in words[0]:
        assert (CLONE / words[0]).exists()
    else:
        assert name in OF_THE_SYSTEM, words


@pytest.mark.parametrize("page", PAGES)
def test_a_command_of_a_page_is_one_that_its_program_takes(page, monkeypatch):
    monkeypatch.chdir(CLONE)
    shown = of_page(page)
    assert shown
    (alias,) = [words[1].removeprefix(ALIAS).split() for words in shown if words[0] == "alias"] or [()]
    for words in shown:
        check(words, alias)
