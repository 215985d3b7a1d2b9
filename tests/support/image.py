"""The image of deploy/container, built with Debian's buildah, and the services of compose.yaml on a throwaway machine.

The base cannot be had without a registry of images. In its place stands Debian 13 with its Python, of debootstrap.
It is kept from run to run. In place of Docker's engine stand namespaces: each service can only read its file system,
and has the mounts and variables of its description, and no privilege. All share one network.
"""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from processes import CLONE

FOLDER = CLONE / ".venv" / "containers"
COMPOSE = yaml.safe_load((CLONE / "deploy" / "container" / "compose.yaml").read_text(encoding="utf-8"))
BASE = "standin"
BUILDAH = ["buildah", "--storage-driver", "overlay", "--root", FOLDER / "storage", "--runroot", FOLDER / "run"]
CONTAIN = """
set -eu
root=/run/containers/$1
mkdir -p "$root"
mount --bind "$2" "$root"
{mounts}
mount -o remount,bind,ro "$root"
{after}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec setsid chroot "$root" setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs --bounding-set=-all \\
    --inh-caps=-all env --ignore-environment {variables} sh -c 'cd {folder} && exec "$@"' sh {command}
"""


@dataclass(frozen=True)
class Image:
    """A built image: the folder of its files, and what it says of itself."""

    root: Path
    config: dict

    def service(self, name, *, command=None, entrypoint=True):
        """Return the shell that runs a service as compose.yaml describes it, or another command in its place."""
        said = COMPOSE["services"][name]
        enters = said.get("entrypoint", self.config["Entrypoint"]) if entrypoint else []
        runs = said.get("command", self.config["Cmd"]) if command is None else command
        binds = [(each["source"], each["target"], each.get("read_only", False)) for each in said.get("volumes", [])]
        secrets = {name: COMPOSE["secrets"][name]["file"] for name in said["secrets"]}
        binds += [(file, f"/run/secrets/{name}", True) for name, file in secrets.items()]
        binds += [("/etc/hosts", "/etc/hosts", True)]
        variables = [*self.config["Env"], *(f"{key}={value}" for key, value in said["environment"].items())]
        user, group = self.config["User"].split(":")
        script = CONTAIN.format(
            mounts="\n".join(_place(source, target) for source, target, _ in binds),
            after="\n".join(
                [_bound(*each) for each in binds]
                + [f'mount -t tmpfs -o mode=1777 tmpfs "$root{path}"' for path in said["tmpfs"]]
            ),
            user=user,
            group=group,
            variables=shlex.join(variables),
            folder=self.config["WorkingDir"],
            command=shlex.join([*enters, *runs]),
        )
        unshared = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "contain", name]
        return shlex.join([*unshared, str(self.root)])


def _place(source, target):
    """Return what makes the place of a mount, as Docker does."""
    make = "mkdir -p" if target.startswith(("/var", "/etc/engagement")) else "touch"
    return f'[ -e "{source}" ] && mkdir -p "$root{Path(target).parent}" && {make} "$root{target}"'


def _bound(source, target, read_only):
    held = f'\nmount -o remount,bind,ro "$root{target}"' if read_only else ""
    return f'mount --bind "{source}" "$root{target}"{held}'


def missing():
    """Return why no image can be built here, or an empty text."""
    if os.geteuid():
        return "an image is built by root"
    lacking = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    return f"not installed: {', '.join(lacking)} (make test-containers installs them)" if lacking else ""


def built():
    """Build the image and return it; what did not change is taken from the last time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not _do(*BUILDAH, "images", "--quiet", "--filter", f"reference=localhost/{BASE}"):
        _make_base()
    options = ["--isolation", "chroot", "--layers", "--format", "docker", "--build-arg", f"BASE=localhost/{BASE}"]
    certificates = ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]  # a network may have its own
    file = CLONE / "deploy" / "container" / "Dockerfile"
    _do(*BUILDAH, "bud", *options, *certificates, "--file", file, "--tag", "engagement-pipeline", CLONE)
    container = _do(*BUILDAH, "from", "--pull-never", "localhost/engagement-pipeline")
    root = FOLDER / "root"  # a copy: the throwaway machine sees no mount of this one
    shutil.rmtree(root, ignore_errors=True)
    _do("cp", "--archive", _do(*BUILDAH, "mount", container), root)
    _do(*BUILDAH, "rm", container)
    config = json.loads(_do(*BUILDAH, "inspect", "--type", "image", "localhost/engagement-pipeline"))
    return Image(root, config["Docker"]["config"])


def _make_base():
    """Make the stand-in for the base: its Python goes by the name that the official image gives it."""
    folder = FOLDER / "base"
    shutil.rmtree(folder, ignore_errors=True)
    packages = "python3-venv,python3-pip,ca-certificates"
    _do("debootstrap", "--variant=minbase", f"--include={packages}", "trixie", folder)
    (folder / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
    container = _do(*BUILDAH, "from", "scratch")
    _do(*BUILDAH, "copy", container, folder, "/")
    _do(*BUILDAH, "config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container)
    _do(*BUILDAH, "commit", "--rm", container, BASE)
    shutil.rmtree(folder)


def _do(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()
