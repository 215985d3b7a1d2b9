"""The stand-in for systemctl on a throwaway machine: starts and stops units as they are written, without a sandbox."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

UNITS, STATE = Path("/etc/systemd/system"), Path("/run")


def main(verb, *names):
    units = [unit for name in names if not name.startswith("-") for unit in services(name)]
    if verb == "daemon-reload":
        return 0
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
        return dict(read(name))["Wants"].split()
    return [name if name.endswith(".service") else f"{name}.service"]


def read(unit):
    """Return the settings of a unit and its drop-ins as pairs."""
    files = [UNITS / unit, *sorted((UNITS / f"{unit}.d").glob("*.conf"))]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def start(unit):
    if alive(unit):
        return
    told = dict(read(unit))
    text = Path(told["EnvironmentFile"]).read_text()
    variables = dict(pair.split("=", 1) for pair in shlex.split(text, comments=True))
    user = told["User"]
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
    with (STATE / f"{unit}.log").open("a") as log:
        options = {
            "cwd": told["WorkingDirectory"],
            "env": {"PATH": os.environ["PATH"], **variables},
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": log,
            "umask": int(told["UMask"], 8),
        }
        if before := told.get("ExecStartPre"):
            subprocess.run([*as_user, *shlex.split(before)], check=True, **options)
        process = subprocess.Popen([*as_user, *shlex.split(told["ExecStart"])], start_new_session=True, **options)
    (STATE / f"{unit}.pid").write_text(str(process.pid))


def stop(unit):
    """End all processes of a unit as systemd does: SIGTERM to each, and SIGKILL after its patience."""
    patience = time.monotonic() + float(dict(read(unit))["TimeoutStopSec"])
    for process in alive(unit):
        os.kill(process, signal.SIGTERM)
    while left := alive(unit):
        if time.monotonic() > patience:
            for process in left:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def alive(unit):
    """Return the processes of the session that the unit began."""
    file = STATE / f"{unit}.pid"
    return of_session(file.read_text()) if file.exists() else []


def of_session(session):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if of == session and state != "Z":
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
