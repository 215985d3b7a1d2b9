"""deploy/systemd: what the units and the instance say, and a run whose events go to PostgreSQL."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import postgres
import pytest
import receivers
import yaml
from code_location import DAYS, load_definitions, run_days
from processes import CLONE
from receivers import webhook

from engagement_pipeline.core import settings
from engagement_pipeline.core.loopback import without_loopback

SYSTEMD = CLONE / "deploy" / "systemd"
SERVICES = ["code", "daemon", "webserver"]
BIN = Path(sys.executable).parent


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
    url = "postgresql+psycopg2:///dagster?options=-csynchronous_commit=off"
    assert storage == {"postgres": {"postgres_url": url}}


def test_the_services_differ_in_what_they_run_alone():
    own = {"Description", "After", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "KillMode"}
    common = [[pair for pair in unit(service) if pair[0] not in own] for service in SERVICES]
    assert common[0] == common[1] == common[2]


def test_the_hourly_look_is_held_as_the_services_are():
    code, look = unit("code"), unit("look")
    hardening = code[code.index(("CapabilityBoundingSet", "")) :]
    assert len(hardening) > 15
    assert [pair for pair in look if pair[0] in dict(hardening)] == hardening
    assert value("look", "UMask") == value("code", "UMask")


def test_the_hourly_look_tells_a_person_that_nothing_answers(tmp_path, in_world):
    """As the unit runs it: in the clone, with the settings of the environment."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    for name in ("dagster", "dagster-daemon"):
        (python.parent / name).write_text("#!/bin/sh\nexit 1\n")
        (python.parent / name).chmod(0o755)
    with receivers.webhook() as receiver:
        address = {
            "ENGAGEMENT_ALERT_WEBHOOK": f"http://127.0.0.1:{receiver.port}/s3cret",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run([python, SYSTEMD / "look.py"], env=os.environ | address, cwd=CLONE, check=False)
    assert done.returncode == 1
    (body,) = receiver.got
    assert body["text"].startswith("engagement-pipeline: no answer from the code location and the daemon or PostgreSQL")


def test_the_address_of_the_code_location_is_the_one_it_serves():
    (entry,) = yaml.safe_load((SYSTEMD / "workspace.yaml").read_text())["load_from"]
    server = entry["grpc_server"]
    address = f"--host {server['host']} --port {server['port']}"
    for said in (value("code", "ExecStart"), value("code", "ExecStartPost"), (SYSTEMD / "look.py").read_text()):
        assert address in said
    assert value("code", "ExecStart").endswith(f"--location-name {server['location_name']}")
    plain = yaml.safe_load((CLONE / "workspace.yaml").read_text())["load_from"][0]["python_file"]
    assert plain["location_name"] == server["location_name"]


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: apt-get install systemd"
)
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    for path in (path for kind in ("service", "timer", "target") for path in SYSTEMD.glob(f"*.{kind}")):
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


@pytest.fixture
def lasting(in_world, monkeypatch):
    """An instance as deploy/systemd has it: the PostgreSQL behind it, and its home."""
    home = in_world.root / "dagster"
    home.mkdir()
    (home / "dagster.yaml").symlink_to(SYSTEMD / "dagster.yaml")
    told = dict(re.findall(r"^(DAGSTER_EVENT_\w+)=(.*)$", (SYSTEMD / "engagement.env").read_text(), re.MULTILINE))
    with postgres.cluster() as cluster:
        for variable, value in (cluster.environment | told).items():
            monkeypatch.setenv(variable, value)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance, cluster, home


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_a_run_leaves_all_it_tells_in_postgresql(lasting, monkeypatch):
    instance, cluster, home = lasting
    monkeypatch.setenv("ENGAGEMENT_FIRST_DAY", DAYS[0])
    assert run_days(load_definitions(), instance).success
    told = "from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    assert cluster.ask(f"select count(distinct partition), count(*) {told}") == "3|7"  # two tables a day, and the views
    assert cluster.ask(f"select count(distinct xmin::text) {told}") == "3"  # transactions: one an asset
    assert cluster.ask("select status from runs") == "SUCCESS"
    assert not list(home.rglob("*.db"))


def test_the_units_wait_longer_for_a_run_than_a_request_may_take():
    assert int(value("code", "TimeoutStopSec")) > settings.Settings().timeout_seconds


@pytest.mark.parametrize("unit", ["code", "daemon", "webserver", "look"])
def test_the_units_reach_this_machine_past_a_proxy(unit):
    """gRPC, by which the daemon and the webserver reach the code location, takes the proxy of a variable for it too."""
    assert dict(pair.split("=") for pair in value(unit, "Environment").split()) == without_loopback({})


def test_as_engagement_reaches_this_machine_past_a_proxy():
    script = (SYSTEMD / "as-engagement").read_text().partition("\n. /etc")[0]
    told = subprocess.run(["sh", "-c", f"{script}\nenv"], env={}, capture_output=True, text=True, check=True).stdout
    assert without_loopback({}).items() <= dict(line.split("=", 1) for line in told.splitlines()).items()


def test_the_look_from_outside_tells_a_person_of_a_daemon_that_never_ran(in_world, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(in_world.root))
    with webhook() as receiver:
        monkeypatch.setenv("ENGAGEMENT_ALERT_WEBHOOK", f"http://127.0.0.1:{receiver.port}/s3cret")
        looked = subprocess.run([sys.executable, SYSTEMD / "look.py"], capture_output=True, text=True, check=False)
    assert looked.returncode == 1
    assert [body["text"].splitlines()[0].endswith("the daemon or PostgreSQL") for body in receiver.got] == [True]
