"""The image of deploy/container: built, and its services run as compose.yaml describes them, on a throwaway machine."""

import json
import shlex
import sys
import time

import image as images
import machine as machines
import pytest
from image import COMPOSE

pytestmark = [
    pytest.mark.containers,
    pytest.mark.skipif(bool(images.missing() or machines.missing()), reason=images.missing() or machines.missing()),
]
PASSWORD = "s3cret word"
SETTINGS = """
api_url = "http://127.0.0.1:8080"
auth_url = "http://127.0.0.1:8080"
now = 2026-02-01T00:00:00Z
first_day = 2026-01-04
requests_per_minute = 6000
timeout_seconds = 5
"""
PREPARE = f"""
runuser -u postgres -- psql -Xqc "create role engagement login password '{PASSWORD}'"
runuser -u postgres -- createdb --owner engagement dagster
printf '127.0.0.1 localhost database code\\n' > /etc/hosts
install -d -m 750 -g 10001 /etc/engagement
cat > /etc/engagement/engagement.toml
printf %s {shlex.quote(PASSWORD)} > /etc/engagement/database_password
chown 10001:999 /etc/engagement/database_password
chmod 440 /etc/engagement/database_password
install -d -m 750 -o 10001 -g 10001 /var/lib/engagement /var/lib/engagement/data /var/lib/engagement/data/tweets
install -d -m 750 -o 10001 -g 10001 /var/lib/engagement/dagster /var/lib/engagement/dagster/storage
"""
EMULATOR = (
    f"cd /root && setsid {sys.prefix}/bin/engagement emulator --port 8080 --now 2026-02-01 --requests-per-minute 6000 "
    "--accounts /root/accounts.toml --tweets /root/world.csv > /run/emulator.log 2>&1 &"
)
ROSTER = """
install -m 600 -o 10001 -g 10001 /root/accounts.toml /var/lib/engagement/accounts.toml
{ echo tweet_id,handle; grep ,harborbooks,ok /root/world.csv | head -n 2 | sed s/,ok//; } > /root/tweets.csv
install -m 640 -o 10001 -g 10001 /root/tweets.csv /var/lib/engagement/data/tweets/
"""
RUNS = "runuser -u postgres -- psql -XAtc 'select status, count(*) from runs group by 1 order by 1' dagster"
SLOW = """{python} -c 'import sys, urllib.request as web
web.urlopen(web.Request("http://127.0.0.1:8080/admin/faults", sys.argv[1].encode(), method="POST"))' '{faults}'"""
STARTED = """runuser -u postgres -- psql -XAtc "select count(*) from runs where status = 'STARTED'" dagster"""
DAILY = ["dagster", "job", "launch", "--workspace", "deploy/container/workspace.yaml", "--job", "daily", "--tags"]
DAILY += ['{"dagster/asset_partition_range_start": "2026-01-04", "dagster/asset_partition_range_end": "2026-01-31"}']
ROWS = ["sql", "select count(*) as n, count(distinct day) as days from engagements", "--format", "csv"]


@pytest.fixture(scope="module")
def image():
    return images.built()


class Services:
    """The services on a machine; `run` is `docker compose run --rm`."""

    def __init__(self, machine, image):
        self.machine, self.image = machine, image

    def up(self, name):
        """Start a service, and return once its health check is content."""
        shell = self.image.service(name)
        self.machine.run(f"setsid {shell} > /run/{name}.log 2>&1 & echo $! > /run/{name}.pid")
        check = COMPOSE["services"][name].get("healthcheck", self.image.config.get("Healthcheck"))
        command = (check.get("test") or check["Test"])[1:]
        looked = self.image.service(name, command=command, entrypoint=False)
        self.machine.until(f"{looked} && echo well", "well")

    def run(self, name, *command):
        return self.machine.run(self.image.service(name, command=list(command)))

    def stop(self, name):
        """Signal the first process of a service, as Docker does, and return the seconds until all of it is gone."""
        began = time.monotonic()
        first = f"$(cat /proc/$(cat /run/{name}.pid)/task/*/children)"
        self.machine.run(f"kill -TERM {first}")
        self.machine.until(f"kill -0 $(cat /run/{name}.pid) 2> /dev/null || echo gone", "gone")
        return time.monotonic() - began


@pytest.fixture(scope="module")
def services(image):
    with machines.booted() as machine:
        machine.run(PREPARE, stdin=SETTINGS)
        machine.run(EMULATOR)
        machine.until("cat /run/emulator.log", "http://")
        machine.run(ROSTER)
        made = Services(machine, image)
        made.up("code")
        made.up("daemon")
        made.up("webserver")
        made.run("code", "dagster", "instance", "concurrency", "set", "engagement_api", "1")
        yield made


def faults(services, **dials):
    services.machine.run(SLOW.format(python=f"{sys.prefix}/bin/python", faults=json.dumps(dials)))


def test_a_run_of_the_daily_job_succeeds_and_its_rows_are_there(services):
    assert "harborbooks" in services.run("engagement", "check")
    services.run("daemon", *DAILY)
    services.machine.until(RUNS, "SUCCESS|1")
    assert services.run("engagement", *ROWS).splitlines()[-1].endswith(",28")


def test_a_service_can_write_to_its_mounts_alone(services):
    tried = "for at in / /opt/engagement /etc/engagement /var/lib; do touch $at/x 2> /dev/null && echo $at; done; id -u"
    assert services.run("code", "sh", "-c", tried).split() == ["10001"]


def test_no_capability_is_left_to_a_service(services):
    said = services.run("code", "sh", "-c", "grep -E '^Cap(Prm|Eff|Bnd)|^NoNewPrivs' /proc/self/status")
    assert set(said.split()[1::2]) == {"0000000000000000", "1"}


def test_the_image_has_no_developers_tools_and_no_secret(image):
    site = next(image.root.glob("opt/engagement/.venv/lib/python3*/site-packages"))
    assert (site / "dagster_k8s").exists()
    assert [name for name in ("pytest", "ruff", "mypy", "playwright", "pip") if (site / name).exists()] == []
    assert not any("PASSWORD" in variable for variable in image.config["Env"])
    assert not [*image.root.glob("**/accounts.toml")]


def test_a_stop_ends_the_run_and_the_next_start_goes_on_with_it(services):
    faults(services, slow=1, slow_seconds=600)
    services.run("daemon", *DAILY)
    services.machine.until(STARTED, "1")
    for name in ("webserver", "daemon", "code"):  # Compose's order: what needs another goes first
        assert services.stop(name) < 60
    assert services.machine.run(RUNS) == "FAILURE|1\nSUCCESS|1\n"
    faults(services, slow=0)
    for name in ("code", "daemon", "webserver"):
        services.up(name)
    services.machine.until(RUNS, "SUCCESS|2")


def test_no_log_has_the_password(services):
    places = "/run/code.log /run/daemon.log /run/webserver.log /var/lib/engagement"
    assert services.machine.run(f"grep -rlF {shlex.quote(PASSWORD)} {places} || [ $? = 1 ]") == ""  # 2: a place is gone
