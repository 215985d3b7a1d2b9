"""A store with buckets that many use: Ceph's gateway, as plain processes on this machine, with its disks in files.

As a script: python tests/support/ceph.py COMMAND…, as root, with Debian's ceph-mon, ceph-osd and radosgw. Starts a
monitor, a disk and the gateway in a temporary folder, runs the command with the variables AWS_… that lead to it, and
ends them.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

from buckets import REAL

NEEDED = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "ceph", "radosgw-admin", "ceph-authtool", "monmaptool")
WAIT = 240  # seconds for a part to answer, on a slow machine
CONFIG = """
[global]
fsid = {fsid}
run dir = {folder}
mon host = v2:127.0.0.1:{mon}
mon initial members = a
keyring = {folder}/keyring
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data = {folder}/mon
mon data avail crit = 1
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 8589934592
bluestore fsck on mount = false
osd memory target = 939524096
mgr data = {folder}/mgr
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw dns name = localhost
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def gateway():
    """Run the gateway; yield the variables that lead to it."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        sys.exit(f"{', '.join(missing)} not found: apt-get install ceph-mon ceph-mgr ceph-osd ceph-common radosgw")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ceph-", ignore_cleanup_errors=True)))
        ports = {"mon": free_port(), "gateway": free_port()}
        config = folder / "ceph.conf"
        config.write_text(CONFIG.format(folder=folder, fsid=uuid.uuid4(), **ports))
        _make_monitor(folder, config, ports["mon"])
        _start(stack, folder, "ceph-mon", config, "a")
        _ask(config, "mon", "stat")
        (folder / "mgr").mkdir()
        _start(stack, folder, "ceph-mgr", config, "a")
        _make_disk(folder, config)
        _start(stack, folder, "ceph-osd", config, "0")
        _until(lambda: json.loads(_ask(config, "osd", "stat", "--format", "json"))["num_up_osds"] == 1)
        _start(stack, folder, "radosgw", config, "client.rgw")
        url = f"http://127.0.0.1:{ports['gateway']}"
        _until(lambda: _answers(url))
        user = ["user", "create", "--uid", "test", "--display-name", "test"]
        (keys,) = json.loads(_run("radosgw-admin", "-c", config, *user))["keys"]
        yield {
            REAL: "yes",
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": keys["access_key"],
            "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
            "AWS_REGION": "default",
            "AWS_DEFAULT_REGION": "default",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # boto3's default asks for what the gateway has not
        }


def _make_monitor(folder, config, port):
    """Make a monitor that knows all parts by the one keyring that they share."""
    (folder / "mon").mkdir()
    allowed = [word for part in ("mon", "mgr", "osd") for word in ("--cap", part, "allow *")]
    _run("ceph-authtool", "--create-keyring", folder / "keyring")
    for name in ("mon.", "mgr.a", "osd.0", "client.admin", "client.rgw"):
        _run("ceph-authtool", folder / "keyring", "--gen-key", "-n", name, *allowed)
    _run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{port}]", "--fsid", _fsid(config), folder / "map")
    _run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", folder / "map", "--keyring", folder / "keyring")


def _make_disk(folder, config):
    (folder / "osd").mkdir()
    disk = str(uuid.uuid4())
    _ask(config, "osd", "new", disk)
    _run("ceph-osd", "-c", config, "--mkfs", "-i", "0", "--osd-uuid", disk)


def _fsid(config):
    return next(line.split(" = ")[1] for line in config.read_text().splitlines() if line.startswith("fsid"))


def _start(stack, folder, program, config, name):
    """Run a program until the end of a block."""
    option = "-n" if program == "radosgw" else "-i"
    with (folder / f"{program}.out").open("wb") as out:
        process = subprocess.Popen([program, "-c", config, "-f", option, name], stdout=out, stderr=out)
    stack.callback(process.wait)
    stack.callback(process.kill)


def _ask(config, *words):
    return _run("ceph", "-c", config, "--connect-timeout", str(WAIT), *words)


def _run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, check=False, timeout=WAIT)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr.decode().strip()[-500:]}")
    return done.stdout


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _until(holds):
    for _ in range(WAIT):
        if holds():
            return
        time.sleep(1)
    sys.exit("a part of Ceph did not come up")


def main(command):
    with gateway() as variables:
        return subprocess.run(command, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
