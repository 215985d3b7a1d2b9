"""The stand-in for systemctl on a throwaway machine: starts and stops units as they are written, without a sandbox.

Each unit gets a keeper, which leads a session of the unit's own and starts it anew whenever its main process ends.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

UNITS, STATE = Path("/etc/systemd/system"), Path("/run")
STARTS_WITHIN = 90  # seconds: systemd's own TimeoutStartSec


def main(verb, *names):
    units = [unit for name in names if not name.startswith("-") for unit in services(name)]
    if verb == "daemon-reload":
        return 0
    if verb == "keep":
        keep(*units)
    if verb in {"stop", "restart"}:
        for unit in reversed(units):
            stop(unit)
    if verb in {"start", "restart"} or (verb == "enable" and "--now" in names):
        for unit in units:
            start(unit)
    if verb in {"status", "is-active"}:
        states = ["active" if alive(unit) else "inactive" for unit in units]
        sys.stdout.write("".join(f"{unit}: {state}\n" for unit, state in zip(units, states, strict=True)))
        return 0 if set(states) == {"active"} else 3
    return 0


def services(name):
    """Return the services that a name stands for: those of a target in the order in which they start."""
    if name.endswith(".target"):
        return [unit for unit in read(name)["Wants"].split() if unit.endswith(".service")]
    return [name if name.endswith(".service") else f"{name}.service"]


def read(unit):
    """Return the settings of a unit and its drop-ins; of one that stands twice, the last."""
    files = [UNITS / unit, *sorted((UNITS / f"{unit}.d").glob("*.conf"))]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def start(unit):
    """Return once the unit is up, its ExecStartPost included."""
    if alive(unit):
        return
    up = STATE / f"{unit}.up"
    up.unlink(missing_ok=True)
    with (STATE / f"{unit}.log").open("a") as log:
        command = [sys.executable, __file__, "keep", unit]
        keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (STATE / f"{unit}.pid").write_text(str(keeper.pid))
    limit = time.monotonic() + STARTS_WITHIN
    while not up.exists():
        if keeper.poll() is not None or time.monotonic() > limit:
            sys.exit(f"{unit} did not start: {up.with_suffix('.log')}")
        time.sleep(0.1)


def keep(unit):
    """Run a unit's commands in their order, and again whenever its main process has ended: Restart=always."""
    while True:
        told = read(unit)
        if "ExecStartPre" not in told or launch(told, "ExecStartPre").wait() == 0:
            process = launch(told, "ExecStart")
            (STATE / f"{unit}.main").write_text(str(process.pid))
            Thread(target=process.wait).start()  # else it would still be there as a zombie
            if "ExecStartPost" not in told or launch(told, "ExecStartPost", main=process.pid).wait() == 0:
                (STATE / f"{unit}.up").touch()
            process.wait()
            end(unit)
        time.sleep(float(told["RestartSec"]))


def launch(told, key, *, main=""):
    """Start a command of a unit as its user, with its variables."""
    text = Path(told["EnvironmentFile"]).read_text()
    variables = dict(pair.split("=", 1) for pair in shlex.split(text, comments=True))
    words = [str(main) if word == "$MAINPID" else word for word in shlex.split(told[key].removeprefix("-"))]
    return subprocess.Popen(
        ["setpriv", f"--reuid={told['User']}", f"--regid={told['User']}", "--init-groups", *words],
        cwd=told["WorkingDirectory"],
        env={"PATH": os.environ["PATH"], "MAINPID": str(main), **variables},
        umask=int(told["UMask"], 8),
    )


def stop(unit):
    if session := alive(unit):
        told, keeper = read(unit), int((STATE / f"{unit}.pid").read_text())
        os.kill(keeper, signal.SIGKILL)
        if "ExecStop" in told and main_process(unit) in session:
            launch(told, "ExecStop", main=main_process(unit)).wait()
        end(unit)


def end(unit):
    """End what is left of a unit as systemd does: SIGTERM to all or, where KillMode is mixed, to the main one alone.

    SIGKILL follows after its patience; where KillMode is mixed, once the main process has ended.
    """
    told = read(unit)
    patience = time.monotonic() + float(told["TimeoutStopSec"])
    mixed = told.get("KillMode") == "mixed"
    for process in alive(unit):
        if process == main_process(unit) or not mixed:
            tell(process, signal.SIGTERM)
    while left := alive(unit):
        if time.monotonic() > patience or (mixed and main_process(unit) not in left):
            for process in left:
                tell(process, signal.SIGKILL)
        time.sleep(0.1)


def tell(process, what):
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(process, what)


def main_process(unit):
    file = STATE / f"{unit}.main"
    return int(file.read_text()) if file.exists() else 0


def alive(unit):
    """Return the processes of the session that the unit's keeper leads, but for the one that asks."""
    file = STATE / f"{unit}.pid"
    return of_session(file.read_text()) if file.exists() else []


def of_session(session):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if of == session and state != "Z" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
