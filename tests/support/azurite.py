"""Azure's store as its maker emulates it: Azurite, a plain process on this machine that keeps all in memory.

As a script: python tests/support/azurite.py COMMAND…, with `azurite-blob` on the PATH. Starts it, runs the command with
the variables AZURE_… that lead to it, and ends it.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

from buckets import REAL

ACCOUNT = "lakes"
VERSION = "2021-08-06"  # of what is asked for here
LISTENS = re.compile(r"successfully listens on (http://\S+)")


@contextmanager
def azurite():
    """Run Azurite; yield the variables that lead to it."""
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        process = subprocess.Popen(
            ["azurite-blob", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"],
            cwd=folder,
            env=os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = next((found[1] for line in process.stdout if (found := LISTENS.search(line))), None)
            if not address:
                sys.exit("Azurite did not start")
            yield {
                REAL: "yes",
                "AZURE_STORAGE_ENDPOINT": f"{address}/{ACCOUNT}",
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": key,
            }
        finally:
            process.kill()
            process.wait()


def make_container(name):
    """Make a container in the store of the variables, which obstore cannot."""
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    account, key = os.environ["AZURE_STORAGE_ACCOUNT_NAME"], os.environ["AZURE_STORAGE_ACCOUNT_KEY"]
    headers = f"x-ms-date:{now}\nx-ms-version:{VERSION}"
    signed = "PUT" + "\n" * 12 + f"{headers}\n/{account}/{account}/{name}\nrestype:container"
    made = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    asked = urllib.request.Request(
        f"{os.environ['AZURE_STORAGE_ENDPOINT']}/{name}?restype=container",
        method="PUT",
        headers=dict(line.split(":", 1) for line in headers.splitlines())
        | {"Authorization": f"SharedKey {account}:{base64.b64encode(made).decode()}"},
    )
    with urllib.request.urlopen(asked, timeout=30):
        pass


def main(command):
    with azurite() as variables:
        return subprocess.run(command, env=os.environ | variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
