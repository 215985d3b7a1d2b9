"""deploy/systemd: PostgreSQL, the three services as their units start them, and a real run through the daemon."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import postgres
import pytest
import yaml
from processes import CLONE
from test_assets import DAYS, RANGE_END, RANGE_START

from engagement_pipeline import catalog, settings
from engagement_pipeline.lake import Lake

SYSTEMD = CLONE / "deploy" / "systemd"
SERVICES = ["code", "daemon", "webserver"]
BIN = Path(sys.executable).parent
PATIENCE = 120  # seconds, far beyond what a machine with other work needs

needs_postgres = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())


def unit(service):
    """Return the lines of a unit as pairs, its comments left out."""
    lines = (SYSTEMD / f"engagement-{service}.service").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def value(service, key):
    (found,) = (text for name, text in unit(service) if name == key)
    return found


def test_the_lasting_instance_differs_from_the_plain_one_in_its_storage_alone():
    plain, lasting = (yaml.safe_load((path / "dagster.yaml").read_text()) for path in (CLONE / "deploy", SYSTEMD))
    storage = lasting.pop("storage")
    assert lasting == plain
    assert "storage" not in plain
    assert storage["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_no_credential_stands_in_a_file_of_the_clone():
    database = yaml.safe_load((SYSTEMD / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_db"]
    named = {entry["env"] for key, entry in database.items() if key != "scheme"}
    told = dict(re.findall(r"^(DAGSTER_PG_\w+)=(.*)$", (SYSTEMD / "engagement.env").read_text(), re.MULTILINE))
    assert named == told.keys()
    assert told["DAGSTER_PG_PASSWORD"] == ""


def test_the_services_differ_in_what_they_run_alone():
    own = {"Description", "After", "ExecStart"}
    common = [[pair for pair in unit(service) if pair[0] not in own] for service in SERVICES]
    assert common[0] == common[1] == common[2]


def test_the_address_of_the_code_location_is_the_one_it_serves():
    (entry,) = yaml.safe_load((SYSTEMD / "workspace.yaml").read_text())["load_from"]
    server = entry["grpc_server"]
    assert f"--host {server['host']} --port {server['port']} " in value("code", "ExecStart")
    assert value("code", "ExecStart").endswith(f"--location-name {server['location_name']}")
    plain = yaml.safe_load((CLONE / "workspace.yaml").read_text())["load_from"][0]["python_file"]
    assert plain["location_name"] == server["location_name"]


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: apt-get install systemd"
)
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    for path in [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.target")]:
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/engagement/.venv/bin", str(BIN)))
    (tmp_path / "postgresql.service").write_text("[Service]\nExecStart=/bin/true\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.glob("engagement*"))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "engagement" in line]
    assert ours == []
    assert done.returncode == 0


@contextmanager
def served(service, environment, *, ports, log):
    """Run a service as its unit does, but on ports that are free; end it as systemd does."""
    command = value(service, "ExecStart").replace("/opt/engagement/.venv/bin", str(BIN))
    for told, free in ports.items():
        command = command.replace(told, free)
    with log.open("wb") as file:
        process = subprocess.Popen(
            shlex.split(command.replace("/opt/engagement", str(CLONE))),
            cwd=CLONE,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def cluster():
    with postgres.cluster() as made:
        yield made


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def machine(in_world, cluster):
    """Variables and files as deploy/systemd has them, in temporary folders: the environment, ports, and logs."""
    home = in_world.root / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(SYSTEMD / "dagster.yaml")
    environment = os.environ | in_world.environment | cluster.environment | {"DAGSTER_HOME": str(home)}
    environment |= {"ENGAGEMENT_FIRST_DAY": DAYS[0], "PYTHONPATH": str(CLONE)}
    ports = {"4266": free_port(), "3000": free_port()}
    text = (SYSTEMD / "workspace.yaml").read_text().replace("4266", ports["4266"])
    (in_world.root / "workspace.yaml").write_text(text)
    return environment, ports | {"deploy/systemd/workspace.yaml": str(in_world.root / "workspace.yaml")}


def dagster(arguments, environment):
    done = subprocess.run(
        [BIN / "dagster", *arguments], cwd=CLONE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(found, *, log):
    """Poll until there is an answer; fail with what the services said."""
    ends = time.monotonic() + PATIENCE
    while not (answer := found()):
        assert time.monotonic() < ends, "\n".join(path.read_text() for path in log.glob("*.log"))
        time.sleep(0.1)
    return answer


@needs_postgres
def test_a_run_goes_through_queue_daemon_and_code_location_with_all_it_leaves_in_postgresql(in_world, machine, cluster):
    environment, ports = machine
    dagster(["instance", "concurrency", "set", "engagement_api", "1"], environment)
    tags = json.dumps({RANGE_START: DAYS[0], RANGE_END: DAYS[-1]})
    logs = {service: in_world.root / f"{service}.log" for service in SERVICES}
    with served("code", environment, ports=ports, log=logs["code"]):
        until(lambda: "Started Dagster code" in logs["code"].read_text(), log=in_world.root)
        with served("daemon", environment, ports=ports, log=logs["daemon"]):
            workspace = ["--workspace", ports["deploy/systemd/workspace.yaml"]]
            dagster(["job", "launch", *workspace, "--job", "daily", "--tags", tags], environment)
            ended = "select status from runs where status in ('SUCCESS', 'FAILURE', 'CANCELED')"
            assert until(lambda: cluster.ask(ended), log=in_world.root) == "SUCCESS"
    rows = catalog.query(Lake(in_world.lake), "select count(distinct day) as days from engagements").to_pylist()
    assert rows == [{"days": 28}]
    told = "select count(distinct partition) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    assert cluster.ask(told) == "28"
    assert not list(Path(environment["DAGSTER_HOME"]).rglob("*.db"))


def test_the_units_wait_longer_for_a_run_than_a_request_may_take():
    assert int(value("code", "TimeoutStopSec")) > settings.Settings().timeout_seconds
