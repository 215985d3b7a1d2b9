"""deploy/celery: what its files say. tests/deploy/test_workers.py runs workers by them."""

import os
import re
import subprocess

import pytest
import yaml
from processes import CLONE

CELERY, CONTAINER, SYSTEMD = (CLONE / "deploy" / name for name in ("celery", "container", "systemd"))
MIDDLE, WORKER, BASE = (
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (CELERY / "compose.yaml", CELERY / "worker.yaml", CONTAINER / "compose.yaml")
)
INSTANCE = yaml.safe_load((CELERY / "dagster.yaml").read_text(encoding="utf-8"))
SETTINGS = INSTANCE["run_launcher"]["config"]["config_source"]


def test_the_instance_differs_from_that_of_one_machine_in_who_runs_and_where_it_prints():
    lasting = yaml.safe_load((SYSTEMD / "dagster.yaml").read_text(encoding="utf-8"))
    ours = {key: value for key, value in INSTANCE.items() if key not in {"run_launcher", "compute_logs"}}
    at_once = ours["concurrency"]["runs"].pop("max_concurrent_runs")
    assert ours == lasting
    assert f"--concurrency {at_once} " in (CELERY / "worker").read_text(encoding="utf-8")


def test_a_worker_holds_no_run_back_and_gives_each_a_process():
    assert SETTINGS["task_acks_late"] is True
    assert SETTINGS["worker_prefetch_multiplier"] == 1
    assert SETTINGS["worker_max_tasks_per_child"] == 1


def test_redis_gives_no_run_to_a_second_worker_and_forgets_none_while_it_may_go_on():
    """The longest may take a day: assets/schedules.py."""
    longest = 24 * 60 * 60
    assert SETTINGS["broker_transport_options"]["visibility_timeout"] > longest
    assert SETTINGS["result_expires"] > longest


def test_no_secret_stands_in_a_file():
    assert INSTANCE["run_launcher"]["config"]["broker"] == {"env": "REDIS_URL"}
    assert INSTANCE["run_launcher"]["config"]["backend"] == {"env": "REDIS_URL"}
    for service in (*MIDDLE["services"].values(), *WORKER["services"].values()):
        named = {name: value for name, value in service.get("environment", {}).items() if "PASSWORD" in name}
        assert all(value.startswith("/run/secrets/") for value in named.values())
    assert not re.search(r"(PASSWORD|SECRET|KEY)=", (CELERY / "celery.env").read_text(encoding="utf-8"))


def test_all_that_loads_the_launcher_finds_it_and_its_queue():
    ours = [MIDDLE["services"][name] for name in ("code", "daemon", "webserver", "engagement")]
    for service in (*ours, WORKER["services"]["worker"]):
        assert service["env_file"] == ["/etc/engagement/celery.env"]
        assert service["environment"]["DAGSTER_HOME"] == "/opt/engagement/clone/deploy/celery"
        assert service["environment"]["PYTHONPATH"] == "/opt/engagement/clone"
        assert service["environment"]["REDIS_PASSWORD_FILE"] == "/run/secrets/broker_password"
        assert "broker_password" in service["secrets"]
    assert {*MIDDLE["services"]} == {*BASE["services"], "broker"}


@pytest.mark.parametrize(("file", "name"), [(MIDDLE, "broker"), (WORKER, "worker")], ids=["broker", "worker"])
def test_what_is_new_is_held_as_the_other_services_are(file, name):
    service, held = file["services"][name], BASE["services"]["code"]
    for key in ("read_only", "cap_drop", "security_opt", "tmpfs", "restart"):
        assert service[key] == held[key]
    assert "test" in service["healthcheck"]


def test_a_worker_has_what_the_code_location_has_of_the_machine_and_time_to_stop():
    worker, code = WORKER["services"]["worker"], BASE["services"]["code"]
    assert worker["image"] == code["image"]
    assert worker["volumes"] == code["volumes"]
    assert worker["stop_grace_period"] == code["stop_grace_period"]
    assert (CLONE / worker["command"][0]).exists()


def test_the_ports_are_open_in_the_network_of_the_workers_alone():
    ports = [port for service in MIDDLE["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("${CENTER_ADDRESS") for port in ports)


def test_the_queues_address_has_the_password_of_its_file(tmp_path):
    (tmp_path / "password").write_text("c0ffee\n")
    variables = {"REDIS_PASSWORD_FILE": str(tmp_path / "password"), "REDIS_HOST": "10.0.0.1"}
    command = [CONTAINER / "entrypoint", "printenv", "REDIS_URL"]
    environment = {"PATH": os.environ["PATH"]} | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "redis://:c0ffee@10.0.0.1:6379/0\n"
