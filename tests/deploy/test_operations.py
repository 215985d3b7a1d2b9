"""Each command of docs/operations.md does what the page says, in its order, on a machine that goes with the test."""

import json
import re
import sys
import time

import machine as machines
import pytest
from processes import CLONE

PAGE = (CLONE / "docs" / "operations.md").read_text(encoding="utf-8")
EMULATOR = (
    f"setsid {sys.prefix}/bin/engagement emulator --port 8080 --now 2026-02-01 --requests-per-minute 6000 "
    "--accounts ~/accounts.toml --tweets ~/world.csv > /run/emulator.log 2>&1 &"
)
COMMIT = f"git -C {machines.REPOSITORY} -c user.name=test -c user.email=test@example.com commit --quiet"
PUBLISH = f"""
git init --quiet {machines.REPOSITORY}
cd {CLONE}
git -c safe.directory={CLONE} ls-files -co --exclude-standard -z |
    tar --null --files-from=- --ignore-failed-read -cf - | tar -C {machines.REPOSITORY} -x
git -C {machines.REPOSITORY} add --all
{COMMIT} --message first
"""
IN_PLACE_OF_A_DOWNLOAD = f"""
ln -s {sys.prefix} .venv
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
touch .venv/ready
"""
RECEIVER = """
import http.server as web
class Receiver(web.BaseHTTPRequestHandler):
    def do_POST(self):
        with open("/run/alerts", "ab") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
web.HTTPServer(("127.0.0.1", 8081), Receiver).serve_forever()
"""
CONTRACT = {
    "API_URL": "http://127.0.0.1:8080",
    "AUTH_URL": "http://127.0.0.1:8080",
    "NOW": "2026-02-01T00:00:00Z",
    "FIRST_DAY": "2026-01-04",
    "REQUESTS_PER_MINUTE": "6000",
    "TIMEOUT_SECONDS": "5",
    "ALERT_WEBHOOK": "http://127.0.0.1:8081/s3cret",
}
AUTHORIZE = """
mkfifo /run/pin
COMMAND < /run/pin > /run/said 2>&1 &
exec 3> /run/pin
until address=$(grep -o 'http://[^ ]*' /run/said); do sleep 0.1; done
/opt/engagement/.venv/bin/python -c 'import re, sys, urllib.request as web
print(re.search(r"\\b\\d{7}\\b", web.urlopen(sys.argv[1]).read().decode()).group())' "$address" >&3
exec 3>&-
wait $!
rm /run/pin
cat /run/said
"""
LAUNCH = (
    "as-engagement dagster job launch --workspace deploy/systemd/workspace.yaml --job daily --tags "
    """'{"dagster/asset_partition_range_start": "2026-01-04", "dagster/asset_partition_range_end": "2026-01-31"}'"""
)
ROWS = 'as-engagement engagement sql "select count(*) as n, count(distinct day) as days from engagements" --format csv'
ACCOUNTS = "/var/lib/engagement/accounts.toml"
PRINTED = "find /var/lib/engagement/dagster/storage -mindepth 1"
FAULTS = """/opt/engagement/.venv/bin/python -c 'import sys, urllib.request as web
web.urlopen(web.Request("http://127.0.0.1:8080/admin/faults", sys.argv[1].encode(), method="POST"))' """
ROOT = "umask 077; COPY=$(ls -d /var/backups/engagement/* 2> /dev/null | tail -n 1); "  # a careful root's shell
CLUSTER = "pg_ctlcluster $(pg_lsclusters -h | awk '$2 == \"main\" {print $1; exit}') main"
KILL = "kill -KILL $(cat /run/engagement-code.service.main)"
RUNS = "runuser -u postgres -- psql -XAtc 'select status, count(*) from runs group by 1 order by 1' dagster"

pytestmark = [
    pytest.mark.operations,
    pytest.mark.skipif(bool(machines.missing()), reason=machines.missing()),
]


def commands(title):
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^# (.+)$", "".join(re.findall(r"```console\n(.*?)```", section, re.DOTALL)), re.MULTILINE)


def followed(machine, title):
    """Do what a section says, and return what the last command printed."""
    said = ""
    for command in commands(title):
        said = machine.run(ROOT + (with_a_pin(command) if "authorize" in command else command))
        if command.startswith("git clone"):
            machine.run(IN_PLACE_OF_A_DOWNLOAD)
    return said


def with_a_pin(command):
    """Return the command with a handle of the emulator's world, answered with the PIN of the page that it names."""
    *authorize, handle = command.split()
    known = {"some_handle": "harborbooks", "another_handle": "tidalcoffee"}
    return AUTHORIZE.replace("COMMAND", " ".join([*authorize, known[handle]]))


@pytest.fixture(scope="module")
def machine():
    """A machine on which the section "Start" was followed, with an emulator in place of the vendor's API."""
    with machines.booted() as made:
        made.run(PUBLISH)
        made.run(
            f"cat > /run/receiver.py; setsid {sys.executable} /run/receiver.py > /run/receiver.log 2>&1 &",
            stdin=RECEIVER,
        )
        made.run(EMULATOR)
        made.until("cat /run/emulator.log", "http://")
        world = [line.split(",") for line in made.run("cat ~/world.csv").splitlines()]
        for file, handles in (("tweets", ["harborbooks", "lumenaudio"]), ("more", ["tidalcoffee"])):
            of = {handle: [row[0] for row in world if row[1:] == [handle, "ok"]][:2] for handle in handles}
            rows = [f"{tweet},{handle}\n" for handle, tweets in of.items() for tweet in tweets]
            made.run(f"cat > ~/{file}.csv", stdin="tweet_id,handle\n" + "".join(rows))
        env = "".join(f"ENGAGEMENT_{name}={value}\n" for name, value in CONTRACT.items())
        made.run(
            f"mkdir -p /etc/engagement && cat {CLONE}/deploy/systemd/engagement.env - > /etc/engagement/engagement.env",
            stdin=env,
        )
        made.run("chmod 600 /etc/engagement/engagement.env")
        followed(made, "Start")
        yield made


def ended(machine, status):
    """Return how many runs have ended so."""
    found = re.search(rf"{status}\|(\d+)", machine.run(RUNS))
    return int(found[1]) if found else 0


def launched(machine):
    """Launch the daily job, see it succeed, and return what the lake and the database then hold."""
    before = ended(machine, "SUCCESS")
    machine.run(LAUNCH)
    machine.until(RUNS, f"SUCCESS|{before + 1}")
    return machine.run(ROWS), machine.run(RUNS)


def answers(machine):
    """Return what the API was asked and answered, as the lake tells it."""
    lines = machine.run(". /etc/engagement/engagement.env; cat $ENGAGEMENT_DATA/requests/*.jsonl").splitlines()
    told = [json.loads(line) for line in lines]
    return [(line["endpoint"], *line["tweet_ids"], line["first_day"]) for line in told if line["status"] == 200]


def half_way(machine):
    """Launch the daily job, and return once an answer has landed and the others hang; return what landed before."""
    before = len(answers(machine))
    machine.run(FAULTS + """'{"slow": 2, "slow_seconds": 600}'""")
    machine.run(LAUNCH)
    limit = time.monotonic() + machines.PATIENCE
    while len(answers(machine)) == before:
        assert time.monotonic() < limit
        time.sleep(0.2)
    machine.run(FAULTS + """'{"slow": 1}'""")
    return before


def test_the_page_from_start_to_move(machine):
    assert "active\n" in machine.run("systemctl status engagement.target")
    rows, runs = launched(machine)
    assert rows.splitlines()[1].endswith(",28")

    followed(machine, "Stop, and what becomes of a run")
    followed(machine, "Back up")
    first = machine.run("git rev-parse HEAD")
    machine.run(f"{COMMIT} --allow-empty --message next")
    followed(machine, "Upgrade")
    assert machine.run("git rev-parse HEAD") == machine.run(f"git -C {machines.REPOSITORY} rev-parse HEAD") != first
    followed(machine, "Go back")
    assert machine.run("git rev-parse HEAD") == first
    machine.run("rm -rf /var/lib/engagement/data && runuser -u postgres -- dropdb dagster")
    followed(machine, "Restore")
    assert (machine.run(ROWS), machine.run(RUNS)) == (rows, runs)

    tokens = machine.run(f"cat {ACCOUNTS}")
    machine.run("""sed -i '/harborbooks/,/^$/ s/^access_token = .*/access_token = "1-revoked"/' """ + ACCOUNTS)
    assert "harborbooks" in machine.run("! as-engagement engagement check")
    followed(machine, "Rotate a token")  # the emulator gives the same again
    assert machine.run(f"cat {ACCOUNTS}") == tokens
    followed(machine, "Add a handle")
    more, _ = launched(machine)
    assert int(more.splitlines()[1].split(",")[0]) > int(rows.splitlines()[1].split(",")[0])

    machine.run("mkdir -p /srv/lake/lost+found")  # as a disk that is mounted there
    followed(machine, "Move the lake")
    assert machine.run(ROWS) == more
    machine.run("rm -rf /var/lib/engagement/data")
    assert launched(machine)[0] == more

    assert machine.run(PRINTED)
    machine.run(
        "sed 's/ 30d$/ 0/' /etc/tmpfiles.d/engagement.conf > /run/now.conf && systemd-tmpfiles --clean /run/now.conf"
    )
    assert not machine.run(PRINTED)


def test_a_run_that_a_stop_ends_is_marked_and_goes_on_by_itself_after_the_start(machine):
    succeeded, failed = ended(machine, "SUCCESS"), ended(machine, "FAILURE")
    landed = half_way(machine)
    began = time.monotonic()
    machine.run("systemctl stop engagement.target")
    assert time.monotonic() - began < 30
    assert "STARTED" not in machine.run(RUNS)
    assert ended(machine, "FAILURE") == failed + 1
    machine.run(FAULTS + """'{"slow": 0}'""")
    machine.run("systemctl start engagement.target")
    machine.until(RUNS, f"SUCCESS|{succeeded + 1}")
    asked = answers(machine)[landed:]
    assert len(set(asked)) == len(asked) > 1  # nothing that had landed is asked again


def test_a_run_whose_machine_died_goes_on_by_itself_at_the_next_start(machine):
    succeeded = ended(machine, "SUCCESS")
    half_way(machine)
    for service in ("daemon", "webserver", "code"):
        machine.run(f"pkill -KILL -s $(cat /run/engagement-{service}.service.pid)")
    machine.run(FAULTS + """'{"slow": 0}'""")
    assert "STARTED" in machine.run(RUNS)
    machine.run("systemctl start engagement.target")
    machine.until(RUNS, f"SUCCESS|{succeeded + 1}")


def test_when_the_code_location_dies_the_run_and_the_one_behind_it_go_on_by_themselves(machine):
    succeeded = ended(machine, "SUCCESS")
    half_way(machine)
    machine.run(LAUNCH)
    machine.until(RUNS, "QUEUED|1")
    machine.run(KILL)
    machine.run(FAULTS + """'{"slow": 0}'""")
    runs = machine.until(RUNS, f"SUCCESS|{succeeded + 2}")
    assert not [status for status in ("QUEUED", "STARTED") if status in runs]


def test_a_run_outlives_a_restart_of_postgresql(machine):
    succeeded, failed = ended(machine, "SUCCESS"), ended(machine, "FAILURE")
    half_way(machine)
    machine.run(f"{CLUSTER} restart")
    machine.run(FAULTS + """'{"slow": 0}'""")
    machine.until(RUNS, f"SUCCESS|{succeeded + 1}")
    assert ended(machine, "FAILURE") == failed
    assert launched(machine)  # the daemon and the code location go on too


def test_a_failed_run_tells_a_person_and_the_address_of_the_webhook_stands_nowhere(machine):
    machine.run(f"mv {ACCOUNTS} {ACCOUNTS}.away; rm -f /run/alerts")
    machine.run(LAUNCH)
    told = machine.until("cat /run/alerts", "runs/")
    machine.run(f"mv {ACCOUNTS}.away {ACCOUNTS}")
    for part in ("a run of daily failed", "asset: responses", "partitions: 2026-01-04 to 2026-01-31", ACCOUNTS):
        assert part in told
    machine.run("! grep -r s3cret /run/engagement-*.log /var/lib/engagement")
    machine.run("! runuser -u postgres -- pg_dump dagster | grep s3cret")


def test_the_look_from_outside_tells_a_person_what_does_not_answer(machine):
    look = "as-engagement python deploy/systemd/look.py"
    machine.run(f"rm -f /run/alerts; {look}")
    machine.run(f"systemctl stop engagement-code; {CLUSTER} stop; ! {look}")
    assert "no answer from the code location and the daemon or PostgreSQL" in machine.run("cat /run/alerts")
    machine.run(f"{CLUSTER} start; systemctl start engagement-code; {look}")


def test_what_the_services_make_is_theirs_and_no_strangers_to_read(machine):
    loose = "find /var/lib/engagement /etc/engagement/engagement.env ! -type l -perm /o=rwx"
    assert machine.run(loose) == ""
    owners = "find /var/lib/engagement ! -user engagement ! -type l"
    assert machine.run(owners) == ""
