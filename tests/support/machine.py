"""A throwaway machine: namespaces of its own, over a copy-on-write view of this machine's files.

What is done there stays in memory and goes with it; it has no network but a loopback of its own. In place of
systemd, which would need the control groups of the whole machine, stands tests/support/systemctl.py: it starts the
units as they are written, without the sandbox. Needs root, namespaces and overlayfs; `missing` says what is not to be
had.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from processes import CLONE

REPOSITORY = "/srv/repository"
PATIENCE = 120  # seconds, far beyond what a machine with other work needs
NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
BOOT = """
set -eu
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" root
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir -p opt/engagement
printf '#!%s\\n' "$3" | cat - "$2/tests/support/systemctl.py" > usr/local/bin/systemctl
chmod +x usr/local/bin/systemctl
"$3" -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'  # SIOCSIFFLAGS: up, running
echo 'APT::Get::Upgrade "false";' > etc/apt/apt.conf.d/99installed  # what is there must do, without a network
touch run/ready
exec chroot . bash -c 'while :; do sleep 1000 & wait; done'  # reaps what its parents left
"""


def missing():
    """Return why no such machine can be had here, or an empty text."""
    if os.geteuid():
        return "a machine of its own needs root"
    needed = ["unshare", "nsenter", "setpriv", "runuser", "pg_ctlcluster"]
    if lacking := [name for name in needed if not shutil.which(name)]:
        return f"not installed: {', '.join(lacking)} (apt-get install util-linux postgresql)"
    tried = "mount -t tmpfs t /mnt && cd /mnt && mkdir u w r && mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w r"
    done = subprocess.run([*NAMESPACES, "sh", "-c", tried], capture_output=True, text=True, check=False)
    return f"namespaces or overlayfs are not to be had: {done.stderr.strip()}" if done.returncode else ""


class Machine:
    """A machine that is up; `run` is a shell of root in /opt/engagement, where `REPOSITORY` is the project's."""

    def __init__(self, pid):
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root"]
        self._enter += ["--wd=/", "env", "-C", "/opt/engagement", "-i", "HOME=/root", f"REPOSITORY={REPOSITORY}"]
        self._enter += ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c"]

    def run(self, command, *, check=True, stdin=""):
        """Run a line of shell and return what it printed; where it fails, the error has all that it said."""
        with tempfile.TemporaryFile("w+") as said:  # no pipe, which a service that the command starts would keep open
            done = subprocess.run(
                [*self._enter, command],
                input=stdin,
                stdout=said,
                stderr=said,
                text=True,
                check=False,
                start_new_session=True,
            )
            said.seek(0)
            printed = said.read()
        assert done.returncode == 0 or not check, f"{command}\n{printed}"
        return printed

    def until(self, command, found):
        """Repeat a command until its output has the text, and return the output."""
        ends = time.monotonic() + PATIENCE
        while found not in (said := self.run(command, check=False)):
            assert time.monotonic() < ends, f"{command}\n{said}\n{self.run('tail -n 40 /run/*.log', check=False)}"
            time.sleep(0.2)
        return said


@contextmanager
def booted():
    """Start it with PostgreSQL running and /opt/engagement empty; end all that runs on it with the block."""
    folder = tempfile.mkdtemp(prefix="machine")
    process = subprocess.Popen([*NAMESPACES, "sh", "-c", BOOT, "boot", folder, str(CLONE), sys.executable])
    try:
        machine = Machine(_first(process))
        for path in {Path(sys.base_prefix), Path(sys.prefix)}:  # readable, though the way there may not be
            for above in [*path.parents][:-1]:
                machine.run(f"chmod o+x '{above}'")
        machine.run(
            "pg_lsclusters -h | grep -q ' main ' || pg_createcluster $(ls /usr/lib/postgresql | tail -n 1) main"
        )
        machine.run("pg_ctlcluster $(pg_lsclusters -h | awk '$2 == \"main\" {print $1; exit}') main start")
        yield machine
    finally:
        process.kill()  # and --kill-child ends its first process, with which the kernel ends all others
        process.wait()
        Path(folder).rmdir()


def _first(process):
    """Wait until the machine is up, and return the ID that its first process has here."""
    ends = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < ends:
        with suppress(OSError, ValueError):
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if (
                Path(f"/proc/{child}/comm").read_text().strip() == "bash"
                and Path(f"/proc/{child}/root/run/ready").exists()
            ):
                return int(child)
        time.sleep(0.05)
    raise AssertionError("the machine did not come up")
